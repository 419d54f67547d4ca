// One optimiser step over all tensors: AdamW and SGD with momentum, fp32 masters, bf16 copies, clipping by global norm.
//
//   ec_optimizer_norm   gradients -> global L2 norm (only where clipping is on, or the norm is wanted)
//   ec_optimizer_step   every tensor of the table updated in one launch
//
// Formulas: effconv/optimizer.h. A block owns 2048 elements of one tensor and moves them in 16-byte pieces; the tail of
// a tensor goes element by element. The norm is the sum of one partial sum per block, added in the order of the table
// by the block that ends last (integer counter), in double: no float atomics, equal bits in every run.
//
// Floor: memory. AdamW moves 28 bytes an element (30 with a bf16 copy; SGD 20), the norm another 4: on an H200 (4.3
// TB/s) 2 us for ResNet-20, 80 us for 11 million parameters. Measured: not yet on a card.

#include "block_sum.cuh"
#include "effconv/kernel_table.h"
#include "effconv/kernels/optimizer.h"

namespace effconv {
namespace {

constexpr int kPerAccess = 4;

/// Four elements or fewer of a tensor's arrays, as registers.
struct Piece {
    float gradient[kPerAccess];
    float parameter[kPerAccess];
    float first[kPerAccess];
    float second[kPerAccess];
};

__device__ __forceinline__ void unpack(const float4& from, float (&to)[kPerAccess]) {
    to[0] = from.x;
    to[1] = from.y;
    to[2] = from.z;
    to[3] = from.w;
}

__device__ __forceinline__ float4 pack(const float (&from)[kPerAccess]) {
    return make_float4(from[0], from[1], from[2], from[3]);
}

__device__ __forceinline__ void loadGradients(const OptimizerTensor& tensor, std::int64_t index, int count,
                                              float (&gradient)[kPerAccess]) {
    if (tensor.gradientIsBf16) {
        const std::uint16_t* source = static_cast<const std::uint16_t*>(tensor.gradient) + index;
        if (count == kPerAccess) {
            const uint2 bits = *reinterpret_cast<const uint2*>(source);
            gradient[0] = __uint_as_float(bits.x << 16);
            gradient[1] = __uint_as_float(bits.x & 0xffff0000u);
            gradient[2] = __uint_as_float(bits.y << 16);
            gradient[3] = __uint_as_float(bits.y & 0xffff0000u);
            return;
        }
#pragma unroll
        for (int e = 0; e < kPerAccess; ++e) gradient[e] = e < count ? floatFromBf16(source[e]) : 0.0f;
        return;
    }
    const float* source = static_cast<const float*>(tensor.gradient) + index;
    if (count == kPerAccess) {
        unpack(*reinterpret_cast<const float4*>(source), gradient);
        return;
    }
#pragma unroll
    for (int e = 0; e < kPerAccess; ++e) gradient[e] = e < count ? source[e] : 0.0f;
}

__device__ __forceinline__ void loadFloats(const float* source, int count, float (&values)[kPerAccess]) {
    if (count == kPerAccess) {
        unpack(*reinterpret_cast<const float4*>(source), values);
        return;
    }
#pragma unroll
    for (int e = 0; e < kPerAccess; ++e) values[e] = e < count ? source[e] : 0.0f;
}

__device__ __forceinline__ void storeFloats(float* target, int count, const float (&values)[kPerAccess]) {
    if (count == kPerAccess) {
        *reinterpret_cast<float4*>(target) = pack(values);
        return;
    }
#pragma unroll
    for (int e = 0; e < kPerAccess; ++e) {
        if (e < count) target[e] = values[e];
    }
}

__device__ __forceinline__ void storeCopy(std::uint16_t* target, int count, const float (&values)[kPerAccess]) {
    if (count == kPerAccess) {
        uint2 bits;
        bits.x = packBf16(values[0], values[1]);
        bits.y = packBf16(values[2], values[3]);
        *reinterpret_cast<uint2*>(target) = bits;
        return;
    }
#pragma unroll
    for (int e = 0; e < kPerAccess; ++e) {
        if (e < count) target[e] = bf16FromFloat(values[e]);
    }
}

/// Number of elements, at most four, that the tensor still has from `index` on.
__device__ __forceinline__ int remaining(const OptimizerTensor& tensor, std::int64_t index) {
    const std::int64_t left = tensor.count - index;
    return left >= kPerAccess ? kPerAccess : static_cast<int>(left);
}

__device__ void update(const OptimizerGroup& group, float factor, Piece& piece) {
    if (group.kind == kSgd) {
        const SgdStep<float> step = {group.learningRate, group.beta1, group.weightDecay, group.nesterov != 0};
#pragma unroll
        for (int e = 0; e < kPerAccess; ++e) {
            sgdUpdate(step, factor * piece.gradient[e], piece.parameter[e], piece.first[e]);
        }
        return;
    }
#ifdef EC_FAULT_wrong_correction
    const float correction2 = group.correction1;
#else
    const float correction2 = group.correction2;
#endif
    const AdamWStep<float> step = {group.learningRate, group.beta1,       group.beta2, group.epsilon,
                                   group.weightDecay,  group.correction1, correction2};
#pragma unroll
    for (int e = 0; e < kPerAccess; ++e) {
        adamWUpdate(step, factor * piece.gradient[e], piece.parameter[e], piece.first[e], piece.second[e]);
    }
}

}  // namespace
}  // namespace effconv

