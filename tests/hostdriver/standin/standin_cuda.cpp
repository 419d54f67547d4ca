// A stand-in for libcuda.so.1: the functions of the driver API that JCudaDriver calls, on host memory, with the kernels
// run through the shim. It shows, without a card, that addresses, handles, parameter structs and captures pass JCuda's
// bridge as they should. It checks its arguments harder than a driver would, and says on stderr what it refuses. One
// card, one thread.
#include <cstddef>
#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <exception>
#include <functional>
#include <map>
#include <string>
#include <vector>

#include "effconv/kernel_registry.h"

namespace {

constexpr int kInvalidValue = 1;
constexpr int kOutOfMemory = 2;
constexpr int kNotFound = 500;
constexpr int kLaunchFailed = 719;
constexpr int kCaptureUnsupported = 900;
constexpr int kSharedBytes = 99 * 1024;
constexpr std::size_t kMostBytes = std::size_t(1) << 40;

using Work = std::vector<std::function<int()>>;

void* const kContext = reinterpret_cast<void*>(0x1000);
void* const kPool = reinterpret_cast<void*>(0x2000);
void* const kStream = reinterpret_cast<void*>(0x3000);
std::map<std::uintptr_t, std::size_t> blocks;  // device memory: address to bytes
Work* capture = nullptr;
int held = 0;  // events, modules, graphs, page-locked blocks

bool inside(std::uintptr_t address, std::size_t bytes) {
    auto block = blocks.upper_bound(address);
    if (block == blocks.begin()) return false;
    --block;
    return address + bytes <= block->first + block->second;
}

int put(std::function<int()> work) {
    if (capture == nullptr) return work();
    capture->push_back(std::move(work));
    return 0;
}

template <typename T>
int fill(std::uintptr_t to, T value, std::size_t count) {
    return put([=] {
        for (std::size_t i = 0; i < count; ++i) reinterpret_cast<T*>(to)[i] = value;
        return 0;
    });
}

int move(void* to, const void* from, std::size_t bytes) {
    return put([=] {
        std::memmove(to, from, bytes);
        return 0;
    });
}

void* acquire() {
    ++held;
    return std::malloc(1);
}

int release(void* handle) {
    --held;
    std::free(handle);
    return 0;
}

}  // namespace

