// Sums over a block in a fixed order: every run adds the same numbers in the same order.
#pragma once

#include "effconv/device.h"

namespace effconv {

/// Sum of `value` over the kThreads threads of a block (a power of two); every thread gets it. `scratch` is shared
/// memory for one number per thread and free again on return.
template <int kThreads, typename Real>
__device__ Real blockSum(Real value, Real* scratch) {
    static_assert((kThreads & (kThreads - 1)) == 0, "the tree halves the block");
    scratch[threadIdx.x] = value;
    __syncthreads();
    for (int half = kThreads / 2; half > 0; half /= 2) {
        if (static_cast<int>(threadIdx.x) < half) scratch[threadIdx.x] += scratch[threadIdx.x + half];
        __syncthreads();
    }
    const Real sum = scratch[0];
    __syncthreads();
    return sum;
}

}  // namespace effconv
