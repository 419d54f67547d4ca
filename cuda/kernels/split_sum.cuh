// Second half of a weight gradient: partial sums of the splits, added in the order of the splits.
#pragma once

#include "element.cuh"

namespace effconv {

/// out[i] = partial[0][i] + partial[1][i] + ...; partial is [splits][count].
__device__ __forceinline__ void sumSplits(const float* partial, std::int64_t count, int splits, void* out,
                                          bool outIsBf16) {
    const std::int64_t step = static_cast<std::int64_t>(gridDim.x) * blockDim.x;
    for (std::int64_t i = static_cast<std::int64_t>(blockIdx.x) * blockDim.x + threadIdx.x; i < count; i += step) {
        float sum = 0.0f;
        for (int split = 0; split < splits; ++split) sum += partial[split * count + i];
        if (outIsBf16) {
            static_cast<std::uint16_t*>(out)[i] = fromFloat<std::uint16_t>(sum);
        } else {
            static_cast<float*>(out)[i] = sum;
        }
    }
}

}  // namespace effconv
