// Element-by-element operations: fill, conversion, scaled accumulation, activations, sum, dropout; fp32 and bf16.
//
//   ec_fill                      y = value, any type
//   ec_copy_to_*                 y = a, converted (bf16: to nearest, ties to even)
//   ec_accumulate_*              y += factor * a, types may differ; factor = value, or value / norm^2
//   ec_activation_*              y = act(a): ReLU, or GELU with the error function
//   ec_activation_gradient_*     y = b act'(a); ReLU's slope at 0 is 0, and NaN passes
//   ec_add_*                     y = act(a + b)
//   ec_dropout_*                 y = a keep / (1 - rate); keep of element i is word i of the stream (seed, 0) of
//   random.h
//
// A thread takes 8 neighbouring elements, with 16-byte accesses where every array is aligned to them, else one by one;
// the grid walks over the array. Dropout draws two random blocks for its 8 elements. Its seed, and the numbers that
// make accumulate's factor, may stand in device memory, so that a captured launch can be repeated with others.
//
// Floor: memory. dropout of 512 x 1024 bf16 on an H200 (4.3 TB/s): 0.5 us, so the launch is what it costs; ReLU of
// N 512, 64 channels, 32x32 in bf16: 31 us.
// Measured: not yet on a card.

#include "channel_vector.cuh"
#include "effconv/kernel_table.h"
#include "effconv/kernels/elementwise.h"
#include "effconv/random.h"

