// Elements of fp32 (float) and bf16 (std::uint16_t bits) tensors, alone and in pairs.
#pragma once

#include "effconv/device.h"

namespace effconv {

__device__ __forceinline__ float toFloat(float value) {
    return value;
}
__device__ __forceinline__ float toFloat(std::uint16_t value) {
    return floatFromBf16(value);
}

template <typename T>
__device__ __forceinline__ T fromFloat(float value);
template <>
__device__ __forceinline__ float fromFloat<float>(float value) {
    return value;
}
template <>
__device__ __forceinline__ std::uint16_t fromFloat<std::uint16_t>(float value) {
    return static_cast<std::uint16_t>(packBf16(value, 0.0f));
}

/// Two neighbouring elements; the address is aligned to both.
__device__ __forceinline__ float2 loadPair(const float* address) {
    return *reinterpret_cast<const float2*>(address);
}
__device__ __forceinline__ float2 loadPair(const std::uint16_t* address) {
    const std::uint32_t bits = *reinterpret_cast<const std::uint32_t*>(address);
    return make_float2(__uint_as_float(bits << 16), __uint_as_float(bits & 0xffff0000u));
}
__device__ __forceinline__ void storePair(float* address, float2 value) {
    *reinterpret_cast<float2*>(address) = value;
}
__device__ __forceinline__ void storePair(std::uint16_t* address, float2 value) {
    *reinterpret_cast<std::uint32_t*>(address) = packBf16(value.x, value.y);
}

}  // namespace effconv
