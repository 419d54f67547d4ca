// Sums over the rows of [rows][channels], fp32 and bf16: the gradient of a bias, of a convolution or a linear layer.
//
//   ec_channel_sums_*        x -> partial sums per channel and split of the rows
//   ec_channel_sums_finish   partial sums -> sums, joined in fp64
//
// A thread keeps 16 bytes of neighbouring channels (one channel where their number or the stride is no multiple) and
// walks over rows; the rows of a block meet in shared memory in a fixed tree, the splits in a fixed order.
//
// Floor: memory. bf16, N 512, 64 channels, 32x32 on an H200 (4.3 TB/s): 15.6 us.
// Measured: not yet on a card.

#include "channel_vector.cuh"
#include "effconv/kernel_table.h"
#include "effconv/kernels/channel_sums.h"
#include "row_sum.cuh"

namespace effconv {
namespace {

template <typename T, int kVector>
__device__ __forceinline__ void partialSums(const ChannelSumsParams& p) {
    EC_DYN_SHARED(float, shared);
    const int vectors = p.channels / kVector;
    const int channelBlocks = (vectors + p.lanes - 1) / p.lanes;
    const int split = static_cast<int>(blockIdx.x) / channelBlocks;
    const int thread = static_cast<int>(threadIdx.x);
    const int vector = static_cast<int>(blockIdx.x) % channelBlocks * p.lanes + thread % p.lanes;
    const int row = thread / p.lanes;
    const int rows = kChannelSumsThreads / p.lanes;
    const bool active = vector < vectors;
    const T* x = static_cast<const T*>(p.x) + vector * kVector;
    float sum[kVector];
#pragma unroll
    for (int i = 0; i < kVector; ++i) sum[i] = 0.0f;
    const std::int64_t last = p.rows * (split + 1) / p.splits;
#pragma unroll 4
    for (std::int64_t at = p.rows * split / p.splits + row; active && at < last; at += rows) {
        float value[kVector];
        loadChannels(x + at * p.rowStride, value);
#pragma unroll
        for (int i = 0; i < kVector; ++i) sum[i] += value[i];
    }
    sumRows<kChannelSumsThreads>(sum, p.lanes, shared);
    if (!active || row != 0) return;
    float* out = p.workspace + static_cast<std::int64_t>(split) * p.channels + vector * kVector;
#pragma unroll
    for (int i = 0; i < kVector; ++i) out[i] = sum[i];
}

__device__ void finish(const ChannelSumsParams& p) {
    EC_DYN_SHARED(double, shares);
    const int thread = static_cast<int>(threadIdx.x);
    const int channel = static_cast<int>(blockIdx.x) * kChannelSumsLanes + thread % kChannelSumsLanes;
    double sum = 0.0;
    if (channel < p.channels) {
        for (int split = thread / kChannelSumsLanes; split < p.splits;
             split += kChannelSumsThreads / kChannelSumsLanes) {
            sum += p.workspace[static_cast<std::int64_t>(split) * p.channels + channel];
        }
    }
    shares[thread] = sum;
    __syncthreads();
    if (channel >= p.channels || thread >= kChannelSumsLanes) return;
    sum = 0.0;
#ifdef EC_FAULT_forgotten_share
    constexpr int kEnd = kChannelSumsThreads - kChannelSumsLanes;
#else
    constexpr int kEnd = kChannelSumsThreads;
#endif
    for (int i = thread; i < kEnd; i += kChannelSumsLanes) sum += shares[i];
    p.sums[channel] = static_cast<float>(sum);
}

}  // namespace

EC_CHANNEL_KERNELS(ec_channel_sums, partialSums, ChannelSumsParams, kChannelSumsThreads)
extern "C" __global__ void __launch_bounds__(kChannelSumsThreads) ec_channel_sums_finish(const ChannelSumsParams p) {
    finish(p);
}

EC_KERNEL_TABLE(channel_sums)

}  // namespace effconv