namespace effconv {
namespace {

constexpr int kPer = kElementwisePerThread;

__device__ __forceinline__ void loadWide(const float* from, float (&values)[kPer]) {
    float half[4];
    loadChannels(from, half);
#pragma unroll
    for (int i = 0; i < 4; ++i) values[i] = half[i];
    loadChannels(from + 4, half);
#pragma unroll
    for (int i = 0; i < 4; ++i) values[4 + i] = half[i];
}
__device__ __forceinline__ void loadWide(const std::uint16_t* from, float (&values)[kPer]) {
    loadChannels(from, values);
}
template <typename Value>
__device__ __forceinline__ void loadWide(const std::int32_t* from, Value (&values)[kPer]) {
#pragma unroll
    for (int half = 0; half < 2; ++half) {
        const int4 four = *reinterpret_cast<const int4*>(from + 4 * half);
        values[4 * half] = static_cast<Value>(four.x);
        values[4 * half + 1] = static_cast<Value>(four.y);
        values[4 * half + 2] = static_cast<Value>(four.z);
        values[4 * half + 3] = static_cast<Value>(four.w);
    }
}
template <typename Value>
__device__ __forceinline__ void loadWide(const std::uint8_t* from, Value (&values)[kPer]) {
    const uint2 bytes = *reinterpret_cast<const uint2*>(from);
#pragma unroll
    for (int i = 0; i < kPer; ++i) values[i] = static_cast<Value>((i < 4 ? bytes.x : bytes.y) >> (8 * (i % 4)) & 255u);
}

__device__ __forceinline__ void storeWide(float* to, const float (&values)[kPer]) {
    *reinterpret_cast<float4*>(to) = make_float4(values[0], values[1], values[2], values[3]);
    *reinterpret_cast<float4*>(to + 4) = make_float4(values[4], values[5], values[6], values[7]);
}
__device__ __forceinline__ void storeWide(std::uint16_t* to, const float (&values)[kPer]) {
    storeChannels(to, values);
}
__device__ __forceinline__ void storeWide(std::int32_t* to, const std::int32_t (&values)[kPer]) {
    *reinterpret_cast<int4*>(to) = make_int4(values[0], values[1], values[2], values[3]);
    *reinterpret_cast<int4*>(to + 4) = make_int4(values[4], values[5], values[6], values[7]);
}
__device__ __forceinline__ void storeWide(std::uint8_t* to, const std::int32_t (&values)[kPer]) {
    uint2 bytes = make_uint2(0, 0);
#pragma unroll
    for (int i = 0; i < kPer; ++i)
        (i < 4 ? bytes.x : bytes.y) |= static_cast<unsigned>(values[i] & 255) << (8 * (i % 4));
    *reinterpret_cast<uint2*>(to) = bytes;
}

template <typename Value>
__device__ __forceinline__ Value elementAs(float value) {
    return value;
}
template <typename Value>
__device__ __forceinline__ Value elementAs(std::uint16_t value) {
    return floatFromBf16(value);
}
template <typename Value>
__device__ __forceinline__ Value elementAs(std::int32_t value) {
    return static_cast<Value>(value);
}
template <typename Value>
__device__ __forceinline__ Value elementAs(std::uint8_t value) {
    return static_cast<Value>(value);
}

/// Up to eight elements from `from`; what lies beyond the array is 0.
template <typename T, typename Value>
__device__ __forceinline__ void load(const T* from, int count, bool wide, Value (&values)[kPer]) {
    if (wide && count == kPer) {
        loadWide(from, values);
        return;
    }
#pragma unroll
    for (int i = 0; i < kPer; ++i) values[i] = i < count ? elementAs<Value>(from[i]) : Value(0);
}

__device__ __forceinline__ void storeOne(float* to, float value) {
    *to = value;
}
__device__ __forceinline__ void storeOne(std::uint16_t* to, float value) {
    *to = fromFloat<std::uint16_t>(value);
}
__device__ __forceinline__ void storeOne(std::int32_t* to, std::int32_t value) {
    *to = value;
}
__device__ __forceinline__ void storeOne(std::uint8_t* to, std::int32_t value) {
    *to = static_cast<std::uint8_t>(value);
}

template <typename T, typename Value>
__device__ __forceinline__ void store(T* to, int count, bool wide, const Value (&values)[kPer]) {
    if (wide && count == kPer) {
        storeWide(to, values);
        return;
    }
#pragma unroll
    for (int i = 0; i < kPer; ++i) {
        if (i < count) storeOne(to + i, values[i]);
    }
}

/// Calls body(first element, how many) for every piece that the thread owns.
template <typename Body>
__device__ __forceinline__ void eachPiece(const ElementwiseParams& p, Body body) {
    const std::int64_t step = static_cast<std::int64_t>(gridDim.x) * kElementwiseThreads * kPer;
    std::int64_t first = (static_cast<std::int64_t>(blockIdx.x) * kElementwiseThreads + threadIdx.x) * kPer;
    for (; first < p.count; first += step) {
        const std::int64_t left = p.count - first;
        body(first, left < kPer ? static_cast<int>(left) : kPer);
    }
}

/// The array `a` at `first` as Values, of any type (integers take only integers).
template <typename Value>
__device__ __forceinline__ void loadAny(const ElementwiseParams& p, std::int64_t first, int count,
                                        Value (&values)[kPer]) {
    const bool wide = p.wide != 0;
    if (p.aType == kI32) return load(static_cast<const std::int32_t*>(p.a) + first, count, wide, values);
    if constexpr (Value(0.5f) != Value(0)) {
        if (p.aType == kF32) return load(static_cast<const float*>(p.a) + first, count, wide, values);
        if (p.aType == kBf16) return load(static_cast<const std::uint16_t*>(p.a) + first, count, wide, values);
    }
    load(static_cast<const std::uint8_t*>(p.a) + first, count, wide, values);
}

template <typename T, typename Value>
__device__ __forceinline__ void copy(const ElementwiseParams& p) {
    eachPiece(p, [&](std::int64_t first, int count) {
        Value values[kPer];
        loadAny(p, first, count, values);
        store(static_cast<T*>(p.y) + first, count, p.wide != 0, values);
    });
}

template <typename T>
__device__ __forceinline__ void accumulate(const ElementwiseParams& p) {
    double value = p.valuePointer != nullptr ? *p.valuePointer : p.value;
    if (p.normPointer != nullptr) {
#ifdef EC_FAULT_plain_norm
        value /= *p.normPointer;
#else
        const double norm = *p.normPointer;
        value /= norm * norm;
#endif
    }
    const float factor = static_cast<float>(value);
    eachPiece(p, [&](std::int64_t first, int count) {
        float added[kPer], values[kPer];
        if (p.aType == kBf16) {
            load(static_cast<const std::uint16_t*>(p.a) + first, count, p.wide != 0, added);
        } else {
            load(static_cast<const float*>(p.a) + first, count, p.wide != 0, added);
        }
        T* y = static_cast<T*>(p.y) + first;
        load(y, count, p.wide != 0, values);
#pragma unroll
        for (int i = 0; i < kPer; ++i) values[i] += factor * added[i];
        store(y, count, p.wide != 0, values);
    });
}

__device__ __forceinline__ float normalShare(float x) {
    return 0.5f * (1.0f + erff(x * 0.70710678f));
}

template <typename T>
__device__ __forceinline__ void activation(const ElementwiseParams& p) {
    eachPiece(p, [&](std::int64_t first, int count) {
        float x[kPer];
        load(static_cast<const T*>(p.a) + first, count, p.wide != 0, x);
        if (p.activation == kRelu) {
#pragma unroll
            for (int i = 0; i < kPer; ++i) x[i] = rectified(x[i]);
        } else if (p.activation == kGelu) {
#pragma unroll
            for (int i = 0; i < kPer; ++i) x[i] *= normalShare(x[i]);
        }
        store(static_cast<T*>(p.y) + first, count, p.wide != 0, x);
    });
}

template <typename T>
__device__ __forceinline__ void activationGradient(const ElementwiseParams& p) {
    eachPiece(p, [&](std::int64_t first, int count) {
        float x[kPer], gradient[kPer];
        load(static_cast<const T*>(p.a) + first, count, p.wide != 0, x);
        load(static_cast<const T*>(p.b) + first, count, p.wide != 0, gradient);
        if (p.activation == kRelu) {
#pragma unroll
            for (int i = 0; i < kPer; ++i) {
#ifdef EC_FAULT_wrong_slope
                gradient[i] = x[i] < 0.0f ? 0.0f : gradient[i];
#else
                gradient[i] = rectifiedGradient(x[i], gradient[i]);
#endif
            }
        } else if (p.activation == kGelu) {
#pragma unroll
            for (int i = 0; i < kPer; ++i) {
                gradient[i] *= normalShare(x[i]) + x[i] * (0.39894228f * expf(-0.5f * x[i] * x[i]));
            }
        }
        store(static_cast<T*>(p.y) + first, count, p.wide != 0, gradient);
    });
}

template <typename T>
__device__ __forceinline__ void add(const ElementwiseParams& p) {
    eachPiece(p, [&](std::int64_t first, int count) {
        float left[kPer], right[kPer];
        load(static_cast<const T*>(p.a) + first, count, p.wide != 0, left);
        load(static_cast<const T*>(p.b) + first, count, p.wide != 0, right);
#pragma unroll
        for (int i = 0; i < kPer; ++i) {
            left[i] += right[i];
            left[i] = p.activation == kRelu ? rectified(left[i]) : left[i];
        }
        store(static_cast<T*>(p.y) + first, count, p.wide != 0, left);
    });
}

template <typename T>
__device__ __forceinline__ void dropout(const ElementwiseParams& p) {
    const std::uint64_t seed = p.seedPointer != nullptr ? *p.seedPointer : p.seed;
    eachPiece(p, [&](std::int64_t first, int count) {
        float x[kPer];
        load(static_cast<const T*>(p.a) + first, count, p.wide != 0, x);
#pragma unroll
        for (int half = 0; half < 2; ++half) {
#ifdef EC_FAULT_repeated_draw
            const RandomBlock block = randomBlock(seed, 0, static_cast<std::uint64_t>(first) / 4);
#else
            const RandomBlock block = randomBlock(seed, 0, static_cast<std::uint64_t>(first) / 4 + half);
#endif
#pragma unroll
            for (int word = 0; word < 4; ++word) {
                // A product also where dropped, as on a CPU: 0 times NaN stays NaN.
                x[4 * half + word] *= uniformFromWord(block.word[word]) >= p.threshold ? p.factor : 0.0f;
            }
        }
        store(static_cast<T*>(p.y) + first, count, p.wide != 0, x);
    });
}

/// Fills in bytes: whole 16-byte words where y is aligned to them, the rest element by element.
__device__ __forceinline__ void fill(const ElementwiseParams& p) {
    const int bytes = p.yType == kBf16 ? 2 : p.yType == kU8 ? 1 : 4;
    const std::int64_t perWord = 16 / bytes;
    const std::int64_t words = p.wide != 0 ? p.count / perWord : 0;
    const std::int64_t step = static_cast<std::int64_t>(gridDim.x) * kElementwiseThreads;
    const std::int64_t start = static_cast<std::int64_t>(blockIdx.x) * kElementwiseThreads + threadIdx.x;
    const uint4 word = make_uint4(p.pattern, p.pattern, p.pattern, p.pattern);
    for (std::int64_t i = start; i < words; i += step) static_cast<uint4*>(p.y)[i] = word;
    for (std::int64_t i = words * perWord + start; i < p.count; i += step) {
        if (bytes == 4) {
            static_cast<std::uint32_t*>(p.y)[i] = p.pattern;
        } else if (bytes == 2) {
            static_cast<std::uint16_t*>(p.y)[i] = static_cast<std::uint16_t>(p.pattern);
        } else {
            static_cast<std::uint8_t*>(p.y)[i] = static_cast<std::uint8_t>(p.pattern);
        }
    }
}

}  // namespace

#define EC_ELEMENTWISE_KERNEL(name, ...)                                                                \
    extern "C" __global__ void __launch_bounds__(kElementwiseThreads) name(const ElementwiseParams p) { \
        __VA_ARGS__;                                                                                    \
    }

EC_ELEMENTWISE_KERNEL(ec_fill, fill(p))
EC_ELEMENTWISE_KERNEL(ec_copy_to_f32, copy<float, float>(p))
EC_ELEMENTWISE_KERNEL(ec_copy_to_bf16, copy<std::uint16_t, float>(p))
EC_ELEMENTWISE_KERNEL(ec_copy_to_i32, copy<std::int32_t, std::int32_t>(p))
EC_ELEMENTWISE_KERNEL(ec_copy_to_u8, copy<std::uint8_t, std::int32_t>(p))
EC_ELEMENTWISE_KERNEL(ec_accumulate_f32, accumulate<float>(p))
EC_ELEMENTWISE_KERNEL(ec_accumulate_bf16, accumulate<std::uint16_t>(p))
EC_ELEMENTWISE_KERNEL(ec_activation_f32, activation<float>(p))
EC_ELEMENTWISE_KERNEL(ec_activation_bf16, activation<std::uint16_t>(p))
EC_ELEMENTWISE_KERNEL(ec_activation_gradient_f32, activationGradient<float>(p))
EC_ELEMENTWISE_KERNEL(ec_activation_gradient_bf16, activationGradient<std::uint16_t>(p))
EC_ELEMENTWISE_KERNEL(ec_add_f32, add<float>(p))
EC_ELEMENTWISE_KERNEL(ec_add_bf16, add<std::uint16_t>(p))
EC_ELEMENTWISE_KERNEL(ec_dropout_f32, dropout<float>(p))
EC_ELEMENTWISE_KERNEL(ec_dropout_bf16, dropout<std::uint16_t>(p))

EC_KERNEL_TABLE(elementwise)

}  // namespace effconv
