// Maximum, average and global average pooling of NHWC activations, fp32 and bf16, any size, stride, padding and C.
//
//   ec_pool_forward_*          y = maximum or average over the window's pixels inside the image
//   ec_pool_gradient_*         dx of all three kinds
//   ec_pool_global_average_*   y[n,c] = mean over all pixels
//
// A thread owns 16 bytes of neighbouring channels of one pixel (one channel where C or a stride is no multiple). Padded
// pixels count for neither maximum nor average. The gradient gathers: a pixel visits the windows that hold it in
// row-major order, so no two threads write one element and the sum has a fixed order. The maximum's winner is found
// anew from x, the first one in row-major order; a NaN wins over everything, so that a broken step is seen. The rows of
// a block of the global average meet in shared memory in a fixed tree.
//
// Floor: memory, x once and y once; the gradient of a maximum reads x and dy and writes dx. Windows that overlap are
// re-read from the caches. bf16, N 512, 64 channels, 8x8 global average on an H200 (4.3 TB/s): 1 us. Measured: not yet
// on a card.

#include "channel_vector.cuh"
#include "effconv/kernel_table.h"
#include "effconv/kernels/pool.h"
#include "row_sum.cuh"

namespace effconv {
namespace {

/// Part of a window that lies inside the image.
struct Window {
    int top, bottom, left, right;
    __device__ int count() const { return (bottom - top) * (right - left); }
};

__device__ __forceinline__ Window windowOf(const PoolParams& p, int outRow, int outColumn) {
    if (p.kind == kGlobalAverage) return {0, p.height, 0, p.width};
    const int top = outRow * p.stride - p.padding;
    const int left = outColumn * p.stride - p.padding;
    return {max(top, 0), min(top + p.size, p.height), max(left, 0), min(left + p.size, p.width)};
}

/// One item of the grid: channels of a pixel of a [batch, height, width, channels] tensor.
struct Item {
    std::int64_t image;
    int row, column, channel;
};

template <int kVector>
__device__ __forceinline__ Item itemOf(std::int64_t index, int height, int width, int channels) {
    const int vectors = channels / kVector;
    Item item;
    std::int64_t pixel = index / vectors;
    item.channel = static_cast<int>(index - pixel * vectors) * kVector;
    item.image = pixel / (static_cast<std::int64_t>(height) * width);
    const int inImage = static_cast<int>(pixel - item.image * height * width);
    item.row = inImage / width;
    item.column = inImage - item.row * width;
    return item;
}

template <typename T>
__device__ __forceinline__ const T* inputAt(const PoolParams& p, const Item& item, int row, int column) {
    return static_cast<const T*>(p.x) + item.image * p.xImageStride + row * p.xRowStride + column * p.xPixelStride +
           item.channel;
}

/// The window's maximum and the place of its winner, row * width + column.
template <typename T, int kVector>
__device__ __forceinline__ void maximumOf(const PoolParams& p, const Item& item, const Window& window,
                                          float (&best)[kVector], int (&winner)[kVector]) {
    loadChannels(inputAt<T>(p, item, window.top, window.left), best);
#pragma unroll
    for (int i = 0; i < kVector; ++i) winner[i] = window.top * p.width + window.left;
        // Rolled: unrolled copies of these loops cost registers and hide nothing that other warps do not.
#pragma unroll 1
    for (int row = window.top; row < window.bottom; ++row) {
#pragma unroll 1
        for (int column = window.left; column < window.right; ++column) {
            float value[kVector];
            loadChannels(inputAt<T>(p, item, row, column), value);
#pragma unroll
            for (int i = 0; i < kVector; ++i) {
#ifdef EC_FAULT_wrong_tie
                const bool wins = value[i] >= best[i];
#else
                const bool wins = value[i] > best[i] || value[i] != value[i];
#endif
                best[i] = wins ? value[i] : best[i];
                winner[i] = wins ? row * p.width + column : winner[i];
            }
        }
    }
}

template <typename T, int kVector>
__device__ __forceinline__ void forward(const PoolParams& p) {
    const int outHeight = p.outHeight();
    const int outWidth = p.outWidth();
    const std::int64_t items = static_cast<std::int64_t>(p.batch) * outHeight * outWidth * (p.channels / kVector);
    const std::int64_t step = static_cast<std::int64_t>(gridDim.x) * kPoolThreads;
    for (std::int64_t index = static_cast<std::int64_t>(blockIdx.x) * kPoolThreads + threadIdx.x; index < items;
         index += step) {
        const Item item = itemOf<kVector>(index, outHeight, outWidth, p.channels);
        const Window window = windowOf(p, item.row, item.column);
        float result[kVector];
        if (p.kind == kMaximum) {
            int winner[kVector];
            maximumOf<T>(p, item, window, result, winner);
        } else {
#pragma unroll
            for (int i = 0; i < kVector; ++i) result[i] = 0.0f;
#pragma unroll 1
            for (int row = window.top; row < window.bottom; ++row) {
#pragma unroll 4
                for (int column = window.left; column < window.right; ++column) {
                    float value[kVector];
                    loadChannels(inputAt<T>(p, item, row, column), value);
#pragma unroll
                    for (int i = 0; i < kVector; ++i) result[i] += value[i];
                }
            }
            const float share = 1.0f / static_cast<float>(window.count());
#pragma unroll
            for (int i = 0; i < kVector; ++i) result[i] *= share;
        }
        storeChannels(static_cast<T*>(p.y) + item.image * p.yImageStride + item.row * p.yRowStride +
                          item.column * p.yPixelStride + item.channel,
                      result);
    }
}

/// Outputs along one axis whose window holds the coordinate: [low, high).
__device__ __forceinline__ void outputsOf(const PoolParams& p, int coordinate, int outputs, int& low, int& high) {
    if (p.kind == kGlobalAverage) {
        low = 0;
        high = 1;
        return;
    }
    const int reach = coordinate + p.padding;
    low = reach < p.size ? 0 : (reach - p.size) / p.stride + 1;
    high = min(reach / p.stride + 1, outputs);
}

template <typename T, int kVector>
__device__ __forceinline__ void gradient(const PoolParams& p) {
    const int outHeight = p.outHeight();
    const int outWidth = p.outWidth();
    const std::int64_t items = static_cast<std::int64_t>(p.batch) * p.height * p.width * (p.channels / kVector);
    const std::int64_t step = static_cast<std::int64_t>(gridDim.x) * kPoolThreads;
    for (std::int64_t index = static_cast<std::int64_t>(blockIdx.x) * kPoolThreads + threadIdx.x; index < items;
         index += step) {
        const Item item = itemOf<kVector>(index, p.height, p.width, p.channels);
        const int self = item.row * p.width + item.column;
        int firstRow, lastRow, firstColumn, lastColumn;
        outputsOf(p, item.row, outHeight, firstRow, lastRow);
        outputsOf(p, item.column, outWidth, firstColumn, lastColumn);
        float sum[kVector];
#pragma unroll
        for (int i = 0; i < kVector; ++i) sum[i] = 0.0f;
#pragma unroll 1
        for (int outRow = firstRow; outRow < lastRow; ++outRow) {
#pragma unroll 1
            for (int outColumn = firstColumn; outColumn < lastColumn; ++outColumn) {
                const Window window = windowOf(p, outRow, outColumn);
                float value[kVector];
                loadChannels(static_cast<const T*>(p.dy) + item.image * p.yImageStride + outRow * p.yRowStride +
                                 outColumn * p.yPixelStride + item.channel,
                             value);
                if (p.kind == kMaximum) {
                    float best[kVector];
                    int winner[kVector];
                    maximumOf<T>(p, item, window, best, winner);
#pragma unroll
                    for (int i = 0; i < kVector; ++i) sum[i] += winner[i] == self ? value[i] : 0.0f;
                } else {
                    const float share = 1.0f / static_cast<float>(window.count());
#pragma unroll
                    for (int i = 0; i < kVector; ++i) sum[i] += share * value[i];
                }
            }
        }
        storeChannels(static_cast<T*>(p.dx) + item.image * p.xImageStride + item.row * p.xRowStride +
                          item.column * p.xPixelStride + item.channel,
                      sum);
    }
}

template <typename T, int kVector>
__device__ __forceinline__ void globalAverage(const PoolParams& p) {
    EC_DYN_SHARED(float, shared);
    const int vectors = p.channels / kVector;
    const int channelBlocks = (vectors + p.lanes - 1) / p.lanes;
    const int thread = static_cast<int>(threadIdx.x);
    const int vector = static_cast<int>(blockIdx.x) % channelBlocks * p.lanes + thread % p.lanes;
    const int share = thread / p.lanes;
    const int shares = kPoolThreads / p.lanes;
    Item item;
    item.image = blockIdx.x / channelBlocks;
    item.channel = vector * kVector;
    float sum[kVector];
#pragma unroll
    for (int i = 0; i < kVector; ++i) sum[i] = 0.0f;
    const int pixels = vector < vectors ? p.height * p.width : 0;
    for (int pixel = share; pixel < pixels; pixel += shares) {
        float value[kVector];
        loadChannels(inputAt<T>(p, item, pixel / p.width, pixel % p.width), value);
#pragma unroll
        for (int i = 0; i < kVector; ++i) sum[i] += value[i];
    }
    sumRows<kPoolThreads>(sum, p.lanes, shared);
    if (share != 0 || vector >= vectors) return;
    const float inverse = 1.0f / static_cast<float>(p.height * p.width);
#pragma unroll
    for (int i = 0; i < kVector; ++i) sum[i] *= inverse;
    storeChannels(static_cast<T*>(p.y) + item.image * p.yImageStride + item.channel, sum);
}

}  // namespace

EC_CHANNEL_KERNELS(ec_pool_forward, forward, PoolParams, kPoolThreads)
EC_CHANNEL_KERNELS(ec_pool_gradient, gradient, PoolParams, kPoolThreads)
EC_CHANNEL_KERNELS(ec_pool_global_average, globalAverage, PoolParams, kPoolThreads)

EC_KERNEL_TABLE(pool)

}  // namespace effconv
