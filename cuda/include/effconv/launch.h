// What every kernel family's host side has in common: device limits, launch plans, and the checks that recur.
//
// Each family has one header under effconv/kernels/ with its parameter struct (passed to the kernel by value, laid out
// the same for every compiler) and one check that either fills a LaunchPlan or says why it will not. No CUDA header is
// needed, so the host library, the tests and the launch code of another language all go through the same checks.
#pragma once

#include "effconv/types.h"

namespace effconv {

/// What a device offers to one block; the defaults are what every supported device has.
struct DeviceLimits {
    std::int64_t sharedBytesPerBlock = 48 * 1024;
    std::int64_t gridX = 2147483647;
    std::int32_t multiprocessors = 1;
};

/// Grid, block and dynamic shared memory of one launch. Grids and blocks are one-dimensional.
struct LaunchPlan {
    std::int64_t blocks = 0;
    std::int32_t threads = 0;
    std::int64_t sharedBytes = 0;
};

/// Alignment in bytes that every array base must have, so that kernels may use 16-byte accesses.
constexpr int kBaseAlignment = 16;

/// Whether the pointer is 16-byte aligned.
inline bool isAligned(const void* pointer) {
    return reinterpret_cast<std::uintptr_t>(pointer) % kBaseAlignment == 0;
}

/// Refuses a null or misaligned array base; `name` is the parameter's name as the caller knows it.
inline Result checkBase(const char* family, const char* name, const void* pointer) {
    if (pointer == nullptr) return Result::fail(Status::kNullPointer, "%s: %s is null", family, name);
    if (!isAligned(pointer)) {
        return Result::fail(Status::kMisaligned, "%s: %s must be aligned to %d bytes", family, name, kBaseAlignment);
    }
    return {};
}

/// One array of a parameter struct, as a check sees it.
struct ArrayBase {
    const char* name;
    const void* pointer;
    bool required;  ///< an array that is not required may be null, but never misaligned
};

/// Refuses the first array that is missing or misaligned.
template <int kCount>
Result checkBases(const char* family, const ArrayBase (&bases)[kCount]) {
    for (const ArrayBase& base : bases) {
        if (!base.required && base.pointer == nullptr) continue;
        const Result result = checkBase(family, base.name, base.pointer);
        if (!result.ok()) return result;
    }
    return {};
}

/// Refuses the first array that is missing or not aligned to its fp32 elements: for kernels that access one at a time,
/// and so serve parts of larger arrays too.
template <int kCount>
Result checkFloats(const char* family, const ArrayBase (&bases)[kCount]) {
    for (const ArrayBase& base : bases) {
        if (base.pointer == nullptr && base.required) {
            return Result::fail(Status::kNullPointer, "%s: %s is null", family, base.name);
        }
        if (reinterpret_cast<std::uintptr_t>(base.pointer) % sizeof(float) != 0) {
            return Result::fail(Status::kMisaligned, "%s: %s must be aligned to its elements of 4 bytes", family,
                                base.name);
        }
    }
    return {};
}

/// Refuses kernel sizes other than 1, 3, ..., 33.
inline Result checkKernelSize(const char* family, const char* name, int k) {
    if (k < 1 || k > kMaxKernelSize || k % 2 == 0) {
        return Result::fail(k < 1 ? Status::kInvalidShape : Status::kUnsupported,
                            "%s: %s is %d; expected an odd number from 1 to %d", family, name, k, kMaxKernelSize);
    }
    return {};
}

/// Refuses a count outside [1, most].
inline Result checkCount(const char* family, const char* name, std::int64_t value, std::int64_t most = INT64_MAX) {
    if (value < 1) {
        return Result::fail(Status::kInvalidShape, "%s: %s is %lld; expected at least 1", family, name,
                            static_cast<long long>(value));
    }
    if (value > most) {
        return Result::fail(Status::kUnsupported, "%s: %s is %lld; at most %lld are served", family, name,
                            static_cast<long long>(value), static_cast<long long>(most));
    }
    return {};
}

/// Refuses a count below one.
inline Result checkPositive(const char* family, const char* name, std::int64_t value) {
    return checkCount(family, name, value);
}

/// Refuses strides (in elements) under which elements of an NHWC tensor with channel stride 1 would overlap.
inline Result checkStrides(const char* family, const char* tensor, std::int64_t image, std::int64_t row,
                           std::int64_t pixel, int channels, int width, int height) {
    if (pixel < channels || row < pixel * width || image < row * height) {
        return Result::fail(Status::kInvalidShape,
                            "%s: strides of %s (image %lld, row %lld, pixel %lld elements) make elements overlap",
                            family, tensor, static_cast<long long>(image), static_cast<long long>(row),
                            static_cast<long long>(pixel));
    }
    return {};
}

/// Refuses a plan that the device cannot launch.
inline Result checkPlan(const char* family, const LaunchPlan& plan, const DeviceLimits& limits) {
    if (plan.sharedBytes > limits.sharedBytesPerBlock) {
        return Result::fail(
            Status::kResourceLimit, "%s: needs %lld bytes of shared memory per block; the device offers %lld", family,
            static_cast<long long>(plan.sharedBytes), static_cast<long long>(limits.sharedBytesPerBlock));
    }
    if (plan.blocks < 1 || plan.blocks > limits.gridX) {
        return Result::fail(Status::kResourceLimit, "%s: needs %lld blocks; the device offers 1 to %lld", family,
                            static_cast<long long>(plan.blocks), static_cast<long long>(limits.gridX));
    }
    return {};
}

}  // namespace effconv
