// Dense convolution, weight gradient: a block holds dy of an output tile and the halo of x, and sums one group of taps
// of a chunk x chunk square of channels over its share of the tiles.
#pragma once

#include "dense_tile.cuh"

namespace effconv {

struct DenseGradientBlock {
    int group;
    int firstIn, firstOut;        ///< within the group
    int inChannels, outChannels;  ///< per group
    int firstTap, lastTap;        ///< taps r k + s of this block
    int split;
};

template <typename T>
struct DenseGradientShared {
    T* zeros;
    T* gradients;  ///< [pixel][pitch]
    T* halo;
};

__device__ __forceinline__ DenseGradientBlock gradientBlock(const DenseConvParams& p, int taps) {
    DenseGradientBlock block;
    const int allTaps = p.shape.kernel * p.shape.kernel;
    block.inChannels = p.shape.inChannels / p.shape.groups;
    block.outChannels = p.shape.outChannels / p.shape.groups;
    const int tapGroups = ceilDivide(allTaps, taps);
    const int inBlocks = ceilDivide(block.inChannels, p.chunk);
    const int outBlocks = ceilDivide(block.outChannels, p.chunk);
    unsigned index = blockIdx.x;
    block.firstTap = static_cast<int>(index % tapGroups) * taps;
    block.lastTap = min(block.firstTap + taps, allTaps) - 1;
    index /= tapGroups;
    block.firstIn = static_cast<int>(index % inBlocks) * p.chunk;
    index /= inBlocks;
    block.firstOut = static_cast<int>(index % outBlocks) * p.chunk;
    index /= outBlocks;
    block.group = static_cast<int>(index % p.shape.groups);
    block.split = static_cast<int>(index / p.shape.groups);
    return block;
}

/// dy of the tile's pixels as [pixel][pitch], zero where there is no pixel.
template <typename T>
__device__ __forceinline__ void copyGradients(T* shared, const DenseConvParams& p, const TapWalk& walk,
                                              const DenseTile& tile, int firstChannel, int channelEnd) {
    constexpr int kVector = 16 / static_cast<int>(sizeof(T));
    const int pitch = densePitch(p.chunk, sizeof(T) == 2);
    const bool vectors =
        (walk.outImageStride | walk.outRowStride | walk.outPixelStride | firstChannel | channelEnd) % kVector == 0;
    const int step = vectors ? kVector : 1;
    const int perPixel = p.chunk / step;
    const T* tensor = static_cast<const T*>(p.y);
    for (int i = static_cast<int>(threadIdx.x); i < kDensePixels * perPixel; i += static_cast<int>(blockDim.x)) {
        const int pixel = i / perPixel;
        const int channel = (i - pixel * perPixel) * step;
        const bool inside = pixelBase(p, walk, tile, pixel).imageOffset >= 0 && firstChannel + channel < channelEnd;
        T* target = shared + pixel * pitch + channel;
        const T* source = tensor;
        if (inside) source += outputOffset(p, walk, tile, pixel) + firstChannel + channel;
        if (vectors) {
            cpAsync16(target, source, inside ? 16 : 0);
        } else {
            *target = inside ? *source : fromFloat<T>(0.0f);
        }
    }
}

/// bf16: a warp sums kTaps taps; dw[o][c] = sum over pixels of dy[pixel][o] x[shifted pixel][c], 16 pixels per mma.
template <int kTiles, int kTaps>
struct MmaGradient {
    static constexpr int kBlockTaps = 4 * kTaps;
    float sum[kTaps][kTiles][2 * kTiles][4];

    __device__ __forceinline__ void start() {
#pragma unroll
        for (int t = 0; t < kTaps; ++t)
#pragma unroll
            for (int m = 0; m < kTiles; ++m)
#pragma unroll
                for (int n = 0; n < 2 * kTiles; ++n)
                    sum[t][m][n][0] = sum[t][m][n][1] = sum[t][m][n][2] = sum[t][m][n][3] = 0.0f;
    }

