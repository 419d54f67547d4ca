// Depthwise convolution (one channel per group), any odd k up to 33 at run time, stride 1 and 2, fp32 and bf16.
//
//   ec_depthwise_forward_*           y[n,oy,ox,c] = sum_{r,t} x[n, oy s + r - pad, ox s + t - pad, c] w[c,r,t]
//   ec_depthwise_data_gradient_*     the same walk over dy with flipped taps, dy dilated by the stride
//   ec_depthwise_weight_gradient_*   dw[c,r,t] = sum_{n,oy,ox} x[n, oy s + r - pad, ox s + t - pad, c] dy[n,oy,ox,c]
//   ec_depthwise_weight_gradient_sum adds the splits' partial sums in their order
//
// All three keep a halo tile [rows][columns][channels] in shared memory (cp.async, 16 bytes, where the channels are a
// multiple of 16 bytes; element by element otherwise) and slide a window of registers along x: 8 outputs (or 8 taps) of a
// channel pair per thread, so 64 FFMA need 4 pair loads of x and 4 of w. k only bounds loops: no register depends on it.
// Taps outside the image are skipped by rows and by columns of a tile. Sums are fp32, in a fixed order.
//
// Groups of two and more channels are served by dense_conv. Not done: Toeplitz bands on mma.sync for k >= 9 (bf16 runs on
// FFMA too), 16-byte stores (a thread stores a pair, 16 lanes a run of 64 bytes), stride-1 register reuse at stride 2.
// Floor on an H200 (bf16, N 512, 64 channels, 32x32): 31 us memory; math k = 7: 55 us FFMA.
// Measured: not yet on a card.

#include "effconv/kernel_table.h"
#include "effconv/kernels/depthwise_conv.h"
#include "split_sum.cuh"

