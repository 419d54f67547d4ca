// Dense convolution, forward and data gradient: one block forms 128 output pixels x 16, 32 or 64 output channels.
#pragma once

#include "dense_product.cuh"

namespace effconv {

/// Starts copying the weights of taps [firstTap, firstTap + count) of the tile's taps into one stage of the ring.
template <typename T, bool kDataGradient>
__device__ __forceinline__ void copyTaps(T* stage, const DenseConvParams& p, const DenseBlock& block, int firstTap,
                                         int count, int firstRead) {
    constexpr int kVector = 16 / static_cast<int>(sizeof(T));
    const int k = p.shape.kernel;
    const int tapColumns = block.tile.tapColumns.high - block.tile.tapColumns.low;
    const int outPerGroup = p.shape.outChannels / p.shape.groups;
    const int inPerGroup = p.shape.inChannels / p.shape.groups;
    // Rows of the stage are KRSC's first dimension, columns its last, in either direction.
    const int rows = kDataGradient ? p.chunk : p.outTile;
    const int columns = kDataGradient ? p.outTile : p.chunk;
    const int firstRow = kDataGradient ? firstRead : block.firstOut;
    const int firstColumn = kDataGradient ? block.firstOut : firstRead;
    const int pitch = densePitch(columns, sizeof(T) == 2);
    const bool vectors = inPerGroup % kVector == 0 && columns % kVector == 0;
    const int step = vectors ? kVector : 1;
    const int perRow = columns / step;
    const T* weights = static_cast<const T*>(p.w);
    const int total = count * rows * perRow;
    for (int i = static_cast<int>(threadIdx.x); i < total; i += static_cast<int>(blockDim.x)) {
        const int line = i / perRow;
        const int column = (i - line * perRow) * step;
        const int tapInStage = line / rows;
        const int row = line - tapInStage * rows;
        const int tap = firstTap + tapInStage;
        int r = block.tile.tapRows.low + tap / tapColumns;
        int s = block.tile.tapColumns.low + tap % tapColumns;
        if (kDataGradient) {
#ifndef EC_FAULT_wrong_tap
            r = k - 1 - r;
#endif
            s = k - 1 - s;
        }
        const bool inside = firstRow + row < outPerGroup && firstColumn + column < inPerGroup;
        T* target = stage + (tapInStage * rows + row) * pitch + column;
        const T* source = weights;
        if (inside) {
            const std::int64_t out = static_cast<std::int64_t>(block.group) * outPerGroup + firstRow + row;
            source += ((out * k + r) * k + s) * inPerGroup + firstColumn + column;
        }
        if (vectors) {
            cpAsync16(target, source, inside ? 16 : 0);
        } else {
            *target = inside ? *source : fromFloat<T>(0.0f);
        }
    }
}

/// Walks the taps over the resident halo, chunk of channels by chunk, with the weights in a ring of three stages.
template <typename T, bool kDataGradient, typename Product>
__device__ __forceinline__ void walkTaps(const DenseConvParams& p, const DenseBlock& block,
                                         const DenseShared<T>& shared, Product& product) {
    const DenseTile& tile = block.tile;
    const int tapColumns = tile.tapColumns.high - tile.tapColumns.low;
    const int taps = (tile.tapRows.high - tile.tapRows.low) * tapColumns;
    const int stages = ceilDivide(taps, p.ringTaps);
    const int tapElements = denseTapElements(p, kDataGradient, sizeof(T) == 2);
    const int stageElements = p.ringTaps * tapElements;
    const T* input = static_cast<const T*>(kDataGradient ? p.y : p.x);
    if (threadIdx.x < kDenseZeroBytes / sizeof(T)) shared.zeros[threadIdx.x] = fromFloat<T>(0.0f);
    for (int firstRead = 0; firstRead < block.readChannels; firstRead += p.chunk) {
        if (firstRead > 0) __syncthreads();
        const int groupChannel = block.group * block.readChannels;
        copyPixels(shared.halo, densePitch(p.chunk, sizeof(T) == 2), p.chunk, input, block.walk.inImageStride,
                   block.walk.inRowStride, block.walk.inPixelStride, tile.firstImage, tile.images, tile.rows,
                   tile.columns, groupChannel + firstRead, groupChannel + block.readChannels);
        cpAsyncCommit();
        for (int stage = 0; stage < kDenseRingStages - 1; ++stage) {
            if (stage < stages) {
                copyTaps<T, kDataGradient>(shared.ring + stage * stageElements, p, block, stage * p.ringTaps,
                                           min(p.ringTaps, taps - stage * p.ringTaps), firstRead);
            }
            cpAsyncCommit();
        }
        for (int stage = 0; stage < stages; ++stage) {
#ifndef EC_FAULT_dropped_wait
            cpAsyncWait<kDenseRingStages - 2>();
#endif
#ifndef EC_FAULT_dropped_barrier
            __syncthreads();
#endif
            const int next = stage + kDenseRingStages - 1;
            if (next < stages) {
                copyTaps<T, kDataGradient>(shared.ring + next % kDenseRingStages * stageElements, p, block,
                                           next * p.ringTaps, min(p.ringTaps, taps - next * p.ringTaps), firstRead);
            }
            cpAsyncCommit();
            const T* weights = shared.ring + stage % kDenseRingStages * stageElements;
            const int count = min(p.ringTaps, taps - stage * p.ringTaps);
            int r = tile.tapRows.low + stage * p.ringTaps / tapColumns;
            int s = tile.tapColumns.low + stage * p.ringTaps % tapColumns;
            for (int tap = 0; tap < count; ++tap) {
                product.tap(p, block, shared, weights + tap * tapElements, r, s);
                if (++s == tile.tapColumns.high) {
                    s = tile.tapColumns.low;
                    ++r;
                }
            }
        }
    }
    cpAsyncWait<0>();
}

/// scale * sum + bias of one output; channel exists.
template <bool kDataGradient, typename Product>
__device__ __forceinline__ float scaled(const DenseConvParams& p, const Product& product, int row, int column,
                                        int channel) {
    const float sum = product.value(row, column);
    if (kDataGradient) return sum;
    return sum * (p.scale ? p.scale[channel] : 1.0f) + (p.bias ? p.bias[channel] : 0.0f);
}

/// Scale, bias, residual, ReLU, store: pixel by pixel, so that one address is alive at a time.
template <typename T, bool kDataGradient, typename Product>
__device__ __forceinline__ void storeOutputs(const DenseConvParams& p, const DenseBlock& block,
                                             const Product& product) {
    T* out = static_cast<T*>(kDataGradient ? p.x : p.y);
    const bool pairs =
        sizeof(T) == 2 &&
        ((block.writtenChannels | block.walk.outPixelStride | block.walk.outRowStride | block.walk.outImageStride) &
         1) == 0;
    const int groupChannel = block.group * block.writtenChannels;
#pragma unroll
    for (int row = 0; row < Product::kRows; ++row) {
        const int pixel = Product::pixelOf(row);
        if (pixelBase(p, block.walk, block.tile, pixel).imageOffset < 0) continue;
        const std::int64_t offset = outputOffset(p, block.walk, block.tile, pixel) + groupChannel;
        float lower = 0.0f;  // of a pair
#pragma unroll
        for (int column = 0; column < Product::kColumns; ++column) {
            const int channel = block.firstOut + Product::channelOf(column);
            if (channel >= block.writtenChannels) continue;
            float v = scaled<kDataGradient>(p, product, row, column, groupChannel + channel);
            if (!kDataGradient) {
                if (p.residual) v += toFloat(static_cast<const T*>(p.residual)[offset + channel]);
                if (p.relu) v = rectified(v);
            }
            if (!pairs) {
                out[offset + channel] = fromFloat<T>(v);
            } else if (column % 2 == 0) {
                lower = v;
            } else {
                storePair(out + offset + channel - 1, make_float2(lower, v));
            }
        }
    }
}

/// The block's sums of v and v * v per channel, to the workspace.
template <typename T, typename Product>
__device__ __forceinline__ void storeChannelSums(const DenseConvParams& p, const DenseBlock& block,
                                                 const DenseShared<T>& shared, const Product& product) {
    const int groupChannel = block.group * block.writtenChannels;
    unsigned exists = 0;
#pragma unroll
    for (int row = 0; row < Product::kRows; ++row) {
        const bool there = pixelBase(p, block.walk, block.tile, Product::pixelOf(row)).imageOffset >= 0;
        exists |= (there ? 1u : 0u) << row;
    }
    __syncthreads();  // the sums lie over the halo
#pragma unroll
    for (int column = 0; column < Product::kColumns; ++column) {
        const int inBlock = Product::channelOf(column);
        float total = 0.0f;
        float squares = 0.0f;
        if (block.firstOut + inBlock < block.writtenChannels) {
#pragma unroll
            for (int row = 0; row < Product::kRows; ++row) {
                if ((exists >> row & 1u) == 0) continue;
                const float v = scaled<false>(p, product, row, column, groupChannel + block.firstOut + inBlock);
                total += v;
                squares += v * v;
            }
        }
        if (Product::foldSums(total, squares)) {
            float* sums = shared.sums + (Product::sumRow() * p.outTile + inBlock) * 2;
            sums[0] = total;
            sums[1] = squares;
        }
    }
    __syncthreads();
    for (int i = static_cast<int>(threadIdx.x); i < 2 * p.outTile; i += static_cast<int>(blockDim.x)) {
        const int inGroup = block.firstOut + i / 2;
        if (inGroup >= block.writtenChannels) continue;
        float sum = 0.0f;
        for (int row = 0; row < Product::kSumRows; ++row) sum += shared.sums[row * 2 * p.outTile + i];
        p.workspace[(block.tileNumber * 2 + (i & 1)) * p.shape.outChannels + groupChannel + inGroup] = sum;
    }
}

template <typename T, bool kDataGradient, typename Product>
__device__ __forceinline__ void denseForward(const DenseConvParams& p) {
    DenseBlock block;
    block.walk = tapWalk(p.shape, kDataGradient);
    block.readChannels = (kDataGradient ? p.shape.outChannels : p.shape.inChannels) / p.shape.groups;
    block.writtenChannels = (kDataGradient ? p.shape.inChannels : p.shape.outChannels) / p.shape.groups;
    const int outBlocks = ceilDivide(block.writtenChannels, p.outTile);
    unsigned index = blockIdx.x;
    block.firstOut = static_cast<int>(index % outBlocks) * p.outTile;
    index /= outBlocks;
    block.group = static_cast<int>(index % p.shape.groups);
    block.tileNumber = index / p.shape.groups;
    block.tile = denseTile(p, block.walk, block.tileNumber, {0, p.shape.kernel});
    const DenseShared<T> shared = denseShared<T, kDataGradient>(p);
    Product product;
    product.start(p, block);
    walkTaps<T, kDataGradient>(p, block, shared, product);
    storeOutputs<T, kDataGradient>(p, block, product);
    if (!kDataGradient && p.channelSums != nullptr) storeChannelSums(p, block, shared, product);
}

}  // namespace effconv
