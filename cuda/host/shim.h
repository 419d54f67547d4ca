// The part of CUDA C++ that the kernels use, for a plain C++ compiler: with this header the same .cu files run on a
// CPU.
//
// Blocks run one after another. Inside a block every CUDA thread is a fiber that runs until it reaches a barrier, a
// warp collective (shuffle, vote, ldmatrix, mma) or its end; then the next thread of the chosen order runs. What cannot
// be seen this way: timing, bank conflicts, weak memory order. What is seen: divergent barriers and collectives (the
// launch throws KernelFault with file, line, block and thread), missing barriers (three thread orders), reads of shared
// memory that nobody wrote (NaN poison), reads ahead of a cp.async wait (poison until the wait), out-of-range access
// (AddressSanitizer: shared memory of a launch is one heap block of exactly the size asked for).
#pragma once

#include <cmath>
#include <cstddef>
#include <cstdint>
#include <cstring>
#include <functional>
#include <stdexcept>
#include <string>

#define __global__
#define __device__
#define __host__
#define __forceinline__ inline
#define __launch_bounds__(...)
#define __grid_constant__
#define __align__(bytes) __attribute__((aligned(bytes)))
// Static shared memory could not be poisoned: kernels use EC_DYN_SHARED, and this name stops the compilation.
#define __shared__ EC_STATIC_SHARED_MEMORY_IS_NOT_SUPPORTED_USE_EC_DYN_SHARED

struct uint3 {
    unsigned x, y, z;
};
struct dim3 {
    unsigned x, y, z;
    constexpr dim3(unsigned x = 1, unsigned y = 1, unsigned z = 1) : x(x), y(y), z(z) {}
};
struct alignas(8) float2 {
    float x, y;
};
struct alignas(16) float4 {
    float x, y, z, w;
};
struct alignas(8) int2 {
    int x, y;
};
struct alignas(16) int4 {
    int x, y, z, w;
};
struct alignas(8) uint2 {
    unsigned x, y;
};
struct alignas(16) uint4 {
    unsigned x, y, z, w;
};
inline float2 make_float2(float x, float y) {
    return {x, y};
}
inline float4 make_float4(float x, float y, float z, float w) {
    return {x, y, z, w};
}
inline int2 make_int2(int x, int y) {
    return {x, y};
}
inline int4 make_int4(int x, int y, int z, int w) {
    return {x, y, z, w};
}
inline uint2 make_uint2(unsigned x, unsigned y) {
    return {x, y};
}
inline uint4 make_uint4(unsigned x, unsigned y, unsigned z, unsigned w) {
    return {x, y, z, w};
}

namespace effconv::host {

/// A kernel broke a rule of the machine; what() says which, where (file:line), in which block and thread.
class KernelFault : public std::runtime_error {
public:
    using std::runtime_error::runtime_error;
};

/// Order in which the threads of a block (and the blocks of a grid) run between two barriers.
enum class ThreadOrder { kForward, kReverse, kSeeded };

/// Sets the order of all later launches of this host thread; the seed matters for kSeeded only.
void setThreadOrder(ThreadOrder order, std::uint64_t seed = 1);

/// Runs body once per thread of the grid. Throws KernelFault; sharedBytes of dynamic shared memory are poisoned per
/// block.
void launch(dim3 grid, dim3 block, std::size_t sharedBytes, const std::function<void()>& body);

struct ThreadState {
    uint3 threadIndex;
    uint3 blockIndex;
    dim3 blockSize;
    dim3 gridSize;
    unsigned linear;  ///< x + blockSize.x * (y + blockSize.y * z)
};
// __thread, not thread_local: no initialisation wrapper is called (and GCC's null check misjudges the wrapper).
extern __thread ThreadState* currentThread;

void* dynamicShared();
/// Throws KernelFault out of the launch with this thread's place.
[[noreturn]] void fault(const std::string& what, const char* file, int line);

enum class Vote { kNone, kOr, kAnd, kCount };
int blockBarrier(Vote vote, int predicate, const char* file, int line);

/// Gets one argument pointer per lane of the warp (null where the mask has no bit) once all lanes of the mask arrived.
using Combine = void (*)(void* const* arguments, unsigned mask);
void warpCollective(const char* name, unsigned mask, void* argument, Combine combine, const char* file, int line);

/// cp.async of up to 16 bytes: the destination is poisoned now and written at the wait; bytes past sourceBytes become
/// 0.
void asyncCopy(void* destination, const void* source, int bytes, int sourceBytes, const char* file, int line);
void asyncCommit();
void asyncWait(int newestGroupsLeft);

template <typename T>
struct ShuffleArgument {
    T value;
    int source;  ///< lane to read; a lane outside the mask, or without a thread, yields undefined data: a fault
    bool ok;
};
template <typename T>
void combineShuffle(void* const* arguments, unsigned) {
    T values[32];
    for (int lane = 0; lane < 32; ++lane) {
        if (arguments[lane]) values[lane] = static_cast<ShuffleArgument<T>*>(arguments[lane])->value;
    }
    for (int lane = 0; lane < 32; ++lane) {
        if (!arguments[lane]) continue;
        auto& argument = *static_cast<ShuffleArgument<T>*>(arguments[lane]);
        argument.ok = arguments[argument.source] != nullptr;
        if (argument.ok) argument.value = values[argument.source];
    }
}
template <typename T>
T shuffle(const char* name, unsigned mask, T value, int source, const char* file, int line) {
    ShuffleArgument<T> argument{value, source, false};
    warpCollective(name, mask, &argument, &combineShuffle<T>, file, line);
    if (!argument.ok) {
        fault(std::string(name) + " reads lane " + std::to_string(source) + ", which takes no part", file, line);
    }
    return argument.value;
}
struct VoteArgument {
    unsigned predicate;
    unsigned ballot;
};
unsigned ballot(const char* name, unsigned mask, int predicate, const char* file, int line);

inline int laneOf(const ThreadState& thread) {
    return static_cast<int>(thread.linear & 31u);
}

}  // namespace effconv::host

