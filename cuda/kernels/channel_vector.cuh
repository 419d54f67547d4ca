// Neighbouring channels of an NHWC tensor as floats: 16 bytes in one access where the shape allows it, else one
// element.
#pragma once

#include "element.cuh"

namespace effconv {

template <int kCount, typename T>
__device__ __forceinline__ void loadChannels(const T* source, float (&values)[kCount]) {
    if constexpr (kCount == 1) {
        values[0] = toFloat(source[0]);
    } else if constexpr (sizeof(T) == 4) {
        static_assert(kCount == 4, "16 bytes");
        const float4 four = *reinterpret_cast<const float4*>(source);
        values[0] = four.x;
        values[1] = four.y;
        values[2] = four.z;
        values[3] = four.w;
    } else {
        static_assert(kCount == 8, "16 bytes");
        const uint4 bits = *reinterpret_cast<const uint4*>(source);
        const std::uint32_t word[4] = {bits.x, bits.y, bits.z, bits.w};
#pragma unroll
        for (int i = 0; i < 4; ++i) {
            values[2 * i] = __uint_as_float(word[i] << 16);
            values[2 * i + 1] = __uint_as_float(word[i] & 0xffff0000u);
        }
    }
}

template <int kCount, typename T>
__device__ __forceinline__ void storeChannels(T* target, const float (&values)[kCount]) {
    if constexpr (kCount == 1) {
        target[0] = fromFloat<T>(values[0]);
    } else if constexpr (sizeof(T) == 4) {
        *reinterpret_cast<float4*>(target) = make_float4(values[0], values[1], values[2], values[3]);
    } else {
        *reinterpret_cast<uint4*>(target) = make_uint4(packBf16(values[0], values[1]), packBf16(values[2], values[3]),
                                                       packBf16(values[4], values[5]), packBf16(values[6], values[7]));
    }
}

}  // namespace effconv

/// Kernels name_f32 and name_bf16, which call body<type, channels of one access>(p) as the plan chose p.vector.
#define EC_CHANNEL_KERNELS(name, body, Parameters, threads)                                    \
    extern "C" __global__ void __launch_bounds__(threads, 2) name##_f32(const Parameters p) {  \
        p.vector == 4 ? body<float, 4>(p) : body<float, 1>(p);                                 \
    }                                                                                          \
    extern "C" __global__ void __launch_bounds__(threads, 2) name##_bf16(const Parameters p) { \
        p.vector == 8 ? body<std::uint16_t, 8>(p) : body<std::uint16_t, 1>(p);                 \
    }
