// Layer normalisation over the last dimension, fp32 and bf16, any width, and its gradients.
//
//   ec_layer_norm_forward_*          x -> mean, invStd, y = scale (x - mean) invStd + shift
//   ec_layer_norm_parameter_sums_*   partial sums of dscale and dshift per column and split of the rows
//   ec_layer_norm_parameter_finish   joins the splits, in fp64
//   ec_layer_norm_gradient_*         dx = invStd (g - mean(g) - xhat mean(g xhat)), g = dy scale
//
// A warp owns a row of up to 1024 elements, a block a wider one; a row is read three times (the gradient: twice), the
// later times from the cache, so that any width is served without a register array. Squares are taken about the mean.
// Sums have a fixed order. 16-byte accesses where the width is a multiple of them.
//
// Floor: memory, one read and one write of the activations forward; two reads and a write, and two reads for the
// parameters, backward: 4096 rows of 1024 in bf16 on an H200 (4.3 TB/s): 3.9 us and 9.8 us. Measured: not yet on a
// card.

#include "block_sum.cuh"
#include "channel_vector.cuh"
#include "effconv/kernel_table.h"
#include "effconv/kernels/layer_norm.h"
#include "warp_sum.cuh"

namespace effconv {
namespace {

/// The threads that own a row: a warp, or the block.
struct RowTeam {
    std::int64_t row;
    int thread, threads;
    float* scratch;  ///< of the block, for kLayerNormThreads floats
};

__device__ __forceinline__ RowTeam teamOf(const LayerNormParams& p, float* shared) {
    const int thread = static_cast<int>(threadIdx.x);
    if (p.wideRows) return {static_cast<std::int64_t>(blockIdx.x), thread, kLayerNormThreads, shared};
    return {static_cast<std::int64_t>(blockIdx.x) * (kLayerNormThreads / 32) + thread / 32, thread % 32, 32, shared};
}

__device__ __forceinline__ float teamSum(const RowTeam& team, float value) {
    return team.threads == 32 ? warpSum(value) : blockSum<kLayerNormThreads>(value, team.scratch);
}

/// Calls body(first element) for every access of the thread; all accesses of a row hold kVector elements.
template <int kVector, typename Body>
__device__ __forceinline__ void eachAccess(const LayerNormParams& p, const RowTeam& team, Body body) {
    for (int i = team.thread * kVector; i < p.width; i += team.threads * kVector) body(i);
}

template <typename T, int kVector>
__device__ __forceinline__ void forward(const LayerNormParams& p) {
    EC_DYN_SHARED(float, shared);
    const RowTeam team = teamOf(p, shared);
    if (team.row >= p.rows) return;  // a whole warp, and never where the block owns the row
    const T* x = static_cast<const T*>(p.x) + team.row * p.width;
    T* y = static_cast<T*>(p.y) + team.row * p.width;
    const float share = 1.0f / static_cast<float>(p.width);
    float sum = 0.0f;
    eachAccess<kVector>(p, team, [&](int first) {
        float value[kVector];
        loadChannels(x + first, value);
#pragma unroll
        for (int i = 0; i < kVector; ++i) sum += value[i];
    });
    const float mean = teamSum(team, sum) * share;
    float squares = 0.0f;
    eachAccess<kVector>(p, team, [&](int first) {
        float value[kVector];
        loadChannels(x + first, value);
#pragma unroll
        for (int i = 0; i < kVector; ++i) squares += (value[i] - mean) * (value[i] - mean);
    });
    const float invStd = 1.0f / sqrtf(teamSum(team, squares) * share + p.epsilon);
    eachAccess<kVector>(p, team, [&](int first) {
        float value[kVector];
        loadChannels(x + first, value);
#pragma unroll
        for (int i = 0; i < kVector; ++i) {
            value[i] = (value[i] - mean) * invStd * p.scale[first + i] + p.shift[first + i];
        }
        storeChannels(y + first, value);
    });
    if (team.thread != 0) return;
    p.mean[team.row] = mean;
    p.invStd[team.row] = invStd;
}

template <typename T, int kVector>
__device__ __forceinline__ void gradient(const LayerNormParams& p) {
    EC_DYN_SHARED(float, shared);
    const RowTeam team = teamOf(p, shared);
    if (team.row >= p.rows) return;  // a whole warp, and never where the block owns the row
    const T* x = static_cast<const T*>(p.x) + team.row * p.width;
    const T* dy = static_cast<const T*>(p.dy) + team.row * p.width;
    T* dx = static_cast<T*>(p.dx) + team.row * p.width;
    const float share = 1.0f / static_cast<float>(p.width);
    const float mean = p.mean[team.row];
    const float invStd = p.invStd[team.row];
    float sum = 0.0f, product = 0.0f;
    eachAccess<kVector>(p, team, [&](int first) {
        float value[kVector], g[kVector];
        loadChannels(x + first, value);
        loadChannels(dy + first, g);
#pragma unroll
        for (int i = 0; i < kVector; ++i) {
            const float scaled = g[i] * p.scale[first + i];
            sum += scaled;
            product += scaled * ((value[i] - mean) * invStd);
        }
    });
    const float plain = teamSum(team, sum) * share;
#ifdef EC_FAULT_forgotten_product
    const float weighted = 0.0f;
#else
    const float weighted = teamSum(team, product) * share;
#endif
    eachAccess<kVector>(p, team, [&](int first) {
        float value[kVector], g[kVector];
        loadChannels(x + first, value);
        loadChannels(dy + first, g);
#pragma unroll
        for (int i = 0; i < kVector; ++i) {
            const float normalised = (value[i] - mean) * invStd;
            value[i] = invStd * (g[i] * p.scale[first + i] - plain - normalised * weighted);
        }
        storeChannels(dx + first, value);
    });
}

template <typename T>
__device__ __forceinline__ void parameterSums(const LayerNormParams& p) {
    EC_DYN_SHARED(float, shared);
    constexpr int kRows = kLayerNormThreads / kLayerNormColumns;
    const int columnBlocks = (p.width + kLayerNormColumns - 1) / kLayerNormColumns;
    const int split = static_cast<int>(blockIdx.x) / columnBlocks;
    const int thread = static_cast<int>(threadIdx.x);
    const int column = static_cast<int>(blockIdx.x) % columnBlocks * kLayerNormColumns + thread % kLayerNormColumns;
    const int row = thread / kLayerNormColumns;
    const std::int64_t last = p.rows * (split + 1) / p.splits;
    float scale = 0.0f, shift = 0.0f;
    for (std::int64_t at = p.rows * split / p.splits + row; column < p.width && at < last; at += kRows) {
        const float g = toFloat(static_cast<const T*>(p.dy)[at * p.width + column]);
        const float value = toFloat(static_cast<const T*>(p.x)[at * p.width + column]);
        scale += g * ((value - p.mean[at]) * p.invStd[at]);
        shift += g;
    }
    shared[thread] = scale;
    shared[kLayerNormThreads + thread] = shift;
#ifndef EC_FAULT_dropped_barrier
    __syncthreads();
#endif
    if (row != 0 || column >= p.width) return;
    for (int other = 1; other < kRows; ++other) {
        scale += shared[other * kLayerNormColumns + thread];
        shift += shared[kLayerNormThreads + other * kLayerNormColumns + thread];
    }
    float* out = p.workspace + static_cast<std::int64_t>(split) * 2 * p.width + column;
    out[0] = scale;
    out[p.width] = shift;
}

}  // namespace

EC_CHANNEL_KERNELS(ec_layer_norm_forward, forward, LayerNormParams, kLayerNormThreads)
EC_CHANNEL_KERNELS(ec_layer_norm_gradient, gradient, LayerNormParams, kLayerNormThreads)

extern "C" __global__ void __launch_bounds__(kLayerNormThreads)
    ec_layer_norm_parameter_sums_f32(const LayerNormParams p) {
    parameterSums<float>(p);
}
extern "C" __global__ void __launch_bounds__(kLayerNormThreads)
    ec_layer_norm_parameter_sums_bf16(const LayerNormParams p) {
    parameterSums<std::uint16_t>(p);
}
extern "C" __global__ void __launch_bounds__(kLayerNormColumns)
    ec_layer_norm_parameter_finish(const LayerNormParams p) {
    const int column = static_cast<int>(blockIdx.x) * kLayerNormColumns + static_cast<int>(threadIdx.x);
    if (column >= p.width) return;
    double scale = 0.0, shift = 0.0;
    for (int split = 0; split < p.splits; ++split) {
        scale += p.workspace[static_cast<std::int64_t>(split) * 2 * p.width + column];
        shift += p.workspace[(static_cast<std::int64_t>(split) * 2 + 1) * p.width + column];
    }
    p.dscale[column] = static_cast<float>(scale);
    p.dshift[column] = static_cast<float>(shift);
}

EC_KERNEL_TABLE(layer_norm)

}  // namespace effconv
