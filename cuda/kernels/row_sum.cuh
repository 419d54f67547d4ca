// Sums over the rows of a block whose threads stand as [row][lane], in a fixed tree.
#pragma once

#include "effconv/device.h"

namespace effconv {

/// Adds the values of all rows of each lane; the threads of row 0 get the sums. `lanes` is a power of two; `shared` is
/// memory for kCount numbers per thread.
template <int kThreads, int kCount>
__device__ __forceinline__ void sumRows(float (&values)[kCount], int lanes, float* shared) {
    const int thread = static_cast<int>(threadIdx.x);
    const int row = thread / lanes;
#pragma unroll
    for (int i = 0; i < kCount; ++i) shared[i * kThreads + thread] = values[i];
    for (int half = kThreads / lanes / 2; half > 0; half /= 2) {
#ifndef EC_FAULT_dropped_barrier
        __syncthreads();
#endif
        if (row >= half) continue;
#pragma unroll
        for (int i = 0; i < kCount; ++i) shared[i * kThreads + thread] += shared[i * kThreads + thread + half * lanes];
    }
#pragma unroll
    for (int i = 0; i < kCount; ++i) values[i] = shared[i * kThreads + thread];
}

}  // namespace effconv