namespace effconv {
namespace {

/// Copies rows x columns x channels of an image into shared memory [row][column][channel]. Columns are coordinates of the
/// dilated input from firstColumn on; what lies outside the image, or between its elements, is zero.
template <typename T>
struct HaloCopy {
    const T* image;
    std::int64_t rowStride, pixelStride;
    Range rows;       ///< real rows, all inside
    int firstColumn;  ///< dilated coordinate
    int columns;      ///< to fill
    int pitch;        ///< columns of the shared tile
    int extent, dilation;
    int firstChannel, channels;  ///< of the tensor
    int blockChannels;
};

template <typename T>
__device__ __forceinline__ void copyHalo(T* shared, const HaloCopy<T>& h) {
    constexpr int kVector = 16 / static_cast<int>(sizeof(T));
    const bool vectors = h.channels % kVector == 0 && h.pixelStride % kVector == 0 && h.rowStride % kVector == 0 &&
                         h.blockChannels % kVector == 0 && (reinterpret_cast<std::uintptr_t>(h.image) & 15) == 0;
    const int step = vectors ? kVector : 1;
    const int perPixel = h.blockChannels / step;
    const int perRow = h.columns * perPixel;
    const int total = (h.rows.high - h.rows.low) * perRow;
    for (int i = static_cast<int>(threadIdx.x); i < total; i += static_cast<int>(blockDim.x)) {
        const int row = i / perRow;
        const int inRow = i - row * perRow;
        const int column = inRow / perPixel;
        const int channel = (inRow - column * perPixel) * step;
        const int u = h.firstColumn + column;
        const bool inside =
            u >= 0 && u < h.extent && u % h.dilation == 0 && h.firstChannel + channel < h.channels;
        T* target = shared + (row * h.pitch + column) * h.blockChannels + channel;
        const T* source = h.image;
        if (inside) {
            source += (h.rows.low + row) * h.rowStride + u / h.dilation * h.pixelStride + h.firstChannel + channel;
        }
        if (vectors) {
            cpAsync16(target, source, inside ? 16 : 0);
        } else {
            *target = inside ? *source : fromFloat<T>(0.0f);
        }
    }
}

/// Kernel rows [firstRow, firstRow + rows) of the block's channels as fp32 [row][column][channel]; columns past the taps
/// are zero.
template <typename T>
__device__ __forceinline__ void copyWeights(
    float* shared, const DepthwiseConvParams& p, bool flip, int firstChannel, int firstRow, int rows, Range columns) {
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
__device__ __forceinline__ void slideRow(
    float2 (&sum)[kDepthwiseStrip], const T* row, const float* taps, int tapCount, int blockChannels) {
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
    const bool pairStore =
        ((channels | walk.outPixelStride | walk.outRowStride | walk.outImageStride) & 1) == 0;
#pragma unroll
    for (int i = 0; i < kDepthwiseStrip; ++i) {
        const int x = x0 + strip * kDepthwiseStrip + i;
        if (x >= walk.outWidth) break;
        T* target = out + x * walk.outPixelStride;
        if (pairStore) {
            storePair(target, sum[i]);
        } else {
            target[0] = fromFloat<T>(sum[i].x);
            if (channel + 1 < channels) target[1] = fromFloat<T>(sum[i].y);
        }
    }
}

template <typename T>
__device__ __forceinline__ void forward(const DepthwiseConvParams& p, bool dataGradient) {
    const TapWalk walk = tapWalk(p.shape, dataGradient);
    if (walk.stride == 1) {
        walkForward<T, 1>(p, walk, dataGradient);
    } else {
        walkForward<T, 2>(p, walk, dataGradient);
    }
}

/// sum[j] += sum_x dy[x] in[x stride + j] over one row, for kTaps taps of one channel pair.
template <int kTaps, int kStride, typename T>
__device__ __forceinline__ void correlateRow(
    float2 (&sum)[kTaps], const T* in, const T* dy, int width, int blockChannels) {
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
    const int width = roundUp(outWidth, 4);
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

    const int tilesY = ceilDivide(outHeight, p.tileHeight);
    const std::int64_t units = static_cast<std::int64_t>(s.batch) * tilesY;
    const std::int64_t firstUnit = units * split / p.splits;
    const std::int64_t lastUnit = units * (split + 1) / p.splits;
    const int tapRowsHere = min(p.tapRows, k - firstTapRow);

    float2 sum[kTaps];
#pragma unroll
    for (int j = 0; j < kTaps; ++j) sum[j] = make_float2(0.0f, 0.0f);
    for (std::int64_t unit = firstUnit; unit < lastUnit; ++unit) {
        const std::int64_t image = unit / tilesY;
        const int y0 = static_cast<int>(unit - image * tilesY) * p.tileHeight;
        const int tileRows = min(p.tileHeight, outHeight - y0);
        const Range tapRows = {firstTapRow, firstTapRow + tapRowsHere};
        const Range rows = insideInputs(y0, y0 + tileRows - 1, kStride, padding, tapRows, s.height, 1);
        HaloCopy<T> copy;
        copy.image = static_cast<const T*>(p.x) + image * s.xImageStride;
        copy.rowStride = s.xRowStride;
        copy.pixelStride = s.xPixelStride;
        copy.rows = rows;
        copy.firstColumn = -padding;
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
        copy.firstColumn = 0;
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
__device__ __forceinline__ void weightGradient(const DepthwiseConvParams& p) {
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

}  // namespace

extern "C" __global__ void __launch_bounds__(256, 2) ec_depthwise_forward_f32(const DepthwiseConvParams p) {
    forward<float>(p, false);
}
extern "C" __global__ void __launch_bounds__(256, 2) ec_depthwise_forward_bf16(const DepthwiseConvParams p) {
    forward<std::uint16_t>(p, false);
}
extern "C" __global__ void __launch_bounds__(256, 2) ec_depthwise_data_gradient_f32(const DepthwiseConvParams p) {
    forward<float>(p, true);
}
extern "C" __global__ void __launch_bounds__(256, 2) ec_depthwise_data_gradient_bf16(const DepthwiseConvParams p) {
    forward<std::uint16_t>(p, true);
}
extern "C" __global__ void __launch_bounds__(256, 2) ec_depthwise_weight_gradient_f32(const DepthwiseConvParams p) {
    weightGradient<float>(p);
}
extern "C" __global__ void __launch_bounds__(256, 2) ec_depthwise_weight_gradient_bf16(const DepthwiseConvParams p) {
    weightGradient<std::uint16_t>(p);
}
extern "C" __global__ void __launch_bounds__(256, 2) ec_depthwise_weight_gradient_sum(const DepthwiseConvParams p) {
    const std::int64_t count = static_cast<std::int64_t>(p.shape.inChannels) * p.shape.kernel * p.shape.kernel;
    sumSplits(p.workspace, count, p.splits, p.w, p.weightGradientBf16 != 0);
}

EC_KERNEL_TABLE(depthwise_conv)

}  // namespace effconv
