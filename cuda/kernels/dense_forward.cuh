// Dense convolution, forward and data gradient: one block forms 128 output pixels x 16, 32 or 64 output channels.
#pragma once

#include "dense_tile.cuh"

namespace effconv {

/// Threads of a block share its shared memory so: zeros, weight ring, halo; the channel sums lie over ring and halo.
template <typename T>
struct DenseShared {
    T* zeros;
    T* ring;
    T* halo;
    float* sums;
};

template <typename T, bool kDataGradient>
__device__ __forceinline__ DenseShared<T> denseShared(const DenseConvParams& p) {
    EC_DYN_SHARED(unsigned char, memory);
    DenseShared<T> shared;
    shared.zeros = reinterpret_cast<T*>(memory);
    shared.ring = reinterpret_cast<T*>(memory + kDenseZeroBytes);
    shared.sums = reinterpret_cast<float*>(memory + kDenseZeroBytes);
    shared.halo =
        shared.ring + kDenseRingStages * p.ringTaps * denseTapElements(p, kDataGradient, sizeof(T) == 2);
    return shared;
}

/// What a block works on.
struct DenseBlock {
    DenseTile tile;
    TapWalk walk;
    std::int64_t tileNumber;
    int group;
    int firstOut;        ///< first output channel within the group
    int readChannels;    ///< per group
    int writtenChannels; ///< per group
};

/// Starts copying the weights of taps [firstTap, firstTap + count) of the tile's taps into one stage of the ring.
template <typename T, bool kDataGradient>
__device__ __forceinline__ void copyTaps(
    T* stage, const DenseConvParams& p, const DenseBlock& block, int firstTap, int count, int firstRead) {
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

/// bf16 on the tensor cores: a warp forms 32 pixels x 16 kTiles channels. A is read by ldmatrix from tap-shifted pixels.
template <int kTiles, bool kDataGradient>
struct MmaProduct {
    float sum[2][2 * kTiles][4];
    PixelBase base[2];

    __device__ __forceinline__ void start(const DenseConvParams& p, const DenseBlock& block) {
        const int lane = static_cast<int>(threadIdx.x) & 31;
        const int warp = static_cast<int>(threadIdx.x) >> 5;
#pragma unroll
        for (int m = 0; m < 2; ++m) {
            base[m] = pixelBase(p, block.walk, block.tile, warp * 32 + m * 16 + (lane & 15));
#pragma unroll
            for (int n = 0; n < 2 * kTiles; ++n) sum[m][n][0] = sum[m][n][1] = sum[m][n][2] = sum[m][n][3] = 0.0f;
        }
    }

    __device__ __forceinline__ void tap(
        const DenseConvParams& p, const DenseBlock& block, const DenseShared<std::uint16_t>& shared,
        const std::uint16_t* weights, int r, int s) {
        const int lane = static_cast<int>(threadIdx.x) & 31;
        const int pitch = densePitch(p.chunk, true);
        const int pixel0 = haloPixel(block.tile, block.walk.dilation, base[0], r, s);
        const int pixel1 = haloPixel(block.tile, block.walk.dilation, base[1], r, s);
        if (!__any_sync(0xffffffffu, pixel0 >= 0 || pixel1 >= 0)) return;
        // Lanes 16-31 name the upper eight channels of a 16 x 16 fragment.
        const int half = (lane >> 4) * 8;
        const std::uint16_t* row0 = pixel0 >= 0 ? shared.halo + pixel0 * pitch + half : shared.zeros;
        const std::uint16_t* row1 = pixel1 >= 0 ? shared.halo + pixel1 * pitch + half : shared.zeros;
        const int step0 = pixel0 >= 0 ? 16 : 0;
        const int step1 = pixel1 >= 0 ? 16 : 0;
        const int weightPitch = densePitch(kDataGradient ? 16 * kTiles : p.chunk, true);
        const std::uint16_t* weightRow =
            kDataGradient ? weights + ((lane & 7) + (lane >> 3 & 1) * 8) * weightPitch + half
                          : weights + ((lane & 7) + half) * weightPitch + (lane >> 3 & 1) * 8;
        for (int c = 0; c < p.chunk; c += 16) {
            std::uint32_t a0[4], a1[4];
            ldmatrixX4(a0, row0);
            ldmatrixX4(a1, row1);
            row0 += step0;
            row1 += step1;
#pragma unroll
            for (int n = 0; n < kTiles; ++n) {
                std::uint32_t b[4];
                if (kDataGradient) {
                    ldmatrixX4Trans(b, weightRow + c * weightPitch + n * 16);
                } else {
                    ldmatrixX4(b, weightRow + n * 16 * weightPitch + c);
                }
                const std::uint32_t low[2] = {b[0], b[1]};
                const std::uint32_t high[2] = {b[2], b[3]};
                mmaBf16(sum[0][2 * n], a0, low);
                mmaBf16(sum[0][2 * n + 1], a0, high);
                mmaBf16(sum[1][2 * n], a1, low);
                mmaBf16(sum[1][2 * n + 1], a1, high);
            }
        }
    }

    static constexpr int kRows = 4;      ///< output pixels of a thread
    static constexpr int kColumns = 4 * kTiles;  ///< output channels of a thread
    static constexpr int kSumRows = 4;   ///< partial channel sums per block: one per warp

    __device__ __forceinline__ static int pixelOf(int row) {
        return (static_cast<int>(threadIdx.x) >> 5) * 32 + row * 8 + (static_cast<int>(threadIdx.x) & 31) / 4;
    }
    __device__ __forceinline__ static int channelOf(int column) {
        return column / 2 * 8 + (static_cast<int>(threadIdx.x) & 3) * 2 + column % 2;
    }
    __device__ __forceinline__ float value(int row, int column) const {
        return sum[row / 2][column / 2][row % 2 * 2 + column % 2];
    }
    /// Adds over the threads of a warp that hold the same channel; true in the thread that has the sum.
    __device__ __forceinline__ static bool foldSums(float& sum, float& square) {
#pragma unroll
        for (int mask = 4; mask < 32; mask *= 2) {
            sum += __shfl_xor_sync(0xffffffffu, sum, mask);
            square += __shfl_xor_sync(0xffffffffu, square, mask);
        }
        return (threadIdx.x & 31) < 4;
    }
    __device__ __forceinline__ static int sumRow() { return static_cast<int>(threadIdx.x) >> 5; }
};

/// fp32 by FFMA: a thread forms 8 pixels (16 apart) x kTiles channels (16 apart).
template <int kTiles, bool kDataGradient>
struct FmaProduct {
    float sum[8][kTiles];

    __device__ __forceinline__ void start(const DenseConvParams&, const DenseBlock&) {
#pragma unroll
        for (int m = 0; m < 8; ++m) {
#pragma unroll
            for (int n = 0; n < kTiles; ++n) sum[m][n] = 0.0f;
        }
    }

    __device__ __forceinline__ void tap(
        const DenseConvParams& p, const DenseBlock& block, const DenseShared<float>& shared, const float* weights, int r,
        int s) {
        const int lane = static_cast<int>(threadIdx.x) & 15;
        const int pitch = densePitch(p.chunk, false);
        // Where registers are scarce the pixels' coordinates are computed anew for each tap.
        const int shift = kTiles == 4 ? opaque(0) : 0;
        int pixels[8];
        bool any = false;
#pragma unroll
        for (int m = 0; m < 8; ++m) {
            pixels[m] = haloPixel(
                block.tile, block.walk.dilation, pixelBase(p, block.walk, block.tile, pixelOf(m) + shift), r, s);
            any = any || pixels[m] >= 0;
        }
        if (!any) return;
        const int weightPitch = densePitch(kDataGradient ? 16 * kTiles : p.chunk, false);
        for (int c = 0; c < p.chunk; c += 4) {
            float4 b[kTiles];
#pragma unroll
            for (int n = 0; n < kTiles; ++n) {
                if (kDataGradient) {
                    const float* column = weights + c * weightPitch + n * 16 + lane;
                    b[n] = make_float4(column[0], column[weightPitch], column[2 * weightPitch], column[3 * weightPitch]);
                } else {
                    b[n] = *reinterpret_cast<const float4*>(weights + (n * 16 + lane) * weightPitch + c);
                }
            }
#pragma unroll
            for (int m = 0; m < 8; ++m) {
                const float* row = pixels[m] >= 0 ? shared.halo + pixels[m] * pitch + c : shared.zeros;
                const float4 a = *reinterpret_cast<const float4*>(row);
#pragma unroll
                for (int n = 0; n < kTiles; ++n) {
                    sum[m][n] += a.x * b[n].x;
                    sum[m][n] += a.y * b[n].y;
                    sum[m][n] += a.z * b[n].z;
                    sum[m][n] += a.w * b[n].w;
                }
            }
        }
    }

    static constexpr int kRows = 8;
    static constexpr int kColumns = kTiles;
    static constexpr int kSumRows = 16;

    __device__ __forceinline__ static int pixelOf(int row) { return row * 16 + static_cast<int>(threadIdx.x) / 16; }
    __device__ __forceinline__ static int channelOf(int column) {
        return column * 16 + (static_cast<int>(threadIdx.x) & 15);
    }
    __device__ __forceinline__ float value(int row, int column) const { return sum[row][column]; }
    __device__ __forceinline__ static bool foldSums(float&, float&) { return true; }
    __device__ __forceinline__ static int sumRow() { return static_cast<int>(threadIdx.x) / 16; }
};

/// Walks the taps over the resident halo, chunk of channels by chunk, with the weights in a ring of three stages.
template <typename T, bool kDataGradient, typename Product>
__device__ __forceinline__ void walkTaps(
    const DenseConvParams& p, const DenseBlock& block, const DenseShared<T>& shared, Product& product) {
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
        copyPixels(
            shared.halo, densePitch(p.chunk, sizeof(T) == 2), p.chunk, input, block.walk.inImageStride,
            block.walk.inRowStride, block.walk.inPixelStride, tile.firstImage, tile.images, tile.rows, tile.columns,
            groupChannel + firstRead, groupChannel + block.readChannels);
        cpAsyncCommit();
        for (int stage = 0; stage < kDenseRingStages - 1; ++stage) {
            if (stage < stages) {
                copyTaps<T, kDataGradient>(
                    shared.ring + stage * stageElements, p, block, stage * p.ringTaps,
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
                copyTaps<T, kDataGradient>(
                    shared.ring + next % kDenseRingStages * stageElements, p, block, next * p.ringTaps,
                    min(p.ringTaps, taps - next * p.ringTaps), firstRead);
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
__device__ __forceinline__ float scaled(
    const DenseConvParams& p, const Product& product, int row, int column, int channel) {
    const float sum = product.value(row, column);
    if (kDataGradient) return sum;
    return sum * (p.scale ? p.scale[channel] : 1.0f) + (p.bias ? p.bias[channel] : 0.0f);
}

/// Scale, bias, residual, ReLU, store: pixel by pixel, so that one address is alive at a time.
template <typename T, bool kDataGradient, typename Product>
__device__ __forceinline__ void storeOutputs(const DenseConvParams& p, const DenseBlock& block, const Product& product) {
    T* out = static_cast<T*>(kDataGradient ? p.x : p.y);
    const bool pairs = sizeof(T) == 2 && ((block.writtenChannels | block.walk.outPixelStride | block.walk.outRowStride |
                                           block.walk.outImageStride) & 1) == 0;
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
                if (p.relu) v = v > 0.0f ? v : 0.0f;
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
__device__ __forceinline__ void storeChannelSums(
    const DenseConvParams& p, const DenseBlock& block, const DenseShared<T>& shared, const Product& product) {
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
