// Checks that the plan functions of all kernel families share; each refuses with one readable sentence.
#pragma once

#include "effconv/launch.h"

namespace effconv {

/// Alignment in bytes that every array base must have, so that kernels may use 16-byte accesses.
constexpr int kBaseAlignment = 16;

/// Whether the pointer is 16-byte aligned.
inline bool isAligned(const void* pointer) { return reinterpret_cast<std::uintptr_t>(pointer) % kBaseAlignment == 0; }

/// Refuses a null or misaligned array base; `name` is the parameter's name as the caller knows it.
inline Result checkBase(const char* family, const char* name, const void* pointer) {
    if (pointer == nullptr) return Result::fail(Status::kNullPointer, "%s: %s is null", family, name);
    if (!isAligned(pointer)) {
        return Result::fail(Status::kMisaligned, "%s: %s must be aligned to %d bytes", family, name, kBaseAlignment);
    }
    return {};
}

/// Refuses kernel sizes other than 1, 3, ..., 33.
inline Result checkKernelSize(const char* family, const char* name, int k) {
    if (k >= 1 && k <= kMaxKernelSize && k % 2 == 1) return {};
    return Result::fail(k < 1 ? Status::kInvalidShape : Status::kUnsupported,
                        "%s: %s is %d; expected an odd number from 1 to %d", family, name, k, kMaxKernelSize);
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

/// Appends a launch of `blocks` blocks to the plan, or turns the plan into a refusal when the device cannot hold it.
inline void addLaunch(Plan& plan, const char* kernel, std::int64_t blocks, int threads, std::int64_t sharedBytes,
                      const DeviceLimits& limits) {
    if (!plan.result.ok()) return;
    if (sharedBytes > limits.sharedBytesPerBlock) {
        plan = Plan::refused(Result::fail(
            Status::kResourceLimit, "%s: needs %lld bytes of shared memory per block; the device offers %lld", kernel,
            static_cast<long long>(sharedBytes), static_cast<long long>(limits.sharedBytesPerBlock)));
        return;
    }
    if (blocks < 1 || blocks > limits.maxGridX) {
        plan = Plan::refused(Result::fail(Status::kResourceLimit, "%s: needs %lld blocks; the device offers 1 to %lld",
                                          kernel, static_cast<long long>(blocks),
                                          static_cast<long long>(limits.maxGridX)));
        return;
    }
    KernelLaunch launch;
    launch.kernel = kernel;
    launch.gridX = static_cast<std::uint32_t>(blocks);
    launch.threads = static_cast<std::uint32_t>(threads);
    launch.sharedBytes = static_cast<std::uint32_t>(sharedBytes);
    plan.add(launch);
}

}  // namespace effconv
