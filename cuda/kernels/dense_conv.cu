// Dense and grouped convolution for narrow layers (up to 64 channels per block; wider ones loop over chunks), any odd k
// up to 33 at run time, stride 1 and 2, any channel count, fp32 (FFMA) and bf16 (mma.sync m16n8k16, fp32 sums).
//
//   ec_dense_forward_*          y = relu(scale * conv(x, w) + bias + residual), and per-channel sums for batch norm
//   ec_dense_data_gradient_*    the same walk over dy with flipped taps, dy dilated by the stride
//   ec_dense_weight_gradient_*  dw[o,r,s,c] = sum over pixels of dy[pixel,o] x[shifted pixel,c]
//   ec_dense_weight_gradient_sum, ec_dense_channel_sums   second halves: partial sums added in a fixed order
//
// Implicit GEMM whose input stays put: a block of 128 output pixels (of several small images, or a 16 x 8 piece of a
// large one) keeps the halo of one channel chunk in shared memory while the taps walk over it, so x is read from L2
// once per chunk and not k^2 times. Weights of the next taps arrive through a ring of three cp.async stages of about 8
// KB. The halo holds pixels of the image only; a tap outside reads 16 bytes of zeros, a tap outside for the whole tile
// is never loaded, one outside for a whole warp is skipped. Weight gradient: dy and halo resident, a warp holds 8, 2 or
// 1 taps (bf16), a thread 4 x 4 channels of 4 taps (fp32); tiles are split over blocks into fp32 partial sums.
//
// Not done: wgmma, tf32, double-buffered halo (other blocks of the multiprocessor cover the copy), 16-byte stores (a
// quad of lanes stores 16 bytes of bf16 in pairs), stride 2 without a two-way bank conflict. Floor on an H200 (bf16, N
// 512, 32x32, C = K): 16 / k 11: 41 us, 32 / k 7: 67 us, 64 / k 11: 660 us, all tensor-bound at 788 TFLOP/s; mma.sync
// reaches about 62 % of that rate there. Measured: not yet on a card.

#include "dense_forward.cuh"
#include "dense_weight_gradient.cuh"
#include "effconv/kernel_table.h"
#include "split_sum.cuh"

namespace effconv {
namespace {

/// One block per channel: the tiles' partial sums, dealt to 256 threads and folded in a tree.
__device__ __forceinline__ void sumChannels(const DenseConvParams& p) {
    EC_DYN_SHARED(float, partial);
    const int thread = static_cast<int>(threadIdx.x);
    const int channels = p.shape.outChannels;
    const int channel = static_cast<int>(blockIdx.x);
    for (int which = 0; which < 2; ++which) {
        float sum = 0.0f;
        for (std::int64_t tile = thread; tile < p.tiles; tile += blockDim.x) {
            sum += p.workspace[(tile * 2 + which) * channels + channel];
        }
        partial[which * 256 + thread] = sum;
    }
    for (int half = 128; half > 0; half /= 2) {
        __syncthreads();
        if (thread < half) {
            partial[thread] += partial[thread + half];
            partial[256 + thread] += partial[256 + thread + half];
        }
    }
    if (thread == 0) {
        p.channelSums[channel] = partial[0];
        p.channelSums[channels + channel] = partial[256];
    }
}

}  // namespace

// Blocks per multiprocessor that the 64-channel bf16 kernels leave registers for; on sm_100 three would spill.
#if defined(__CUDA_ARCH__) && __CUDA_ARCH__ >= 1000 && __CUDA_ARCH__ < 1200
#define EC_DENSE_BLOCKS_64 2
#else
#define EC_DENSE_BLOCKS_64 3
#endif
#define EC_DENSE_BLOCKS_32 3
#define EC_DENSE_BLOCKS_16 3

#define EC_DENSE_FORWARD(size, tiles)                                                                                  \
    extern "C" __global__ void __launch_bounds__(256, 2) ec_dense_forward_f32_n##size(const DenseConvParams p) {       \
        denseForward<float, false, FmaProduct<tiles, false>>(p);                                                       \
    }                                                                                                                  \
    extern "C" __global__ void __launch_bounds__(256, 2) ec_dense_data_gradient_f32_n##size(const DenseConvParams p) { \
        denseForward<float, true, FmaProduct<tiles, true>>(p);                                                         \
    }                                                                                                                  \
    extern "C" __global__ void __launch_bounds__(128, EC_DENSE_BLOCKS_##size)                                          \
        ec_dense_forward_bf16_n##size(const DenseConvParams p) {                                                       \
        denseForward<std::uint16_t, false, MmaProduct<tiles, false>>(p);                                               \
    }                                                                                                                  \
    extern "C" __global__ void __launch_bounds__(128, EC_DENSE_BLOCKS_##size)                                          \
        ec_dense_data_gradient_bf16_n##size(const DenseConvParams p) {                                                 \
        denseForward<std::uint16_t, true, MmaProduct<tiles, true>>(p);                                                 \
    }

EC_DENSE_FORWARD(16, 1)
EC_DENSE_FORWARD(32, 2)
EC_DENSE_FORWARD(64, 4)

extern "C" __global__ void __launch_bounds__(256, 2) ec_dense_weight_gradient_f32(const DenseConvParams p) {
    denseWeightGradientF32(p);
}
extern "C" __global__ void __launch_bounds__(128, 3) ec_dense_weight_gradient_bf16_c16(const DenseConvParams p) {
    denseWeightGradientBf16<1, 8>(p);
}
extern "C" __global__ void __launch_bounds__(128, 3) ec_dense_weight_gradient_bf16_c32(const DenseConvParams p) {
    denseWeightGradientBf16<2, 2>(p);
}
extern "C" __global__ void __launch_bounds__(128, 2) ec_dense_weight_gradient_bf16_c64(const DenseConvParams p) {
    denseWeightGradientBf16<4, 1>(p);
}

extern "C" __global__ void __launch_bounds__(256) ec_dense_weight_gradient_sum(const DenseConvParams p) {
    const std::int64_t count = static_cast<std::int64_t>(p.shape.outChannels) * p.shape.kernel * p.shape.kernel *
                               (p.shape.inChannels / p.shape.groups);
    sumSplits(p.workspace, count, p.splits, p.w, p.weightGradientBf16 != 0);
}

extern "C" __global__ void __launch_bounds__(256) ec_dense_channel_sums(const DenseConvParams p) {
    sumChannels(p);
}

EC_KERNEL_TABLE(dense_conv)

}  // namespace effconv