    __device__ __forceinline__ void addTile(const DenseConvParams& p, const DenseGradientBlock& block,
                                            const TapWalk& walk, const DenseTile& tile,
                                            const DenseGradientShared<std::uint16_t>& shared) {
        const int lane = static_cast<int>(threadIdx.x) & 31;
        const int warp = static_cast<int>(threadIdx.x) >> 5;
        const int pitch = densePitch(16 * kTiles, true);
        const int half = (lane >> 4) * 8;
        for (int first = 0; first < kDensePixels; first += 16) {
            // dy: rows of shared memory are pixels (the summed dimension), so both fragments are read transposed.
            std::uint32_t a[kTiles][4];
            const std::uint16_t* row = shared.gradients + (first + (lane & 7) + half) * pitch + (lane >> 3 & 1) * 8;
#pragma unroll
            for (int m = 0; m < kTiles; ++m) ldmatrixX4Trans(a[m], row + m * 16);
            const PixelBase base = pixelBase(p, walk, tile, first + (lane & 15));
#pragma unroll
            for (int t = 0; t < kTaps; ++t) {
                const int tap = block.firstTap + warp * kTaps + t;
                const int r = tap / p.shape.kernel;
                const int pixel = tap <= block.lastTap ? haloPixel(tile, 1, base, r, tap - r * p.shape.kernel) : -1;
                if (!__any_sync(0xffffffffu, pixel >= 0)) continue;
                const std::uint16_t* source = pixel >= 0 ? shared.halo + pixel * pitch + half : shared.zeros;
                const int step = pixel >= 0 ? 16 : 0;
#pragma unroll
                for (int n = 0; n < kTiles; ++n) {
                    std::uint32_t b[4];
                    ldmatrixX4Trans(b, source + n * step);
                    const std::uint32_t low[2] = {b[0], b[1]};
                    const std::uint32_t high[2] = {b[2], b[3]};
#pragma unroll
                    for (int m = 0; m < kTiles; ++m) {
                        mmaBf16(sum[t][m][2 * n], a[m], low);
                        mmaBf16(sum[t][m][2 * n + 1], a[m], high);
                    }
                }
            }
        }
    }

    /// Calls store(tap, out, in, value) for every sum; out and in count from the block's first channels.
    template <typename Store>
    __device__ __forceinline__ void forEach(const DenseGradientBlock& block, Store store) const {
        const int lane = static_cast<int>(threadIdx.x) & 31;
        const int warp = static_cast<int>(threadIdx.x) >> 5;
#pragma unroll
        for (int t = 0; t < kTaps; ++t)
#pragma unroll
            for (int m = 0; m < kTiles; ++m)
#pragma unroll
                for (int n = 0; n < 2 * kTiles; ++n)
#pragma unroll
                    for (int i = 0; i < 4; ++i) {
                        store(block.firstTap + warp * kTaps + t, m * 16 + lane / 4 + i / 2 * 8,
                              n * 8 + (lane & 3) * 2 + i % 2, sum[t][m][n][i]);
                    }
    }
};

/// fp32: a thread sums 4 x 4 channels of 4 taps; (chunk / 4)^2 threads share a tap.
struct FmaGradient {
    static constexpr int kTaps = 4;
    float sum[kTaps][4][4];

    __device__ __forceinline__ void start() {
#pragma unroll
        for (int t = 0; t < kTaps; ++t)
#pragma unroll
            for (int m = 0; m < 4; ++m)
#pragma unroll
                for (int n = 0; n < 4; ++n) sum[t][m][n] = 0.0f;
    }

    /// First tap, first output and first input channel of this thread, from the block's firsts on.
    struct Share {
        int tap, out, in;
    };
    __device__ __forceinline__ static Share share(int chunk) {
        const int side = chunk / 4;
        const int thread = static_cast<int>(threadIdx.x);
        return {thread / (side * side) * kTaps, thread / side % side * 4, thread % side * 4};
    }

    __device__ __forceinline__ void addTile(const DenseConvParams& p, const DenseGradientBlock& block,
                                            const TapWalk& walk, const DenseTile& tile,
                                            const DenseGradientShared<float>& shared) {
        const Share mine = share(p.chunk);
        const int pitch = densePitch(p.chunk, false);
        int tapRow[kTaps], tapColumn[kTaps];
#pragma unroll
        for (int t = 0; t < kTaps; ++t) {
            const int tap = block.firstTap + mine.tap + t;
            tapRow[t] = tap / p.shape.kernel;
            tapColumn[t] = tap - tapRow[t] * p.shape.kernel;
        }
        for (int pixel = 0; pixel < kDensePixels; ++pixel) {
            const PixelBase base = pixelBase(p, walk, tile, pixel);
            if (base.imageOffset < 0) continue;
            const float4 dy = *reinterpret_cast<const float4*>(shared.gradients + pixel * pitch + mine.out);
#pragma unroll
            for (int t = 0; t < kTaps; ++t) {
                const int source = haloPixel(tile, 1, base, tapRow[t], tapColumn[t]);
                if (source < 0) continue;
                const float4 x = *reinterpret_cast<const float4*>(shared.halo + source * pitch + mine.in);
                const float rows[4] = {dy.x, dy.y, dy.z, dy.w};
#pragma unroll
                for (int m = 0; m < 4; ++m) {
                    sum[t][m][0] += rows[m] * x.x;
                    sum[t][m][1] += rows[m] * x.y;
                    sum[t][m][2] += rows[m] * x.z;
                    sum[t][m][3] += rows[m] * x.w;
                }
            }
        }
    }

