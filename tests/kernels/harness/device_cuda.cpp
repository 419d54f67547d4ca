#include <cuda_runtime.h>

#include "device.h"

namespace effconv::test {

namespace {

void require(cudaError_t error, const char* what) {
    if (error != cudaSuccess) throw Failure(std::string(what) + ": " + cudaGetErrorString(error));
}

}  // namespace

bool openDevice(std::string& description) {
    int count = 0;
    const cudaError_t error = cudaGetDeviceCount(&count);
    if (error != cudaSuccess || count == 0) {
        description = std::string("no CUDA device: ") + cudaGetErrorString(error);
        return false;
    }
    cudaDeviceProp properties;
    require(cudaGetDeviceProperties(&properties, 0), "cudaGetDeviceProperties");
    description = text("%s, sm_%d%d", properties.name, properties.major, properties.minor);
    return true;
}

DeviceLimits deviceLimits() {
    cudaDeviceProp properties;
    require(cudaGetDeviceProperties(&properties, 0), "cudaGetDeviceProperties");
    DeviceLimits limits;
    limits.multiprocessors = properties.multiProcessorCount;
    limits.sharedBytesPerBlock = static_cast<std::int64_t>(properties.sharedMemPerBlockOptin);
    return limits;
}

void* deviceAllocate(std::size_t bytes) {
    void* pointer = nullptr;
    require(cudaMalloc(&pointer, bytes == 0 ? 1 : bytes), "cudaMalloc");
    return pointer;
}
void deviceFree(void* pointer) {
    cudaFree(pointer);
}
void copyToDevice(void* destination, const void* source, std::size_t bytes) {
    require(cudaMemcpy(destination, source, bytes, cudaMemcpyHostToDevice), "cudaMemcpy to the device");
}
void copyFromDevice(void* destination, const void* source, std::size_t bytes) {
    require(cudaMemcpy(destination, source, bytes, cudaMemcpyDeviceToHost), "cudaMemcpy from the device");
}
void synchronize() {
    require(cudaDeviceSynchronize(), "kernel");
}

void setThreadOrderNumber(int) {}

}  // namespace effconv::test
