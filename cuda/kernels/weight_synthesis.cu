// Weight synthesis: masked convolution weights for all layers in one launch, and their gradients in two.
//
//   ec_weight_synthesis_forward    H, A (or T), v -> w, KRSC, fp32 or bf16
//   ec_weight_synthesis_backward   dw -> dA (or dT), and partial sums of G = dw^T A per layer
//   ec_weight_synthesis_reduce     partial sums -> dH, dv, in a fixed order
//
// Formulas: effconv/synthesis.h. w^ is never stored, nor is it recomputed: dv needs only <H, G>. One grid per launch
// over a work table (planSynthesis); each block forms a 32 x 128 tile of a product in registers, 8 x 4 per thread, with
// slices of depth 16 in shared memory:
//   forward   taps x columns, summed over features        A is read once per 32 taps, w is written once
//   dA        features x columns, summed over taps        dw is read once per 32 features
//   G         features x taps, summed over columns        at most 64 partial sums per layer
// All sums are fp32 in a fixed order; the path to dv is fp32 end to end. No float atomics: the last block of a layer to
// finish (integer counter) adds the layer's shares of dv in the order of the table.
//
// Floor on an H200 (67 TFLOP/s fp32, 4.3 TB/s): 2 h flops a weight forward, 4 h backward; ResNet-20 with h = 32 and
// k = 5 / 11 / 21: 0.7 / 3.5 / 13 us forward by arithmetic, twice that backward; a launch is about 4 us.
// Measured: not yet on a card.

#include "block_sum.cuh"
#include "effconv/kernel_table.h"
#include "effconv/kernels/weight_synthesis.h"
#include "synthesis_tile.cuh"