#define REQUIRE(condition)                                                         \
    if (!(condition)) {                                                            \
        std::fprintf(stderr, "stand-in cuda: %s: not %s\n", __func__, #condition); \
        return kInvalidValue;                                                      \
    }
#define API extern "C" __attribute__((visibility("default"))) int

API cuInit(unsigned) {
    return 0;
}
API cuDriverGetVersion(int* version) {
    return *version = 13000, 0;
}
API cuDeviceGetCount(int* count) {
    return *count = 1, 0;
}
API cuDeviceGet(int* device, int ordinal) {
    return *device = ordinal, 0;
}
API cuDeviceGetName(char* name, int length, int) {
    return std::snprintf(name, static_cast<std::size_t>(length), "Stand-in"), 0;
}
API cuDeviceTotalMem_v2(std::size_t* bytes, int) {
    return *bytes = kMostBytes, 0;
}

API cuDeviceGetAttribute(int* value, int attribute, int) {
    switch (attribute) {
        case 5: *value = 2147483647; break;     // MAX_GRID_DIM_X
        case 16: *value = 2; break;             // MULTIPROCESSOR_COUNT
        case 75: *value = 9; break;             // COMPUTE_CAPABILITY_MAJOR
        case 76: *value = 0; break;             // COMPUTE_CAPABILITY_MINOR
        case 97: *value = kSharedBytes; break;  // MAX_SHARED_MEMORY_PER_BLOCK_OPTIN
        default: return kInvalidValue;
    }
    return 0;
}

API cuDevicePrimaryCtxRetain(void** context, int) {
    return *context = kContext, 0;
}
API cuDevicePrimaryCtxRelease_v2(int) {
    return 0;
}
API cuCtxSetCurrent(void* context) {
    REQUIRE(context == kContext);
    return 0;
}
// Refused while any stream of the context is captured, be it another backend's in the same process: not to be called.
API cuCtxSynchronize() {
    return kCaptureUnsupported;
}
API cuMemGetInfo_v2(std::size_t* free, std::size_t* total) {
    return *free = *total = kMostBytes, 0;
}

// ---- memory ---------------------------------------------------------------------------------------------------------

API cuMemPoolCreate(void** pool, const int* properties) {
    REQUIRE(properties[0] == 1 && properties[1] == 0 && properties[2] == 1 &&
            properties[3] == 0);  // pinned, no handle, device 0
    return *pool = kPool, 0;
}
API cuMemPoolTrimTo(void* pool, std::size_t) {
    REQUIRE(pool == kPool);
    return 0;
}
// The last call of a driver that is closed: whatever is held now was lost.
API cuMemPoolDestroy(void* pool) {
    REQUIRE(pool == kPool && blocks.empty() && held == 0);
    return 0;
}
API cuMemAllocFromPoolAsync(std::uintptr_t* address, std::size_t bytes, void* pool, void* stream) {
    REQUIRE(pool == kPool && stream == kStream && capture == nullptr);
    if (bytes > kMostBytes) return kOutOfMemory;
    void* block = std::aligned_alloc(256, (bytes + 255) / 256 * 256);
    if (block == nullptr) return kOutOfMemory;
    std::memset(block, 0xff, bytes);
    *address = reinterpret_cast<std::uintptr_t>(block);
    blocks[*address] = bytes;
    return 0;
}
API cuMemFreeAsync(std::uintptr_t address, void* stream) {
    REQUIRE(blocks.count(address) == 1 && stream == kStream && capture == nullptr);
    blocks.erase(address);
    std::free(reinterpret_cast<void*>(address));
    return 0;
}
API cuMemHostAlloc(void** address, std::size_t bytes, unsigned) {
    ++held;
    *address = std::aligned_alloc(4096, (bytes + 4095) / 4096 * 4096);
    return *address == nullptr ? kOutOfMemory : 0;
}
API cuMemFreeHost(void* address) {
    REQUIRE(address != nullptr);
    return release(address);
}
API cuMemcpyHtoDAsync_v2(std::uintptr_t to, const void* from, std::size_t bytes, void* stream) {
    REQUIRE(inside(to, bytes) && from != nullptr && stream == kStream);
    return move(reinterpret_cast<void*>(to), from, bytes);
}
API cuMemcpyDtoHAsync_v2(void* to, std::uintptr_t from, std::size_t bytes, void* stream) {
    REQUIRE(to != nullptr && inside(from, bytes) && stream == kStream);
    return move(to, reinterpret_cast<void*>(from), bytes);
}
API cuMemcpyDtoDAsync_v2(std::uintptr_t to, std::uintptr_t from, std::size_t bytes, void* stream) {
    REQUIRE(inside(to, bytes) && inside(from, bytes) && stream == kStream);
    return move(reinterpret_cast<void*>(to), reinterpret_cast<void*>(from), bytes);
}
API cuMemsetD8Async(std::uintptr_t to, unsigned char value, std::size_t count, void* stream) {
    REQUIRE(inside(to, count) && stream == kStream);
    return fill(to, value, count);
}
API cuMemsetD16Async(std::uintptr_t to, unsigned short value, std::size_t count, void* stream) {
    REQUIRE(inside(to, 2 * count) && stream == kStream);
    return fill(to, value, count);
}
API cuMemsetD32Async(std::uintptr_t to, unsigned value, std::size_t count, void* stream) {
    REQUIRE(inside(to, 4 * count) && stream == kStream);
    return fill(to, value, count);
}

// ---- order ----------------------------------------------------------------------------------------------------------

API cuStreamCreate(void** stream, unsigned flags) {
    REQUIRE(flags == 1);  // non-blocking
    return *stream = kStream, 0;
}
API cuStreamDestroy_v2(void* stream) {
    REQUIRE(stream == kStream);
    return 0;
}
API cuStreamSynchronize(void* stream) {
    REQUIRE(stream == kStream && capture == nullptr);
    return 0;
}
API cuEventCreate(void** event, unsigned) {
    return *event = acquire(), 0;
}
API cuEventDestroy_v2(void* event) {
    return release(event);
}
API cuEventRecord(void* event, void* stream) {
    REQUIRE(event != nullptr && stream == kStream && capture == nullptr);
    return 0;
}
API cuEventSynchronize(void* event) {
    REQUIRE(event != nullptr && capture == nullptr);
    return 0;
}
API cuEventElapsedTime(float* milliseconds, void*, void*) {
    return *milliseconds = 1, 0;
}

// ---- kernels --------------------------------------------------------------------------------------------------------

API cuModuleLoadData(void** module, const void* image) {
    REQUIRE(image != nullptr);
    return *module = acquire(), 0;
}
API cuModuleUnload(void* module) {
    return release(module);
}
API cuModuleGetFunction(const void** function, void* module, const char* name) {
    REQUIRE(module != nullptr);
    *function = effconv::findKernel(name);
    return *function == nullptr ? kNotFound : 0;
}
API cuFuncSetAttribute(void* function, int attribute, int value) {
    REQUIRE(function != nullptr && attribute == 8 && value == kSharedBytes);  // most dynamic shared memory
    return 0;
}
API cuLaunchKernel(void* function, unsigned gridX, unsigned gridY, unsigned gridZ, unsigned blockX, unsigned blockY,
                   unsigned blockZ, unsigned sharedBytes, void* stream, void** parameters, void** extra) {
    REQUIRE(function != nullptr && gridY == 1 && gridZ == 1 && blockY == 1 && blockZ == 1 && stream == kStream);
    REQUIRE(parameters != nullptr && parameters[0] != nullptr && extra == nullptr);
    const auto* kernel = static_cast<const effconv::KernelEntry*>(function);
    // A copy at the launch, as the driver makes one; aligned as a struct of pointers is.
    std::vector<std::max_align_t> copy(kernel->parameterBytes / sizeof(std::max_align_t) + 1);
    std::memcpy(copy.data(), parameters[0], kernel->parameterBytes);
    return put([=] {
        try {
            return kernel->launch({gridX, static_cast<int>(blockX), sharedBytes}, copy.data(), nullptr).ok()
                       ? 0
                       : kLaunchFailed;
        } catch (const std::exception& fault) {
            std::fprintf(stderr, "stand-in cuda: %s: %s\n", kernel->name, fault.what());
            return kLaunchFailed;
        }
    });
}

// ---- graphs ---------------------------------------------------------------------------------------------------------

API cuStreamBeginCapture_v2(void* stream, int mode) {
    REQUIRE(stream == kStream && mode == 1 && capture == nullptr);  // thread-local
    capture = new Work;
    return 0;
}
API cuStreamEndCapture(void* stream, void** graph) {
    REQUIRE(stream == kStream && capture != nullptr);
    ++held;
    *graph = capture;
    capture = nullptr;
    return 0;
}
API cuGraphInstantiateWithFlags(void** ready, void* graph, unsigned long long flags) {
    REQUIRE(graph != nullptr && flags == 0);
    ++held;
    return *ready = new Work(*static_cast<Work*>(graph)), 0;
}
API cuGraphDestroy(void* graph) {
    --held;
    delete static_cast<Work*>(graph);
    return 0;
}
API cuGraphExecDestroy(void* graph) {
    return cuGraphDestroy(graph);
}
API cuGraphLaunch(void* graph, void* stream) {
    REQUIRE(graph != nullptr && stream == kStream && capture == nullptr);
    for (const auto& work : *static_cast<Work*>(graph)) {
        if (const int failure = work()) return failure;
    }
    return 0;
}
