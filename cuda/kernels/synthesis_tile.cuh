// The tile product of the weight synthesis kernels: shared memory, loaders, and the 8 x 4 product per thread.
#pragma once

#include "effconv/device.h"
#include "effconv/kernels/weight_synthesis.h"

namespace effconv {
namespace {

constexpr int kRowsPerThread = 8;
constexpr int kColumnsPerThread = 4;
constexpr int kLeftPitch = kSynthesisRows + 4;
constexpr int kRightPitch = kSynthesisColumns + 4;
static_assert(kRightPitch == kSynthesisTilePitch, "host and device agree on the staging tile");
static_assert(kSynthesisDepth * (kLeftPitch + kRightPitch) <= kSynthesisRows * kRightPitch,
              "slices fit under the staging");

/// The block's shared memory: the slices X [depth][rows] and Y [depth][columns] of a product; the finished tile
/// [rows][columns] is staged over them.
struct SharedTile {
    std::int64_t* columnBase;  ///< offset in w of (o, tap 0, i) per column
    float* left;
    float* right;
    float* staged;
    float* rowFactor;  ///< scale times mask per tap of the tile; also the scratch of blockSum
};

__device__ SharedTile sharedTile() {
    EC_DYN_SHARED(std::int64_t, memory);
    SharedTile tile;
    tile.columnBase = memory;
    tile.staged = reinterpret_cast<float*>(memory + kSynthesisColumns);
    tile.left = tile.staged;
    tile.right = tile.staged + kSynthesisDepth * kLeftPitch;
    tile.rowFactor = tile.staged + kSynthesisRows * kRightPitch;
    return tile;
}

/// The layer of a task, with the scale that holds in this launch.
__device__ __forceinline__ SynthesisLayer layerOf(const SynthesisParams& p, const SynthesisItem& item) {
    SynthesisLayer layer = p.layers[item.layer];
#ifndef EC_FAULT_own_scale
    if (p.scales != nullptr) layer.scale = p.scales[layer.sizeIndex];
#endif
    return layer;
}

__device__ __forceinline__ float loadWeight(const SynthesisParams& p, std::int64_t offset) {
    if (p.weightsAreBf16) return floatFromBf16(static_cast<const std::uint16_t*>(p.weightGradients)[offset]);
    return static_cast<const float*>(p.weightGradients)[offset];
}

__device__ __forceinline__ std::int64_t columnOffset(const SynthesisLayer& layer, std::int64_t column) {
    const int o = static_cast<int>(column) / layer.cin;
    const int i = static_cast<int>(column) - o * layer.cin;
    return layer.weightOffset + o * layer.weightStride + i;
}

/// Whether groups of `width` columns of w start on 16 bytes and stay within one output channel.
__device__ __forceinline__ bool weightsVectorise(const SynthesisLayer& layer, int width) {
    return layer.cin % width == 0 && layer.weightOffset % width == 0 && layer.weightStride % width == 0;
}

/// Few input channels: neighbouring addresses of w are neighbouring taps, not neighbouring columns.
__device__ __forceinline__ bool tapsAreFastest(const SynthesisLayer& layer) {
    return layer.cin < 32;
}

/// acc[r][c] += sum_k left[k][8 warp + r] * right[k][4 lane + c]
__device__ __forceinline__ void multiplySlice(const SharedTile& tile, float (&acc)[kRowsPerThread][kColumnsPerThread]) {
    const int warp = threadIdx.x / 32;
    const int lane = threadIdx.x % 32;
#pragma unroll 4
    for (int k = 0; k < kSynthesisDepth; ++k) {
        const float4* rows = reinterpret_cast<const float4*>(tile.left + k * kLeftPitch + warp * kRowsPerThread);
        const float4 low = rows[0];
        const float4 high = rows[1];
        const float4 y = *reinterpret_cast<const float4*>(tile.right + k * kRightPitch + lane * kColumnsPerThread);
        const float x[kRowsPerThread] = {low.x, low.y, low.z, low.w, high.x, high.y, high.z, high.w};
#pragma unroll
        for (int r = 0; r < kRowsPerThread; ++r) {
            acc[r][0] += x[r] * y.x;
            acc[r][1] += x[r] * y.y;
            acc[r][2] += x[r] * y.z;
            acc[r][3] += x[r] * y.w;
        }
    }
}

__device__ __forceinline__ void clear(float (&acc)[kRowsPerThread][kColumnsPerThread]) {
#pragma unroll
    for (int r = 0; r < kRowsPerThread; ++r) {
#pragma unroll
        for (int c = 0; c < kColumnsPerThread; ++c) acc[r][c] = 0.0f;
    }
}

/// right[k][c] = A[feature + k][column + c], zero outside.
__device__ void loadCoefficients(const SynthesisParams& p, const SynthesisLayer& layer, int feature,
                                 std::int64_t column, std::int64_t columns, const SharedTile& tile) {
    const bool vector = layer.coefficientOffset % 4 == 0 && layer.coefficientStride % 4 == 0;
    const std::int64_t n = column + 4 * (threadIdx.x % 32);
    for (int k = threadIdx.x / 32; k < kSynthesisDepth; k += kSynthesisThreads / 32) {
        const float* source = p.coefficients + layer.coefficientOffset + (feature + k) * layer.coefficientStride + n;
        float4 value = make_float4(0.0f, 0.0f, 0.0f, 0.0f);
        if (feature + k < layer.features) {
            if (vector && n + 4 <= columns) {
                value = *reinterpret_cast<const float4*>(source);
            } else {
                if (n < columns) value.x = source[0];
                if (n + 1 < columns) value.y = source[1];
                if (n + 2 < columns) value.z = source[2];
                if (n + 3 < columns) value.w = source[3];
            }
        }
        *reinterpret_cast<float4*>(tile.right + k * kRightPitch + 4 * (threadIdx.x % 32)) = value;
    }
}

/// right[k][c] = dw at (tap + k, column c of the tile), zero outside.
__device__ void loadWeightGradients(const SynthesisParams& p, const SynthesisLayer& layer, int tap, int liveColumns,
                                    const SharedTile& tile) {
    const int taps = layer.kgrid * layer.kgrid;
    const int warp = threadIdx.x / 32;
    const int lane = threadIdx.x % 32;
    if (!tapsAreFastest(layer) && weightsVectorise(layer, 4) && !p.weightsAreBf16) {
        const float* gradients = static_cast<const float*>(p.weightGradients);
        for (int k = warp; k < kSynthesisDepth; k += kSynthesisThreads / 32) {
            float4 value = make_float4(0.0f, 0.0f, 0.0f, 0.0f);
            if (tap + k < taps && 4 * lane < liveColumns) {
                value = *reinterpret_cast<const float4*>(gradients + tile.columnBase[4 * lane] +
                                                         static_cast<std::int64_t>(tap + k) * layer.cin);
            }
            *reinterpret_cast<float4*>(tile.right + k * kRightPitch + 4 * lane) = value;
        }
        return;
    }
    // Eight taps by four columns per warp (no two lanes meet in a bank) where neighbours in memory are taps; else 32
    // columns.
    const bool tapsFirst = tapsAreFastest(layer);
    for (int step = 0; step < kSynthesisDepth; ++step) {
        const int k = tapsFirst ? (step % 2) * 8 + lane % 8 : step;
        const int column = tapsFirst ? (step / 2) * 16 + warp * 4 + lane / 8 : warp * 32 + lane;
        const bool live = tap + k < taps && column < liveColumns;
        tile.right[k * kRightPitch + column] =
            live ? loadWeight(p, tile.columnBase[column] + static_cast<std::int64_t>(tap + k) * layer.cin) : 0.0f;
    }
}

}  // namespace
}  // namespace effconv
