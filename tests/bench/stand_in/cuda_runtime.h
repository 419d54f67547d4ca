// The calls of the CUDA runtime that the benchmark makes, on host memory: with the kernels of the host shim the
// measuring half of the benchmark then runs without a card. Times are those of the host and mean nothing.
#pragma once

#include <chrono>
#include <cstdlib>
#include <cstring>

enum cudaError_t { cudaSuccess = 0, cudaErrorMemoryAllocation = 2 };
enum cudaMemcpyKind { cudaMemcpyHostToDevice, cudaMemcpyDeviceToHost, cudaMemcpyDeviceToDevice };

struct cudaDeviceProp {
    char name[256];
    int major, minor, multiProcessorCount;
    std::size_t sharedMemPerBlockOptin;
};

struct StandInEvent {
    std::chrono::steady_clock::time_point at;
};
using cudaEvent_t = StandInEvent*;

inline const char* cudaGetErrorString(cudaError_t) {
    return "out of memory";
}
inline cudaError_t cudaGetDeviceCount(int* count) {
    return *count = 1, cudaSuccess;
}
inline cudaError_t cudaDriverGetVersion(int* version) {
    return *version = 13000, cudaSuccess;
}
inline cudaError_t cudaDeviceSynchronize() {
    return cudaSuccess;
}
inline cudaError_t cudaGetDeviceProperties(cudaDeviceProp* properties, int) {
    *properties = {"host shim", 9, 0, 132, 232448};
    return cudaSuccess;
}
inline cudaError_t cudaMalloc(void** pointer, std::size_t bytes) {
    return posix_memalign(pointer, 256, bytes) == 0 ? cudaSuccess : cudaErrorMemoryAllocation;
}
inline cudaError_t cudaFree(void* pointer) {
    return std::free(pointer), cudaSuccess;
}
inline cudaError_t cudaMemcpy(void* to, const void* from, std::size_t bytes, cudaMemcpyKind) {
    if (bytes > 0) std::memcpy(to, from, bytes);
    return cudaSuccess;
}
inline cudaError_t cudaMemset(void* to, int value, std::size_t bytes) {
    if (bytes > 0) std::memset(to, value, bytes);
    return cudaSuccess;
}
inline cudaError_t cudaMemsetAsync(void* to, int value, std::size_t bytes) {
    return cudaMemset(to, value, bytes);
}
inline cudaError_t cudaEventCreate(cudaEvent_t* event) {
    return *event = new StandInEvent, cudaSuccess;
}
inline cudaError_t cudaEventDestroy(cudaEvent_t event) {
    return delete event, cudaSuccess;
}
inline cudaError_t cudaEventRecord(cudaEvent_t event) {
    return event->at = std::chrono::steady_clock::now(), cudaSuccess;
}
inline cudaError_t cudaEventSynchronize(cudaEvent_t) {
    return cudaSuccess;
}
inline cudaError_t cudaEventElapsedTime(float* milliseconds, cudaEvent_t start, cudaEvent_t stop) {
    *milliseconds = std::chrono::duration<float, std::milli>(stop->at - start->at).count();
    return cudaSuccess;
}