namespace effconv {
namespace {

/// The staged tile, in fp32, to w in its own type: rows are taps from `firstTap`, columns are (o, i) pairs.
template <typename Stored>
__device__ void storeWeights(const SynthesisLayer& layer, int firstTap, int liveColumns, const SharedTile& tile,
                             Stored* weights) {
    constexpr int kVector = 16 / sizeof(Stored);
    const int taps = layer.kgrid * layer.kgrid;
    const bool vector = weightsVectorise(layer, kVector);
    const int width = vector ? kVector : 1;
    const int groups = kSynthesisColumns / width;
    const bool tapsFirst = tapsAreFastest(layer);
    for (int e = threadIdx.x; e < kSynthesisRows * groups; e += kSynthesisThreads) {
        const int row = tapsFirst ? e % kSynthesisRows : e / groups;
        const int column = (tapsFirst ? e / kSynthesisRows : e % groups) * width;
        if (firstTap + row >= taps || column >= liveColumns) continue;
        const float* source = tile.staged + row * kRightPitch + column;
        Stored* target = weights + tile.columnBase[column] + static_cast<std::int64_t>(firstTap + row) * layer.cin;
        if constexpr (sizeof(Stored) == 4) {
            if (vector) {
                *reinterpret_cast<float4*>(target) = *reinterpret_cast<const float4*>(source);
            } else {
                *target = *source;
            }
        } else if (vector) {
            uint4 packed;
            packed.x = packBf16(source[0], source[1]);
            packed.y = packBf16(source[2], source[3]);
            packed.z = packBf16(source[4], source[5]);
            packed.w = packBf16(source[6], source[7]);
            *reinterpret_cast<uint4*>(target) = packed;
        } else {
            *target = bf16FromFloat(*source);
        }
    }
}

/// The tile's share of <H, A> for the forward pass, left staged with the mask applied.
__device__ void productTile(const SynthesisParams& p, const SynthesisLayer& layer, const SynthesisItem& item,
                            std::int64_t columns, const SharedTile& tile) {
    const int taps = layer.kgrid * layer.kgrid;
    float acc[kRowsPerThread][kColumnsPerThread];
    clear(acc);
    for (int feature = 0; feature < layer.features; feature += kSynthesisDepth) {
        loadCoefficients(p, layer, feature, item.column, columns, tile);
        for (int e = threadIdx.x; e < kSynthesisRows * kSynthesisDepth; e += kSynthesisThreads) {
            const int k = e % kSynthesisDepth;
            const int row = e / kSynthesisDepth;
            const bool live = feature + k < layer.features && item.first + row < taps;
            tile.left[k * kLeftPitch + row] =
                live ? p.features[layer.featureOffset + (item.first + row) * layer.featureStride + feature + k] : 0.0f;
        }
#ifndef EC_FAULT_dropped_barrier
        __syncthreads();
#endif
        multiplySlice(tile, acc);
        __syncthreads();
    }
    const int firstRow = (threadIdx.x / 32) * kRowsPerThread;
#pragma unroll
    for (int r = 0; r < kRowsPerThread; ++r) {
        const float factor = tile.rowFactor[firstRow + r];
        // A masked tap is an exact zero, whatever the features hold.
        const bool off = factor == 0.0f;
        const float4 value = make_float4(off ? 0.0f : factor * acc[r][0], off ? 0.0f : factor * acc[r][1],
                                         off ? 0.0f : factor * acc[r][2], off ? 0.0f : factor * acc[r][3]);
        *reinterpret_cast<float4*>(tile.staged + (firstRow + r) * kRightPitch + 4 * (threadIdx.x % 32)) = value;
    }
}

/// The tile's crop of the elastic table, left staged with the mask applied.
__device__ void elasticTile(const SynthesisParams& p, const SynthesisLayer& layer, const SynthesisItem& item,
                            int liveColumns, const SharedTile& tile) {
    const int taps = layer.kgrid * layer.kgrid;
    const bool tapsFirst = tapsAreFastest(layer);
    for (int e = threadIdx.x; e < kSynthesisRows * kSynthesisColumns; e += kSynthesisThreads) {
        const int row = tapsFirst ? e % kSynthesisRows : e / kSynthesisColumns;
        const int column = tapsFirst ? e / kSynthesisRows : e % kSynthesisColumns;
        float value = 0.0f;
        if (column < liveColumns && item.first + row < taps && tile.rowFactor[row] != 0.0f) {
            const int n = static_cast<int>(item.column) + column;
            const int o = n / layer.cin;
            value =
                tile.rowFactor[row] * p.coefficients[elasticTapOffset(layer, o, item.first + row) + n - o * layer.cin];
        }
        tile.staged[row * kRightPitch + column] = value;
    }
}

__device__ void coefficientTile(const SynthesisParams& p, const SynthesisLayer& layer, const SynthesisItem& item,
                                std::int64_t columns, int liveColumns, const SharedTile& tile) {
    const int taps = layer.kgrid * layer.kgrid;
    const float v = p.sizes[layer.sizeIndex];
    const int warp = threadIdx.x / 32;
    const int lane = threadIdx.x % 32;
    float acc[kRowsPerThread][kColumnsPerThread];
    clear(acc);
    for (int tap = 0; tap < taps; tap += kSynthesisDepth) {
        float left[kSynthesisDepth / 4];
        bool live = false;
        for (int step = 0; step < kSynthesisDepth / 4; ++step) {
            const int t = tap + warp + 4 * step;
            const float factor = t < taps ? layer.scale * tapMask(layer, t, v).m : 0.0f;
            left[step] = 0.0f;
            if (factor != 0.0f && item.first + lane < layer.features) {
                left[step] = factor * p.features[layer.featureOffset + t * layer.featureStride + item.first + lane];
            }
            live = live || factor != 0.0f;
        }
        // The barrier also keeps the slices of the round before until everybody has read them.
        if (!__syncthreads_or(live)) continue;
        for (int step = 0; step < kSynthesisDepth / 4; ++step) {
            tile.left[(warp + 4 * step) * kLeftPitch + lane] = left[step];
        }
        loadWeightGradients(p, layer, tap, liveColumns, tile);
        __syncthreads();
        multiplySlice(tile, acc);
    }
    const bool vector = layer.coefficientGradientOffset % 4 == 0 && layer.coefficientStride % 4 == 0;
    const std::int64_t n = item.column + 4 * lane;
#pragma unroll
    for (int r = 0; r < kRowsPerThread; ++r) {
        const int f = item.first + warp * kRowsPerThread + r;
        if (f >= layer.features) break;
        float* target = p.coefficientGradients + layer.coefficientGradientOffset + f * layer.coefficientStride + n;
        if (vector && n + 4 <= columns) {
            *reinterpret_cast<float4*>(target) = make_float4(acc[r][0], acc[r][1], acc[r][2], acc[r][3]);
            continue;
        }
#pragma unroll
        for (int c = 0; c < kColumnsPerThread; ++c) {
            if (n + c < columns) target[c] = acc[r][c];
        }
    }
}

__device__ void featureTile(const SynthesisParams& p, const SynthesisLayer& layer, const SynthesisItem& item,
                            const SharedTile& tile) {
    const int taps = layer.kgrid * layer.kgrid;
    const int warp = threadIdx.x / 32;
    const int lane = threadIdx.x % 32;
    float acc[kRowsPerThread][kColumnsPerThread];
    clear(acc);
    for (std::int64_t n = item.column; n < item.columnEnd; n += kSynthesisDepth) {
        for (int e = threadIdx.x; e < kSynthesisRows * kSynthesisDepth; e += kSynthesisThreads) {
            const int k = e % kSynthesisDepth;
            const int f = item.first + e / kSynthesisDepth;
            const bool live = f < layer.features && n + k < item.columnEnd;
            tile.left[k * kLeftPitch + e / kSynthesisDepth] =
                live ? p.coefficients[layer.coefficientOffset + f * layer.coefficientStride + n + k] : 0.0f;
        }
        for (int half = 0; half < kSynthesisDepth / 8; ++half) {
            const int k = half * 8 + lane % 8;
            const bool inside = n + k < item.columnEnd;
            const std::int64_t base = inside ? columnOffset(layer, n + k) : 0;
            for (int step = 0; step < kSynthesisColumns / 16; ++step) {
                const int column = step * 16 + warp * 4 + lane / 8;
                const int t = item.tap + column;
                tile.right[k * kRightPitch + column] =
                    inside && t < taps ? loadWeight(p, base + static_cast<std::int64_t>(t) * layer.cin) : 0.0f;
            }
        }
        __syncthreads();
        multiplySlice(tile, acc);
        __syncthreads();
    }
    float* G = p.workspace + item.partial;
    const int f = item.first + warp * kRowsPerThread;
#pragma unroll
    for (int c = 0; c < kColumnsPerThread; ++c) {
        const int t = item.tap + lane * kColumnsPerThread + c;
        if (t >= taps) break;
#pragma unroll
        for (int r = 0; r < kRowsPerThread; ++r) {
            if (f + r < layer.features) G[static_cast<std::int64_t>(t) * layer.features + f + r] = acc[r][c];
        }
    }
}

/// Backward of the elastic source: dT of the tile, zero outside the crop, and the tile's share of dv.
__device__ void elasticGradientTile(const SynthesisParams& p, const SynthesisLayer& layer, const SynthesisItem& item,
                                    int liveColumns, const SharedTile& tile) {
    const int margin = (layer.kmax - layer.kgrid) / 2;
    const float v = p.sizes[layer.sizeIndex];
    const bool tapsFirst = tapsAreFastest(layer);
    float share = 0.0f;
    for (int e = threadIdx.x; e < kSynthesisRows * kSynthesisColumns; e += kSynthesisThreads) {
        const int column = tapsFirst ? e / kSynthesisRows : e % kSynthesisColumns;
        const int q = item.first + (tapsFirst ? e % kSynthesisRows : e / kSynthesisColumns);
        if (column >= liveColumns || q >= layer.kmax * layer.kmax) continue;
        const int row = q / layer.kmax - margin;
        const int along = q % layer.kmax - margin;
        const bool inside = row >= 0 && row < layer.kgrid && along >= 0 && along < layer.kgrid;
        const int tap = row * layer.kgrid + along;
        const MaskValue<float> value = inside ? tapMask(layer, tap, v) : MaskValue<float>{0.0f, 0.0f};
        const int n = static_cast<int>(item.column) + column;
        const int o = n / layer.cin;
        const std::int64_t inTable =
            o * layer.coefficientStride + static_cast<std::int64_t>(q) * layer.cin + (n - o * layer.cin);
        float gradient = 0.0f;
        if (value.m != 0.0f || value.dm != 0.0f) {
            const float g = loadWeight(p, tile.columnBase[column] + static_cast<std::int64_t>(tap) * layer.cin);
            gradient = layer.scale * value.m * g;
            share += layer.scale * value.dm * g * p.coefficients[layer.coefficientOffset + inTable];
        }
        p.coefficientGradients[layer.coefficientGradientOffset + inTable] = gradient;
    }
    share = blockSum<kSynthesisThreads>(share, tile.rowFactor);
    if (threadIdx.x == 0) p.workspace[item.partial] = share;
}

}  // namespace
}  // namespace effconv

