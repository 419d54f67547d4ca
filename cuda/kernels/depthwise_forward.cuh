// Depthwise convolution, forward and data gradient: 8 outputs of a channel pair per thread.
#pragma once

#include "depthwise_halo.cuh"

namespace effconv {

/// Kernel rows [firstRow, firstRow + rows) of the block's channels as fp32 [row][column][channel]; columns past the
/// taps are zero.
template <typename T>
__device__ __forceinline__ void copyWeights(float* shared, const DepthwiseConvParams& p, bool flip, int firstChannel,
                                            int firstRow, int rows, Range columns) {
    const int k = p.shape.kernel;
    const int blockChannels = 2 * p.pairs;
    const int padded = roundUp(columns.high - columns.low, 4);
    const T* weights = static_cast<const T*>(p.w);
    const int total = rows * padded * blockChannels;
    for (int i = static_cast<int>(threadIdx.x); i < total; i += static_cast<int>(blockDim.x)) {
        const int channel = i % blockChannels;
        const int tap = i / blockChannels;
        int r = firstRow + tap / padded;
        int s = columns.low + tap % padded;
        float value = 0.0f;
        if (s < columns.high && firstChannel + channel < p.shape.inChannels) {
            if (flip) {
#ifndef EC_FAULT_wrong_tap
                r = k - 1 - r;
#endif
                s = k - 1 - s;
            }
            value = toFloat(weights[(static_cast<std::int64_t>(firstChannel + channel) * k + r) * k + s]);
        }
        shared[i] = value;
    }
}

/// sum[i] += window of row * taps, for 8 outputs of one channel pair. row points at the window's first element.
template <int kStride, typename T>
__device__ __forceinline__ void slideRow(float2 (&sum)[kDepthwiseStrip], const T* row, const float* taps, int tapCount,
                                         int blockChannels) {
    if (kStride == 1) {
        float2 window[kDepthwiseStrip + 3];
#pragma unroll
        for (int i = 0; i < kDepthwiseStrip - 1; ++i) window[i] = loadPair(row + i * blockChannels);
        for (int s = 0; s < tapCount; s += 4) {
#pragma unroll
            for (int j = 0; j < 4; ++j) {
                window[kDepthwiseStrip - 1 + j] = loadPair(row + (s + kDepthwiseStrip - 1 + j) * blockChannels);
            }
#pragma unroll
            for (int j = 0; j < 4; ++j) {
                const float2 tap = loadPair(taps + (s + j) * blockChannels);
#pragma unroll
                for (int i = 0; i < kDepthwiseStrip; ++i) {
                    sum[i].x += window[i + j].x * tap.x;
                    sum[i].y += window[i + j].y * tap.y;
                }
            }
#pragma unroll
            for (int i = 0; i < kDepthwiseStrip - 1; ++i) window[i] = window[i + 4];
        }
    } else {
        for (int s = 0; s < tapCount; ++s) {
            const float2 tap = loadPair(taps + s * blockChannels);
#pragma unroll
            for (int i = 0; i < kDepthwiseStrip; ++i) {
                const float2 value = loadPair(row + (i * kStride + s) * blockChannels);
                sum[i].x += value.x * tap.x;
                sum[i].y += value.y * tap.y;
            }
        }
    }
}

template <typename T, int kStride>
__device__ __forceinline__ void walkForward(const DepthwiseConvParams& p, const TapWalk& walk, bool flip) {
    EC_DYN_SHARED(float, weights);
    T* halo = reinterpret_cast<T*>(reinterpret_cast<char*>(weights) + depthwiseWeightBytes(p));
    const int k = p.shape.kernel;
    const int channels = p.shape.inChannels;
    const int blockChannels = 2 * p.pairs;

    // block -> channel block, tile column, tile row, image
    const int channelBlocks = ceilDivide(channels, blockChannels);
    const int tileWidth = p.strips * kDepthwiseStrip;
    const int tilesX = ceilDivide(walk.outWidth, tileWidth);
    const int tilesY = ceilDivide(walk.outHeight, p.tileHeight);
    unsigned block = blockIdx.x;
    const int firstChannel = static_cast<int>(block % channelBlocks) * blockChannels;
    block /= channelBlocks;
    const int x0 = static_cast<int>(block % tilesX) * tileWidth;
    block /= tilesX;
    const int y0 = static_cast<int>(block % tilesY) * p.tileHeight;
    const std::int64_t image = block / tilesY;

    const int xLast = min(x0 + tileWidth, walk.outWidth) - 1;
    const int yLast = min(y0 + p.tileHeight, walk.outHeight) - 1;
    const Range tapColumns = insideTaps(x0, xLast, kStride, walk.padding, k, walk.extentX);
    const Range tapRows = insideTaps(y0, yLast, kStride, walk.padding, k, walk.extentY);
    const Range rows = insideInputs(y0, yLast, kStride, walk.padding, tapRows, walk.extentY, walk.dilation);
    const int tapCount = roundUp(tapColumns.high - tapColumns.low, 4);

    HaloCopy<T> copy;
    copy.image = static_cast<const T*>(flip ? p.y : p.x) + image * walk.inImageStride;
    copy.rowStride = walk.inRowStride;
    copy.pixelStride = walk.inPixelStride;
    copy.rows = rows;
    copy.firstColumn = x0 * kStride + tapColumns.low - walk.padding;
    copy.columns = p.haloWidth;
    copy.pitch = p.haloWidth;
    copy.extent = walk.extentX;
    copy.dilation = walk.dilation;
    copy.firstChannel = firstChannel;
    copy.channels = channels;
    copy.blockChannels = blockChannels;
    copyHalo(halo, copy);
    cpAsyncCommit();

    const int thread = static_cast<int>(threadIdx.x);
    const int pair = thread % p.pairs;
    const int tileRow = thread / p.pairs % p.tileHeight;
    const int strip = thread / p.pairs / p.tileHeight;
    const int y = y0 + tileRow;
    const bool active = strip < p.strips && y < walk.outHeight && x0 + strip * kDepthwiseStrip < walk.outWidth;
    const T* window = halo + strip * kDepthwiseStrip * kStride * blockChannels + 2 * pair;

    float2 sum[kDepthwiseStrip];
#pragma unroll
    for (int i = 0; i < kDepthwiseStrip; ++i) sum[i] = make_float2(0.0f, 0.0f);
    for (int first = tapRows.low; first < tapRows.high; first += p.weightRows) {
        const int count = min(p.weightRows, tapRows.high - first);
        if (first > tapRows.low) __syncthreads();
        copyWeights<T>(weights, p, flip, firstChannel, first, count, tapColumns);
        cpAsyncWait<0>();
#ifndef EC_FAULT_dropped_barrier
        __syncthreads();
#endif
        if (!active) continue;
        for (int r = 0; r < count; ++r) {
            const int u = y * kStride + first + r - walk.padding;
            if (u < 0 || u >= walk.extentY || u % walk.dilation != 0) continue;
            const T* row = window + (u / walk.dilation - rows.low) * p.haloWidth * blockChannels;
            const float* taps = weights + r * tapCount * blockChannels + 2 * pair;
            slideRow<kStride>(sum, row, taps, tapCount, blockChannels);
        }
    }

    const int channel = firstChannel + 2 * pair;
    if (!active || channel >= channels) return;
    T* out = static_cast<T*>(flip ? p.x : p.y) + image * walk.outImageStride + y * walk.outRowStride + channel;
    const bool biased = p.bias != nullptr;  // never in a data gradient
    const float2 bias =
        make_float2(biased ? p.bias[channel] : 0.0f, biased && channel + 1 < channels ? p.bias[channel + 1] : 0.0f);
    const bool pairStore = ((channels | walk.outPixelStride | walk.outRowStride | walk.outImageStride) & 1) == 0;
#pragma unroll
    for (int i = 0; i < kDepthwiseStrip; ++i) {
        const int x = x0 + strip * kDepthwiseStrip + i;
        if (x >= walk.outWidth) break;
        T* target = out + x * walk.outPixelStride;
        const float2 value = make_float2(sum[i].x + bias.x, sum[i].y + bias.y);
        if (pairStore) {
            storePair(target, value);
        } else {
            target[0] = fromFloat<T>(value.x);
            if (channel + 1 < channels) target[1] = fromFloat<T>(value.y);
        }
    }
}

template <typename T>
__device__ __forceinline__ void depthwiseForward(const DepthwiseConvParams& p, bool dataGradient) {
    const TapWalk walk = tapWalk(p.shape, dataGradient);
    if (walk.stride == 1) {
        walkForward<T, 1>(p, walk, dataGradient);
    } else {
        walkForward<T, 2>(p, walk, dataGradient);
    }
}

}  // namespace effconv
