// How a kernel family tells its caller what to launch. Plain C++17: needs neither nvcc nor a GPU.
//
// Each family has one plan function: it checks every argument and returns either a refusal with a readable message or the
// list of launches, in order, on one stream. A caller launches them by name with the family's parameter struct (through
// the driver API from Java, through findKernel() in the tests and the benchmark).
#pragma once

#include <cstddef>
#include <cstdint>

#include "effconv/types.h"

namespace effconv {

/// What a plan must know of the card.
struct DeviceLimits {
    int multiprocessors = 132;
    std::int64_t sharedBytesPerBlock = 232448;  ///< opt-in maximum of dynamic shared memory of one block
    std::int64_t maxGridX = 2147483647;
    std::int64_t maxGridYZ = 65535;

    static constexpr DeviceLimits h200() { return {}; }
    static constexpr DeviceLimits turing() { return {40, 65536, 2147483647, 65535}; }
};

/// One launch of one kernel; blocks are one-dimensional.
struct KernelLaunch {
    const char* kernel = nullptr;
    std::uint32_t gridX = 1, gridY = 1, gridZ = 1;
    std::uint32_t threads = 0;
    std::uint32_t sharedBytes = 0;
};

/// Result of a plan function. workspaceBytes is what the parameter struct's workspace pointer must have room for.
struct Plan {
    static constexpr int kMaxLaunches = 4;
    Result result;
    int launchCount = 0;
    KernelLaunch launches[kMaxLaunches];
    std::int64_t workspaceBytes = 0;

    static Plan refused(const Result& why) {
        Plan plan;
        plan.result = why;
        return plan;
    }
    void add(const KernelLaunch& launch) { launches[launchCount++] = launch; }
};

}  // namespace effconv
