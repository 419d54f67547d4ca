// From a kernel's name to a launch, for programs that link the kernels (tests, benchmark): the same table for nvcc and
// for the host shim. Every kernel takes exactly one parameter struct by value.
#pragma once

#include "effconv/launch.h"

namespace effconv {

/// Name, parameter-struct size, launch function of one kernel.
struct KernelEntry {
    const char* name;
    std::size_t parameterBytes;
    Result (*launch)(const LaunchPlan& shape, const void* parameters, void* stream);
};

/// The linked kernel of that name, or null.
const KernelEntry* findKernel(const char* name);

/// All linked kernels; count receives how many.
const KernelEntry* const* allKernels(int* count);

}  // namespace effconv
