// Owners of device memory and events, and the random data of the benchmark.
#pragma once

#include <cuda_runtime.h>

#include <cstdint>
#include <stdexcept>
#include <string>
#include <utility>
#include <vector>

#include "effconv/types.h"

namespace effconv::bench {

inline void check(cudaError_t error, const char* what) {
    if (error != cudaSuccess) throw std::runtime_error(std::string(what) + ": " + cudaGetErrorString(error));
}

/// Device memory of one array.
class CudaMemory {
public:
    explicit CudaMemory(std::size_t bytes) : bytes_(bytes) {
        check(cudaMalloc(&data_, bytes > 0 ? bytes : 1), "cudaMalloc");
    }
    template <typename T>
    explicit CudaMemory(const std::vector<T>& values) : CudaMemory(values.size() * sizeof(T)) {
        check(cudaMemcpy(data_, values.data(), bytes_, cudaMemcpyHostToDevice), "cudaMemcpy");
    }
    CudaMemory(CudaMemory&& other) noexcept : data_(std::exchange(other.data_, nullptr)), bytes_(other.bytes_) {}
    CudaMemory(const CudaMemory&) = delete;
    CudaMemory& operator=(const CudaMemory&) = delete;
    ~CudaMemory() { cudaFree(data_); }

    void* data() const { return data_; }
    template <typename T>
    T* as() const {
        return static_cast<T*>(data_);
    }
    /// NaN in fp32 and bf16.
    void poison() { check(cudaMemset(data_, 0xff, bytes_), "cudaMemset"); }

    /// Element `index` of fp32 or bf16 memory.
    double at(std::size_t index, bool bf16) const {
        if (bf16) {
            std::uint16_t bits = 0;
            check(cudaMemcpy(&bits, as<std::uint16_t>() + index, 2, cudaMemcpyDeviceToHost), "cudaMemcpy");
            return floatFromBf16(bits);
        }
        float value = 0;
        check(cudaMemcpy(&value, as<float>() + index, 4, cudaMemcpyDeviceToHost), "cudaMemcpy");
        return value;
    }

private:
    void* data_ = nullptr;
    std::size_t bytes_;
};

class CudaEvent {
public:
    CudaEvent() { check(cudaEventCreate(&event_), "cudaEventCreate"); }
    CudaEvent(const CudaEvent&) = delete;
    CudaEvent& operator=(const CudaEvent&) = delete;
    ~CudaEvent() { cudaEventDestroy(event_); }
    cudaEvent_t get() const { return event_; }

private:
    cudaEvent_t event_ = nullptr;
};

/// Which tensor of a case; every stream starts elsewhere in the table of random values.
enum Stream : std::size_t { kStreamX = 0, kStreamY = 250007, kStreamW = 600011 };

/// Element `index` of a random tensor, in [-1, 1), rounded to bf16 where the tensor is: known on the host without a
/// copy of the tensor, for a table of prime length repeats.
double randomElement(std::size_t index, bool bf16, Stream stream);

/// A tensor of those elements.
CudaMemory randomMemory(std::size_t count, bool bf16, Stream stream);

}  // namespace effconv::bench