    template <typename Store>
    __device__ __forceinline__ void forEach(const DenseGradientBlock& block, int chunk, Store store) const {
        const Share mine = share(chunk);
#pragma unroll
        for (int t = 0; t < kTaps; ++t)
#pragma unroll
            for (int m = 0; m < 4; ++m)
#pragma unroll
                for (int n = 0; n < 4; ++n) {
                    store(block.firstTap + mine.tap + t, mine.out + m, mine.in + n, sum[t][m][n]);
                }
    }
};

/// Sums the block's share of the tiles into gradient.
template <typename T, typename Gradient>
__device__ __forceinline__ void sumTiles(const DenseConvParams& p, const DenseGradientBlock& block,
                                         Gradient& gradient) {
    EC_DYN_SHARED(unsigned char, memory);
    const int pitch = densePitch(p.chunk, sizeof(T) == 2);
    DenseGradientShared<T> shared;
    shared.zeros = reinterpret_cast<T*>(memory);
    shared.gradients = reinterpret_cast<T*>(memory + kDenseZeroBytes);
    shared.halo = shared.gradients + kDensePixels * pitch;
    if (threadIdx.x < kDenseZeroBytes / sizeof(T)) shared.zeros[threadIdx.x] = fromFloat<T>(0.0f);

    const TapWalk walk = tapWalk(p.shape, false);
    const Range tapRows = {block.firstTap / p.shape.kernel, block.lastTap / p.shape.kernel + 1};
    const std::int64_t first = p.tiles * block.split / p.splits;
    const std::int64_t last = p.tiles * (block.split + 1) / p.splits;
    gradient.start();
    for (std::int64_t number = first; number < last; ++number) {
        const DenseTile tile = denseTile(p, walk, number, tapRows);
        if (number > first) __syncthreads();
        const int in = block.group * block.inChannels;
        const int out = block.group * block.outChannels;
        copyGradients(shared.gradients, p, walk, tile, out + block.firstOut, out + block.outChannels);
        copyPixels(shared.halo, pitch, p.chunk, static_cast<const T*>(p.x), walk.inImageStride, walk.inRowStride,
                   walk.inPixelStride, tile.firstImage, tile.images, tile.rows, tile.columns, in + block.firstIn,
                   in + block.inChannels);
        cpAsyncCommit();
        cpAsyncWait<0>();
        __syncthreads();
        gradient.addTile(p, block, walk, tile, shared);
    }
}

/// Where partial sums go: workspace [split][outChannels][k][k][in per group].
struct PartialStore {
    const DenseConvParams& p;
    const DenseGradientBlock& block;

    __device__ __forceinline__ void operator()(int tap, int out, int in, float value) const {
        const int k = p.shape.kernel;
        if (tap > block.lastTap || block.firstOut + out >= block.outChannels ||
            block.firstIn + in >= block.inChannels) {
            return;
        }
        const std::int64_t row = static_cast<std::int64_t>(block.split) * p.shape.outChannels +
                                 block.group * block.outChannels + block.firstOut + out;
        p.workspace[(row * k * k + tap) * block.inChannels + block.firstIn + in] = value;
    }
};

template <int kTiles, int kTaps>
__device__ __forceinline__ void denseWeightGradientBf16(const DenseConvParams& p) {
    MmaGradient<kTiles, kTaps> gradient;
    const DenseGradientBlock block = gradientBlock(p, MmaGradient<kTiles, kTaps>::kBlockTaps);
    sumTiles<std::uint16_t>(p, block, gradient);
    gradient.forEach(block, PartialStore{p, block});
}

__device__ __forceinline__ void denseWeightGradientF32(const DenseConvParams& p) {
    FmaGradient gradient;
    const DenseGradientBlock block = gradientBlock(p, denseGradientTaps(p.chunk, false));
    sumTiles<float>(p, block, gradient);
    gradient.forEach(block, p.chunk, PartialStore{p, block});
}

}  // namespace effconv
