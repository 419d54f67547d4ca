// Sum over the lanes of a warp in a fixed order.
#pragma once

#include "effconv/device.h"

namespace effconv {

/// Butterfly over all 32 lanes; every lane gets the sum.
__device__ __forceinline__ float warpSum(float value) {
#pragma unroll
    for (int distance = 16; distance > 0; distance /= 2) value += __shfl_xor_sync(0xffffffffu, value, distance);
    return value;
}

}  // namespace effconv
