// What the threads of a dense forward (or data-gradient) block hold: sums of output pixels x output channels, by
// mma.sync or by FFMA, behind one interface: start, tap, value(row, column), where rows are pixels and columns channels
// of the thread.
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
    shared.halo = shared.ring + kDenseRingStages * p.ringTaps * denseTapElements(p, kDataGradient, sizeof(T) == 2);
    return shared;
}

/// What a block works on.
struct DenseBlock {
    DenseTile tile;
    TapWalk walk;
    std::int64_t tileNumber;
    int group;
    int firstOut;         ///< first output channel within the group
    int readChannels;     ///< per group
    int writtenChannels;  ///< per group
};

/// bf16 on the tensor cores: a warp forms 32 pixels x 16 kTiles channels. A is read by ldmatrix from tap-shifted
/// pixels.
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

    __device__ __forceinline__ void tap(const DenseConvParams& p, const DenseBlock& block,
                                        const DenseShared<std::uint16_t>& shared, const std::uint16_t* weights, int r,
                                        int s) {
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
        const std::uint16_t* weightRow = kDataGradient
                                             ? weights + ((lane & 7) + (lane >> 3 & 1) * 8) * weightPitch + half
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

    static constexpr int kRows = 4;              ///< output pixels of a thread
    static constexpr int kColumns = 4 * kTiles;  ///< output channels of a thread
    static constexpr int kSumRows = 4;           ///< partial channel sums per block: one per warp

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
    __device__ __forceinline__ static int sumRow() {
        return static_cast<int>(threadIdx.x) >> 5;
    }
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

    __device__ __forceinline__ void tap(const DenseConvParams& p, const DenseBlock& block,
                                        const DenseShared<float>& shared, const float* weights, int r, int s) {
        const int lane = static_cast<int>(threadIdx.x) & 15;
        const int pitch = densePitch(p.chunk, false);
        // Where registers are scarce the pixels' coordinates are computed anew for each tap.
        const int shift = kTiles == 4 ? opaque(0) : 0;
        int pixels[8];
        bool any = false;
#pragma unroll
        for (int m = 0; m < 8; ++m) {
            pixels[m] = haloPixel(block.tile, block.walk.dilation,
                                  pixelBase(p, block.walk, block.tile, pixelOf(m) + shift), r, s);
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
                    b[n] =
                        make_float4(column[0], column[weightPitch], column[2 * weightPitch], column[3 * weightPitch]);
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

    __device__ __forceinline__ static int pixelOf(int row) {
        return row * 16 + static_cast<int>(threadIdx.x) / 16;
    }
    __device__ __forceinline__ static int channelOf(int column) {
        return column * 16 + (static_cast<int>(threadIdx.x) & 15);
    }
    __device__ __forceinline__ float value(int row, int column) const {
        return sum[row][column];
    }
    __device__ __forceinline__ static bool foldSums(float&, float&) {
        return true;
    }
    __device__ __forceinline__ static int sumRow() {
        return static_cast<int>(threadIdx.x) / 16;
    }
};

}  // namespace effconv