using namespace effconv;

extern "C" __global__ void __launch_bounds__(kOptimizerThreads) ec_optimizer_norm(const OptimizerParams p) {
    EC_DYN_SHARED(double, scratch);
    int* ticket = reinterpret_cast<int*>(scratch + kOptimizerThreads);
    const OptimizerChunk chunk = p.chunks[blockIdx.x];
    const OptimizerTensor tensor = p.tensors[chunk.tensor];
    double sum = 0.0;  // a square overflows a float from 2e19 on
    for (int piece = 0; piece < kOptimizerChunk; piece += kOptimizerThreads * kPerAccess) {
        const std::int64_t index = chunk.start + piece + kPerAccess * static_cast<int>(threadIdx.x);
        if (index >= tensor.count) break;
        float gradient[kPerAccess];
        loadGradients(tensor, index, remaining(tensor, index), gradient);
#pragma unroll
        for (int e = 0; e < kPerAccess; ++e) sum += static_cast<double>(gradient[e]) * gradient[e];
    }
    const double blockTotal = blockSum<kOptimizerThreads>(sum, scratch);
    if (threadIdx.x == 0) {
        p.partials[blockIdx.x] = blockTotal;
        __threadfence();
        *ticket = atomicAdd(p.counter, 1);
        __threadfence();
    }
#ifndef EC_FAULT_dropped_barrier
    __syncthreads();
#endif
    if (*ticket != static_cast<int>(p.chunkCount - 1)) return;
    const volatile double* partials = p.partials;
    double total = 0.0;
    for (std::int64_t index = threadIdx.x; index < p.chunkCount; index += kOptimizerThreads) total += partials[index];
    total = blockSum<kOptimizerThreads>(total, scratch);
    if (threadIdx.x == 0) {
        *p.norm = static_cast<float>(sqrt(total));
        *p.counter = 0;
    }
}

extern "C" __global__ void __launch_bounds__(kOptimizerThreads) ec_optimizer_step(const OptimizerParams p) {
    const OptimizerChunk chunk = p.chunks[blockIdx.x];
    const OptimizerTensor tensor = p.tensors[chunk.tensor];
    const OptimizerGroup group = p.groups[tensor.group];
    const float factor = p.clipNorm > 0.0f ? clipFactor(*p.norm, p.clipNorm) : 1.0f;
    const bool hasSecond = group.kind == kAdamW;
#pragma unroll
    for (int offset = 0; offset < kOptimizerChunk; offset += kOptimizerThreads * kPerAccess) {
        const std::int64_t index = chunk.start + offset + kPerAccess * static_cast<int>(threadIdx.x);
        if (index >= tensor.count) return;
        const int count = remaining(tensor, index);
        Piece piece;
        loadGradients(tensor, index, count, piece.gradient);
        loadFloats(tensor.parameter + index, count, piece.parameter);
        loadFloats(tensor.first + index, count, piece.first);
        if (hasSecond) loadFloats(tensor.second + index, count, piece.second);
        update(group, factor, piece);
        storeFloats(tensor.parameter + index, count, piece.parameter);
        storeFloats(tensor.first + index, count, piece.first);
        if (hasSecond) storeFloats(tensor.second + index, count, piece.second);
        if (tensor.copy != nullptr) storeCopy(tensor.copy + index, count, piece.parameter);
    }
}

namespace effconv {
EC_KERNEL_TABLE(optimizer)
}