using namespace effconv;

extern "C" __global__ void __launch_bounds__(kSynthesisThreads, 4)
    ec_weight_synthesis_forward(const SynthesisParams p) {
    const SynthesisItem item = p.items[blockIdx.x];
    const SynthesisLayer layer = layerOf(p, item);
    const SharedTile tile = sharedTile();
    const std::int64_t columns = static_cast<std::int64_t>(layer.cout) * layer.cin;
    const int liveColumns = static_cast<int>(min(columns - item.column, static_cast<std::int64_t>(kSynthesisColumns)));
    const int thread = threadIdx.x;
    if (thread < liveColumns) tile.columnBase[thread] = columnOffset(layer, item.column + thread);
    if (thread < kSynthesisRows) {
        const int tap = item.first + thread;
        const bool inside = tap < layer.kgrid * layer.kgrid;
        tile.rowFactor[thread] = inside ? layer.scale * tapMask(layer, tap, p.sizes[layer.sizeIndex]).m : 0.0f;
    }
    __syncthreads();
    if (layer.source == kElasticTable) {
        elasticTile(p, layer, item, liveColumns, tile);
    } else {
        productTile(p, layer, item, columns, tile);
    }
    __syncthreads();
    if (p.weightsAreBf16) {
        storeWeights(layer, item.first, liveColumns, tile, static_cast<std::uint16_t*>(p.weights));
    } else {
        storeWeights(layer, item.first, liveColumns, tile, static_cast<float*>(p.weights));
    }
}

