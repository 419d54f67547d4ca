// Depthwise convolution, weight gradient: 4 or 8 taps of a kernel row of a channel pair per thread.
#pragma once

#include "depthwise_halo.cuh"

namespace effconv {

/// sum[j] += sum_x dy[x] in[x stride + j] over one row, for kTaps taps of one channel pair.
template <int kTaps, int kStride, typename T>
__device__ __forceinline__ void correlateRow(float2 (&sum)[kTaps], const T* in, const T* dy, int width,
                                             int blockChannels) {
    if (kStride == 1) {
        float2 window[kTaps + 3];
#pragma unroll
        for (int j = 0; j < kTaps - 1; ++j) window[j] = loadPair(in + j * blockChannels);
        for (int x = 0; x < width; x += 4) {
#pragma unroll
            for (int i = 0; i < 4; ++i) {
                window[kTaps - 1 + i] = loadPair(in + (x + kTaps - 1 + i) * blockChannels);
            }
#pragma unroll
            for (int i = 0; i < 4; ++i) {
                const float2 gradient = loadPair(dy + (x + i) * blockChannels);
#pragma unroll
                for (int j = 0; j < kTaps; ++j) {
                    sum[j].x += window[i + j].x * gradient.x;
                    sum[j].y += window[i + j].y * gradient.y;
                }
            }
#pragma unroll
            for (int j = 0; j < kTaps - 1; ++j) window[j] = window[j + 4];
        }
    } else {
        for (int x = 0; x < width; ++x) {
            const float2 gradient = loadPair(dy + x * blockChannels);
#pragma unroll
            for (int j = 0; j < kTaps; ++j) {
                const float2 value = loadPair(in + (x * kStride + j) * blockChannels);
                sum[j].x += value.x * gradient.x;
                sum[j].y += value.y * gradient.y;
            }
        }
    }
}

template <typename T, int kTaps, int kStride>
__device__ __forceinline__ void walkGradient(const DepthwiseConvParams& p) {
    EC_DYN_SHARED(T, halo);
    const ConvShape& s = p.shape;
    const int k = s.kernel;
    const int padding = s.padding();
    const int outHeight = s.outHeight();
    const int outWidth = s.outWidth();
    const int width = p.tileWidth;
    const int blockChannels = 2 * p.pairs;
    T* gradients = halo + p.haloRows * p.haloWidth * blockChannels;

    // block -> channel block, group of kernel rows, split
    const int channelBlocks = ceilDivide(s.inChannels, blockChannels);
    const int rowGroups = ceilDivide(k, p.tapRows);
    unsigned block = blockIdx.x;
    const int firstChannel = static_cast<int>(block % channelBlocks) * blockChannels;
    block /= channelBlocks;
    const int firstTapRow = static_cast<int>(block % rowGroups) * p.tapRows;
    const int split = static_cast<int>(block / rowGroups);

    // thread -> channel pair, kernel row, strip of taps, share of the tile's rows
    const int tapStrips = ceilDivide(k, kTaps);
    const int thread = static_cast<int>(threadIdx.x);
    const int pair = thread % p.pairs;
    const int tapRow = thread / p.pairs % p.tapRows;
    const int tapStrip = thread / (p.pairs * p.tapRows) % tapStrips;
    const int rowPart = thread / (p.pairs * p.tapRows * tapStrips);
    const int items = p.pairs * p.tapRows * tapStrips;
    const int r = firstTapRow + tapRow;
    const bool active = rowPart < p.rowParts && r < k;

    const int tilesX = ceilDivide(outWidth, width);
    const int tilesY = ceilDivide(outHeight, p.tileHeight);
    const std::int64_t units = static_cast<std::int64_t>(s.batch) * tilesY * tilesX;
    const std::int64_t firstUnit = units * split / p.splits;
    const std::int64_t lastUnit = units * (split + 1) / p.splits;
    const int tapRowsHere = min(p.tapRows, k - firstTapRow);

    float2 sum[kTaps];
#pragma unroll
    for (int j = 0; j < kTaps; ++j) sum[j] = make_float2(0.0f, 0.0f);
    for (std::int64_t unit = firstUnit; unit < lastUnit; ++unit) {
        const std::int64_t rowTile = unit / tilesX;
        const int x0 = static_cast<int>(unit - rowTile * tilesX) * width;
        const std::int64_t image = rowTile / tilesY;
        const int y0 = static_cast<int>(rowTile - image * tilesY) * p.tileHeight;
        const int tileRows = min(p.tileHeight, outHeight - y0);
        const Range tapRows = {firstTapRow, firstTapRow + tapRowsHere};
        const Range rows = insideInputs(y0, y0 + tileRows - 1, kStride, padding, tapRows, s.height, 1);
        HaloCopy<T> copy;
        copy.image = static_cast<const T*>(p.x) + image * s.xImageStride;
        copy.rowStride = s.xRowStride;
        copy.pixelStride = s.xPixelStride;
        copy.rows = rows;
        copy.firstColumn = x0 * kStride - padding;
        copy.columns = copy.pitch = p.haloWidth;
        copy.extent = s.width;
        copy.dilation = 1;
        copy.firstChannel = firstChannel;
        copy.channels = s.inChannels;
        copy.blockChannels = blockChannels;
#ifndef EC_FAULT_dropped_barrier
        if (unit > firstUnit) __syncthreads();
#endif
        copyHalo(halo, copy);
        copy.image = static_cast<const T*>(p.y) + image * s.yImageStride;
        copy.rowStride = s.yRowStride;
        copy.pixelStride = s.yPixelStride;
        copy.rows = {y0, y0 + tileRows};
        copy.firstColumn = x0;
        copy.columns = copy.pitch = width;
        copy.extent = outWidth;
        copyHalo(gradients, copy);
        cpAsyncCommit();
        cpAsyncWait<0>();
        __syncthreads();
        if (!active) continue;
        for (int y = rowPart; y < tileRows; y += p.rowParts) {
            const int u = (y0 + y) * kStride + r - padding;
            if (u < 0 || u >= s.height) continue;
            const T* in = halo + ((u - rows.low) * p.haloWidth + tapStrip * kTaps) * blockChannels + 2 * pair;
            const T* dy = gradients + y * width * blockChannels + 2 * pair;
            correlateRow<kTaps, kStride>(sum, in, dy, width, blockChannels);
        }
    }

    if (p.rowParts > 1) {
        // The shares of a weight meet in shared memory and are added in the order of the shares.
        float2* shares = reinterpret_cast<float2*>(halo);
        __syncthreads();
        if (rowPart < p.rowParts) {
#pragma unroll
            for (int j = 0; j < kTaps; ++j) shares[j * items * p.rowParts + thread] = sum[j];
        }
        __syncthreads();
        if (rowPart == 0) {
            for (int part = 1; part < p.rowParts; ++part) {
#pragma unroll
                for (int j = 0; j < kTaps; ++j) {
                    const float2 share = shares[(j * p.rowParts + part) * items + thread];
                    sum[j].x += share.x;
                    sum[j].y += share.y;
                }
            }
        }
    }
    if (!active || rowPart != 0) return;
    const int channel = firstChannel + 2 * pair;
    float* out = p.workspace + (static_cast<std::int64_t>(split) * s.inChannels + channel) * k * k + r * k;
#pragma unroll
    for (int j = 0; j < kTaps; ++j) {
        const int tap = tapStrip * kTaps + j;
        if (tap >= k) break;
        if (channel < s.inChannels) out[tap] = sum[j].x;
        if (channel + 1 < s.inChannels) out[k * k + tap] = sum[j].y;
    }
}

template <typename T>
__device__ __forceinline__ void depthwiseWeightGradient(const DepthwiseConvParams& p) {
    const bool shortStrip = depthwiseTapStrip(p.shape.kernel) == 4;
    if (p.shape.stride == 1) {
        if (shortStrip) {
            walkGradient<T, 4, 1>(p);
        } else {
            walkGradient<T, 8, 1>(p);
        }
    } else {
        if (shortStrip) {
            walkGradient<T, 4, 2>(p);
        } else {
            walkGradient<T, 8, 2>(p);
        }
    }
}

}  // namespace effconv