#define threadIdx (::effconv::host::currentThread->threadIndex)
#define blockIdx (::effconv::host::currentThread->blockIndex)
#define blockDim (::effconv::host::currentThread->blockSize)
#define gridDim (::effconv::host::currentThread->gridSize)
#define warpSize 32

#define EC_DYN_SHARED(type, name) type* name = static_cast<type*>(::effconv::host::dynamicShared())

#define EC_HOST_PLACE const char *file = __builtin_FILE(), int line = __builtin_LINE()

inline void __syncthreads(EC_HOST_PLACE) {
    effconv::host::blockBarrier(effconv::host::Vote::kNone, 0, file, line);
}
inline int __syncthreads_or(int predicate, EC_HOST_PLACE) {
    return effconv::host::blockBarrier(effconv::host::Vote::kOr, predicate, file, line);
}
inline int __syncthreads_and(int predicate, EC_HOST_PLACE) {
    return effconv::host::blockBarrier(effconv::host::Vote::kAnd, predicate, file, line);
}
inline int __syncthreads_count(int predicate, EC_HOST_PLACE) {
    return effconv::host::blockBarrier(effconv::host::Vote::kCount, predicate, file, line);
}
inline void __syncwarp(unsigned mask = 0xffffffffu, EC_HOST_PLACE) {
    int unused = 0;
    effconv::host::warpCollective(
        "__syncwarp", mask, &unused, [](void* const*, unsigned) {}, file, line);
}

template <typename T>
T __shfl_sync(unsigned mask, T value, int lane, int width = 32, EC_HOST_PLACE) {
    const int self = effconv::host::laneOf(*effconv::host::currentThread);
    const int base = self & ~(width - 1);
    return effconv::host::shuffle("__shfl_sync", mask, value, base | (lane & (width - 1)), file, line);
}
template <typename T>
T __shfl_xor_sync(unsigned mask, T value, int laneMask, int width = 32, EC_HOST_PLACE) {
    const int self = effconv::host::laneOf(*effconv::host::currentThread);
    const int source = self ^ laneMask;
    const bool inside = (source & ~(width - 1)) <= (self & ~(width - 1));
    return effconv::host::shuffle("__shfl_xor_sync", mask, value, inside ? source : self, file, line);
}
template <typename T>
T __shfl_down_sync(unsigned mask, T value, unsigned delta, int width = 32, EC_HOST_PLACE) {
    const int self = effconv::host::laneOf(*effconv::host::currentThread);
    const int offset = (self & (width - 1)) + static_cast<int>(delta);
    return effconv::host::shuffle("__shfl_down_sync", mask, value,
                                  offset < width ? self + static_cast<int>(delta) : self, file, line);
}
template <typename T>
T __shfl_up_sync(unsigned mask, T value, unsigned delta, int width = 32, EC_HOST_PLACE) {
    const int self = effconv::host::laneOf(*effconv::host::currentThread);
    const int offset = (self & (width - 1)) - static_cast<int>(delta);
    return effconv::host::shuffle("__shfl_up_sync", mask, value, offset >= 0 ? self - static_cast<int>(delta) : self,
                                  file, line);
}
inline unsigned __ballot_sync(unsigned mask, int predicate, EC_HOST_PLACE) {
    return effconv::host::ballot("__ballot_sync", mask, predicate, file, line);
}
inline int __any_sync(unsigned mask, int predicate, EC_HOST_PLACE) {
    return effconv::host::ballot("__any_sync", mask, predicate, file, line) != 0;
}
inline int __all_sync(unsigned mask, int predicate, EC_HOST_PLACE) {
    return effconv::host::ballot("__all_sync", mask, !predicate, file, line) == 0;
}

// Integer atomics only: a float atomic would add in an order that differs from run to run, so there is none.
template <typename T>
T atomicAdd(T* address, T value) {
    static_assert(sizeof(T) >= 4 && T(0.5) == T(0), "no float atomics: sums have a fixed order");
    const T old = *address;
    *address = old + value;
    return old;
}
template <typename T>
T atomicMax(T* address, T value) {
    const T old = *address;
    *address = old < value ? value : old;
    return old;
}
template <typename T>
T atomicMin(T* address, T value) {
    const T old = *address;
    *address = value < old ? value : old;
    return old;
}
template <typename T>
T atomicExch(T* address, T value) {
    const T old = *address;
    *address = value;
    return old;
}
template <typename T>
T atomicCAS(T* address, T expected, T value) {
    const T old = *address;
    if (old == expected) *address = value;
    return old;
}
inline void __threadfence() {}
inline void __threadfence_block() {}

template <typename T>
T __ldg(const T* address) {
    return *address;
}
inline float __uint_as_float(unsigned bits) {
    float value;
    std::memcpy(&value, &bits, sizeof value);
    return value;
}
inline unsigned __float_as_uint(float value) {
    unsigned bits;
    std::memcpy(&bits, &value, sizeof bits);
    return bits;
}
inline int __popc(unsigned value) {
    return __builtin_popcount(value);
}
inline int __ffs(int value) {
    return __builtin_ffs(value);
}
inline int __clz(int value) {
    return value == 0 ? 32 : __builtin_clz(static_cast<unsigned>(value));
}
template <typename T>
constexpr T min(T a, T b) {
    return b < a ? b : a;
}
template <typename T>
constexpr T max(T a, T b) {
    return a < b ? b : a;
}
inline float rsqrtf(float value) {
    return 1.0f / std::sqrt(value);
}

#include "shim_ptx.h"
