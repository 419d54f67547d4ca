// What a plan function returns when an operation takes one launch or more, named so that any caller can issue them:
// from Java through the driver API, in the tests and the benchmark through findKernel().
#pragma once

#include "effconv/launch.h"

namespace effconv {

/// One launch of one kernel, which takes the family's parameter struct by value.
struct KernelLaunch {
    const char* kernel = nullptr;
    LaunchPlan shape;
};

/// A refusal with a readable message, or launches to issue in order on one stream.
struct LaunchSequence {
    static constexpr int kMaxLaunches = 4;
    Result result;
    int count = 0;
    KernelLaunch launches[kMaxLaunches];
    std::int64_t workspaceBytes = 0;  ///< what the parameter struct's workspace must have room for

    static LaunchSequence refused(const Result& why) {
        LaunchSequence sequence;
        sequence.result = why;
        return sequence;
    }

    /// Appends a launch, or turns the whole sequence into a refusal when the device cannot serve it.
    void add(const char* family, const char* kernel, const LaunchPlan& shape, const DeviceLimits& limits) {
        const Result check = checkPlan(family, shape, limits);
        if (!check.ok()) {
            *this = refused(check);
        } else if (result.ok()) {
            launches[count++] = {kernel, shape};
        }
    }
};

}  // namespace effconv
