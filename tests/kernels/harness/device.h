// What a kernel test needs of a device: buffers, launches, thread orders. One implementation for the host shim
// (device_host.cpp), one for CUDA (device_cuda.cpp).
#pragma once

#include <cstddef>
#include <cstdint>
#include <cstring>
#include <string>
#include <vector>

#include "effconv/kernel_registry.h"
#include "effconv/launch_sequence.h"
#include "effconv/types.h"
#include "test.h"

namespace effconv::test {

/// Names the device, or returns false with the reason why there is none.
bool openDevice(std::string& description);
/// Limits of the device the tests run on (the H200's on the host shim).
DeviceLimits deviceLimits();

void* deviceAllocate(std::size_t bytes);
void deviceFree(void* pointer);
void copyToDevice(void* destination, const void* source, std::size_t bytes);
void copyFromDevice(void* destination, const void* source, std::size_t bytes);
/// Waits for all launches; throws Failure when one failed.
void synchronize();

/// Number of thread orders that forEachThreadOrder runs: three on the host shim; on a GPU the runs are plain repeats.
constexpr int kThreadOrders = 3;
void setThreadOrderNumber(int order);

/// Runs body(order) once per thread order.
template <typename Body>
void forEachThreadOrder(Body body) {
    for (int order = 0; order < kThreadOrders; ++order) {
        setThreadOrderNumber(order);
        body(order);
    }
    setThreadOrderNumber(0);
}

/// Typed device memory, poisoned with 0xff bytes (NaN in fp32 and bf16). Exactly as large as asked for.
template <typename T>
class DeviceBuffer {
public:
    explicit DeviceBuffer(std::size_t count)
        : count_(count), data_(static_cast<T*>(deviceAllocate(count * sizeof(T)))) {
        poison();
    }
    explicit DeviceBuffer(const std::vector<T>& values) : DeviceBuffer(values.size()) {
        copyToDevice(data_, values.data(), count_ * sizeof(T));
    }
    ~DeviceBuffer() { deviceFree(data_); }
    DeviceBuffer(const DeviceBuffer&) = delete;
    DeviceBuffer& operator=(const DeviceBuffer&) = delete;

    T* data() const { return data_; }
    std::size_t size() const { return count_; }
    void poison() {
        const std::vector<unsigned char> bytes(count_ * sizeof(T), 0xff);
        copyToDevice(data_, bytes.data(), bytes.size());
    }
    std::vector<T> download() const {
        std::vector<T> values(count_);
        copyFromDevice(values.data(), data_, count_ * sizeof(T));
        return values;
    }

private:
    std::size_t count_;
    T* data_;
};

/// A tensor of fp32 or bf16 elements behind one interface: built from floats (rounded to the type), read as floats.
class TypedBuffer {
public:
    TypedBuffer(const std::vector<float>& values, bool bf16) : TypedBuffer(values.size(), bf16) {
        if (bf16) {
            std::vector<std::uint16_t> rounded(values.size());
            for (std::size_t i = 0; i < values.size(); ++i) rounded[i] = bf16FromFloat(values[i]);
            copyToDevice(bytes_.data(), rounded.data(), bytes_.size());
        } else {
            copyToDevice(bytes_.data(), values.data(), bytes_.size());
        }
    }
    TypedBuffer(std::size_t count, bool bf16) : bf16_(bf16), count_(count), bytes_(count * (bf16 ? 2 : 4)) {}

    void* data() const { return bytes_.data(); }
    void poison() { bytes_.poison(); }
    std::vector<float> download() const {
        const std::vector<unsigned char> bytes = bytes_.download();
        std::vector<float> values(count_);
        for (std::size_t i = 0; i < count_; ++i) {
            if (bf16_) {
                std::uint16_t bits;
                std::memcpy(&bits, &bytes[2 * i], 2);
                values[i] = floatFromBf16(bits);
            } else {
                std::memcpy(&values[i], &bytes[4 * i], 4);
            }
        }
        return values;
    }

private:
    bool bf16_;
    std::size_t count_;
    DeviceBuffer<unsigned char> bytes_;
};

/// count values in [-1, 1), rounded to bf16 when asked, so that reference and kernel see the same numbers.
inline std::vector<float> randomValues(std::size_t count, Random& random, bool bf16) {
    std::vector<float> values(count);
    for (float& value : values) {
        value = random.symmetric();
        if (bf16) value = floatFromBf16(bf16FromFloat(value));
    }
    return values;
}

/// Launches one kernel and waits. Throws Failure on an unknown kernel, a parameter struct of another size, or shared
/// memory beyond the kernel's entry in the limit file.
void launchKernel(const char* kernel, const LaunchPlan& shape, const void* parameters, std::size_t parameterBytes);
template <typename Parameters>
void launchKernel(const char* kernel, const LaunchPlan& shape, const Parameters& parameters) {
    launchKernel(kernel, shape, &parameters, sizeof parameters);
}

/// Launches every kernel of the sequence in order; throws Failure also when the sequence is a refusal.
template <typename Parameters>
void launchAll(const LaunchSequence& sequence, const Parameters& parameters) {
    if (!sequence.result.ok()) throw Failure(std::string("refused: ") + sequence.result.message);
    if (sequence.count == 0) throw Failure("the sequence holds no launch");
    for (int i = 0; i < sequence.count; ++i) {
        launchKernel(sequence.launches[i].kernel, sequence.launches[i].shape, parameters);
    }
}

/// Fails unless the check refused with this status and its message contains the text.
void checkRefused(const Result& result, Status status, const std::string& expectedText);

}  // namespace effconv::test