extern "C" __global__ void __launch_bounds__(kSynthesisThreads, 3)
    ec_weight_synthesis_backward(const SynthesisParams p) {
    if (blockIdx.x == 0) {
        for (int index = threadIdx.x; index < p.layerCount; index += kSynthesisThreads) p.counters[index] = 0;
    }
    const SynthesisItem item = p.items[blockIdx.x];
    const SynthesisLayer layer = layerOf(p, item);
    const SharedTile tile = sharedTile();
    if (item.role == kFeatureTile) {
        featureTile(p, layer, item, tile);
        return;
    }
    const std::int64_t columns = static_cast<std::int64_t>(layer.cout) * layer.cin;
    const int liveColumns = static_cast<int>(min(columns - item.column, static_cast<std::int64_t>(kSynthesisColumns)));
    if (static_cast<int>(threadIdx.x) < liveColumns) {
        tile.columnBase[threadIdx.x] = columnOffset(layer, item.column + threadIdx.x);
    }
    __syncthreads();
    if (item.role == kCoefficientTile) {
        coefficientTile(p, layer, item, columns, liveColumns, tile);
    } else {
        elasticGradientTile(p, layer, item, liveColumns, tile);
    }
}

extern "C" __global__ void __launch_bounds__(kSynthesisThreads, 4) ec_weight_synthesis_reduce(const SynthesisParams p) {
    EC_DYN_SHARED(float, scratch);
    int* ticket = reinterpret_cast<int*>(scratch + kSynthesisThreads);
    const SynthesisItem item = p.items[blockIdx.x];
    const SynthesisLayer layer = layerOf(p, item);
    const float v = p.sizes[layer.sizeIndex];
    if (item.role == kReduceFeatures) {
        const std::int64_t pitch = static_cast<std::int64_t>(layer.kgrid) * layer.kgrid * layer.features;
        float share = 0.0f;
        for (int e = threadIdx.x; e < (item.tapEnd - item.first) * layer.features; e += kSynthesisThreads) {
            const int tap = item.first + e / layer.features;
            const int f = e % layer.features;
            const float* partial = p.workspace + item.source + static_cast<std::int64_t>(tap) * layer.features + f;
            float G = 0.0f;
            for (int split = 0; split < item.sources; ++split) G += partial[split * pitch];
            const MaskValue<float> value = tapMask(layer, tap, v);
            const float feature = p.features[layer.featureOffset + tap * layer.featureStride + f];
            p.featureGradients[layer.featureGradientOffset + tap * layer.featureStride + f] =
                value.m == 0.0f ? 0.0f : layer.scale * value.m * G;
#ifdef EC_FAULT_size_sign
            share -= value.dm == 0.0f ? 0.0f : layer.scale * value.dm * feature * G;
#else
            share += value.dm == 0.0f ? 0.0f : layer.scale * value.dm * feature * G;
#endif
        }
        share = blockSum<kSynthesisThreads>(share, scratch);
        if (threadIdx.x == 0) p.workspace[item.partial] = share;
    }
    if (threadIdx.x == 0) {
        __threadfence();
        *ticket = atomicAdd(&p.counters[item.counter], 1);
        __threadfence();
    }
    __syncthreads();
    if (*ticket != item.finishers - 1) return;
    const volatile float* shares = p.workspace + item.finishSource;
    float sum = 0.0f;
    for (int index = threadIdx.x; index < item.finishCount; index += kSynthesisThreads) sum += shares[index];
    sum = blockSum<kSynthesisThreads>(sum, scratch);
    if (threadIdx.x == 0) p.sizeGradients[layer.sizeIndex] = sum;
}

namespace effconv {
EC_KERNEL_TABLE(weight_synthesis)
}
