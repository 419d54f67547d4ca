// Batch normalisation over the pixels of NHWC activations, fused with ReLU and a residual, fp32 and bf16, any C.
//
//   ec_batch_norm_moments_*         x -> mean and sum of squared deviations per channel and split
//   ec_batch_norm_finish            joins the splits: mean, invStd, running statistics (unbiased variance)
//   ec_batch_norm_apply_*           y = relu(scale (x - mean) invStd + shift + residual); also inference
//   ec_batch_norm_gradient_sums_*   g = dy [y > 0]: sums of g and of g (x - mean) invStd per channel and split
//   ec_batch_norm_gradient_finish   joins the splits: dshift, dscale
//   ec_batch_norm_gradient_apply_*  dx = scale invStd (g - (dshift + xhat dscale) / pixels), dresidual = g
//
// A thread keeps 16 bytes of neighbouring channels (one channel where C or the pixel stride is no multiple) and walks
// over pixels; the rows of a block meet in shared memory in a fixed tree, the splits in fp64 in a fixed order. Moments
// are sums of deviations from the thread's first value and are joined by Chan's formula (Chan, Golub, LeVeque,
// "Updating formulae and a pairwise algorithm for computing sample variances", 1979), so a mean far from zero costs no
// digits. Sums that a convolution left (channelSums) skip the first launch, but are E x^2 - (E x)^2: accurate where
// |mean| is not >> deviation.
//
// Floor: memory. Training reads x twice and writes y; the gradient reads x, dy (and y) twice and writes dx: bf16, N
// 512, 16 channels, 32x32 on an H200 (4.3 TB/s): 11.7 us forward, 27 us backward with ReLU (7 passes). Measured: not
// yet on a card.

#include "channel_vector.cuh"
#include "effconv/kernel_table.h"
#include "effconv/kernels/batch_norm.h"
#include "row_sum.cuh"

namespace effconv {
namespace {

/// What a thread owns: kVector channels of every rows-th pixel of a split.
struct Walk {
    int channel;
    bool active;
    int row, rows;
    int split;
    std::int64_t first, last;
};

__device__ __forceinline__ std::int64_t splitStart(std::int64_t pixels, int split, int splits) {
    return pixels * split / splits;
}

template <int kVector>
__device__ __forceinline__ Walk walkOf(const BatchNormParams& p) {
    const int vectors = p.channels / kVector;
    const int channelBlocks = (vectors + p.lanes - 1) / p.lanes;
    const int splits = static_cast<int>(gridDim.x) / channelBlocks;
    Walk walk;
    walk.split = static_cast<int>(blockIdx.x) / channelBlocks;
    const int vector = static_cast<int>(blockIdx.x) % channelBlocks * p.lanes + static_cast<int>(threadIdx.x) % p.lanes;
    walk.channel = vector * kVector;
    walk.active = vector < vectors;
    walk.row = static_cast<int>(threadIdx.x) / p.lanes;
    walk.rows = kBatchNormThreads / p.lanes;
    walk.first = splitStart(p.pixels, walk.split, splits);
    walk.last = splitStart(p.pixels, walk.split + 1, splits);
    return walk;
}

/// Channels of the rows of a block in shared memory, [number of the array][thread].
__device__ __forceinline__ float& cell(float* shared, int array) {
    return shared[array * kBatchNormThreads + static_cast<int>(threadIdx.x)];
}

template <typename T, int kVector>
__device__ __forceinline__ void moments(const BatchNormParams& p) {
    EC_DYN_SHARED(float, shared);
    const Walk walk = walkOf<kVector>(p);
    const T* x = static_cast<const T*>(p.x) + walk.channel;
    float pivot[kVector], sum[kVector], square[kVector];
#pragma unroll
    for (int i = 0; i < kVector; ++i) pivot[i] = sum[i] = square[i] = 0.0f;
    float count = 0.0f;
    if (walk.active) {
        if (walk.first + walk.row < walk.last) loadChannels(x + (walk.first + walk.row) * p.pixelStride, pivot);
        int seen = 0;
        for (std::int64_t pixel = walk.first + walk.row; pixel < walk.last; pixel += walk.rows) {
            float value[kVector];
            loadChannels(x + pixel * p.pixelStride, value);
#pragma unroll
            for (int i = 0; i < kVector; ++i) {
                const float deviation = value[i] - pivot[i];
                sum[i] += deviation;
                square[i] += deviation * deviation;
            }
            ++seen;
        }
        count = static_cast<float>(seen);
    }
    const float inverse = count > 0.0f ? 1.0f / count : 0.0f;
#pragma unroll
    for (int i = 0; i < kVector; ++i) {
        cell(shared, 2 * i) = pivot[i] + sum[i] * inverse;
        cell(shared, 2 * i + 1) = square[i] - sum[i] * (sum[i] * inverse);
    }
    cell(shared, 2 * kVector) = count;
    for (int half = walk.rows / 2; half > 0; half /= 2) {
#ifndef EC_FAULT_dropped_barrier
        __syncthreads();
#endif
        if (walk.row >= half) continue;
        const int other = half * p.lanes;
        const float otherCount = (&cell(shared, 2 * kVector))[other];
        const float total = count + otherCount;
        if (otherCount == 0.0f) continue;
        const float share = otherCount / total;
#pragma unroll
        for (int i = 0; i < kVector; ++i) {
            float& mean = cell(shared, 2 * i);
            float& squares = cell(shared, 2 * i + 1);
            const float difference = (&mean)[other] - mean;
            mean += difference * share;
            squares += (&squares)[other] + difference * difference * (count * share);
        }
        count = total;
        cell(shared, 2 * kVector) = total;
    }
    if (!walk.active || walk.row != 0) return;
    float* out = p.workspace + static_cast<std::int64_t>(walk.split) * 2 * p.channels + walk.channel;
#pragma unroll
    for (int i = 0; i < kVector; ++i) {
        out[i] = cell(shared, 2 * i);
        out[p.channels + i] = cell(shared, 2 * i + 1);
    }
}

/// Sum over the shares of a channel, in their order; every thread of the channel gets it. Threads are [share][channel].
__device__ double sumShares(double value, double* scratch) {
    scratch[threadIdx.x] = value;
    __syncthreads();
    double sum = 0.0;
    for (int i = static_cast<int>(threadIdx.x) % kBatchNormLanes; i < kBatchNormThreads; i += kBatchNormLanes) {
        sum += scratch[i];
    }
    __syncthreads();
    return sum;
}

/// Sum over the splits of row `which` (0 or 1) of the workspace, for the thread's channel.
__device__ double sumSplits(const BatchNormParams& p, int which, int channel, double* scratch) {
    double sum = 0.0;
    if (channel < p.channels) {
        for (int split = static_cast<int>(threadIdx.x) / kBatchNormLanes; split < p.splits;
             split += kBatchNormThreads / kBatchNormLanes) {
            sum += p.workspace[(static_cast<std::int64_t>(split) * 2 + which) * p.channels + channel];
        }
    }
    return sumShares(sum, scratch);
}

/// Mean of x and sum of squared deviations from it, from the splits' moments.
__device__ void joinMoments(const BatchNormParams& p, int channel, double* scratch, double& mean, double& squares) {
    const int share = static_cast<int>(threadIdx.x) / kBatchNormLanes;
    constexpr int kShares = kBatchNormThreads / kBatchNormLanes;
    double weighted = 0.0, within = 0.0;
    for (int split = share; split < p.splits && channel < p.channels; split += kShares) {
        const double count =
            static_cast<double>(splitStart(p.pixels, split + 1, p.splits) - splitStart(p.pixels, split, p.splits));
        weighted += count * p.workspace[static_cast<std::int64_t>(split) * 2 * p.channels + channel];
    }
    mean = sumShares(weighted, scratch) / static_cast<double>(p.pixels);
    for (int split = share; split < p.splits && channel < p.channels; split += kShares) {
        const double count =
            static_cast<double>(splitStart(p.pixels, split + 1, p.splits) - splitStart(p.pixels, split, p.splits));
        const float* moment = p.workspace + static_cast<std::int64_t>(split) * 2 * p.channels + channel;
        const double difference = moment[0] - mean;
        within += moment[p.channels] + count * difference * difference;
    }
    squares = sumShares(within, scratch);
}

template <typename T, int kVector>
__device__ __forceinline__ void apply(const BatchNormParams& p) {
    const Walk walk = walkOf<kVector>(p);
    if (!walk.active) return;
    const T* x = static_cast<const T*>(p.x) + walk.channel;
    const T* residual = p.residual == nullptr ? nullptr : static_cast<const T*>(p.residual) + walk.channel;
    T* y = static_cast<T*>(p.y) + walk.channel;
    float mean[kVector], factor[kVector], shift[kVector];
#pragma unroll
    for (int i = 0; i < kVector; ++i) {
        const int channel = walk.channel + i;
        mean[i] = p.inference ? p.runningMean[channel] : p.mean[channel];
        const float invStd = p.inference ? 1.0f / sqrtf(p.runningVariance[channel] + p.epsilon) : p.invStd[channel];
        factor[i] = p.scale[channel] * invStd;
        shift[i] = p.shift[channel];
    }
    for (std::int64_t pixel = walk.first + walk.row; pixel < walk.last; pixel += walk.rows) {
        float value[kVector];
        loadChannels(x + pixel * p.pixelStride, value);
#pragma unroll
        for (int i = 0; i < kVector; ++i) value[i] = factor[i] * (value[i] - mean[i]) + shift[i];
        if (residual != nullptr) {
            float added[kVector];
            loadChannels(residual + pixel * p.pixelStride, added);
#pragma unroll
            for (int i = 0; i < kVector; ++i) value[i] += added[i];
        }
        if (p.relu) {
#pragma unroll
            for (int i = 0; i < kVector; ++i) value[i] = rectified(value[i]);
        }
        storeChannels(y + pixel * p.pixelStride, value);
    }
}

/// dy where the activation lets it through.
template <typename T, int kVector>
__device__ __forceinline__ void loadGradient(const BatchNormParams& p, std::int64_t offset,
                                             float (&gradient)[kVector]) {
    loadChannels(static_cast<const T*>(p.dy) + offset, gradient);
    if (!p.relu) return;
    float output[kVector];
    loadChannels(static_cast<const T*>(p.y) + offset, output);
#pragma unroll
    for (int i = 0; i < kVector; ++i) gradient[i] = rectifiedGradient(output[i], gradient[i]);
}

template <typename T, int kVector>
__device__ __forceinline__ void gradientSums(const BatchNormParams& p) {
    EC_DYN_SHARED(float, shared);
    const Walk walk = walkOf<kVector>(p);
    float mean[kVector], invStd[kVector];
    float sums[2 * kVector];  // of g, then of g (x - mean) invStd
#pragma unroll
    for (int i = 0; i < kVector; ++i) {
        mean[i] = walk.active ? p.mean[walk.channel + i] : 0.0f;
        invStd[i] = walk.active ? p.invStd[walk.channel + i] : 0.0f;
        sums[i] = sums[kVector + i] = 0.0f;
    }
    for (std::int64_t pixel = walk.first + walk.row; walk.active && pixel < walk.last; pixel += walk.rows) {
        const std::int64_t offset = pixel * p.pixelStride + walk.channel;
        float gradient[kVector], value[kVector];
        loadGradient<T>(p, offset, gradient);
        loadChannels(static_cast<const T*>(p.x) + offset, value);
#pragma unroll
        for (int i = 0; i < kVector; ++i) {
            sums[i] += gradient[i];
            sums[kVector + i] += gradient[i] * ((value[i] - mean[i]) * invStd[i]);
        }
    }
    sumRows<kBatchNormThreads>(sums, p.lanes, shared);
    if (!walk.active || walk.row != 0) return;
    float* out = p.workspace + static_cast<std::int64_t>(walk.split) * 2 * p.channels + walk.channel;
#pragma unroll
    for (int i = 0; i < kVector; ++i) {
        out[i] = sums[i];
        out[p.channels + i] = sums[kVector + i];
    }
}

template <typename T, int kVector>
__device__ __forceinline__ void gradientApply(const BatchNormParams& p) {
    const Walk walk = walkOf<kVector>(p);
    if (!walk.active) return;
    const float inverse = 1.0f / static_cast<float>(p.pixels);
    float mean[kVector], invStd[kVector], factor[kVector], meanGradient[kVector], meanProduct[kVector];
#pragma unroll
    for (int i = 0; i < kVector; ++i) {
        const int channel = walk.channel + i;
        mean[i] = p.mean[channel];
        invStd[i] = p.invStd[channel];
        factor[i] = p.scale[channel] * invStd[i];
        meanGradient[i] = p.dshift[channel] * inverse;
        meanProduct[i] = p.dscale[channel] * inverse;
    }
    for (std::int64_t pixel = walk.first + walk.row; pixel < walk.last; pixel += walk.rows) {
        const std::int64_t offset = pixel * p.pixelStride + walk.channel;
        float gradient[kVector], value[kVector];
        loadGradient<T>(p, offset, gradient);
        loadChannels(static_cast<const T*>(p.x) + offset, value);
        if (p.dresidual != nullptr) storeChannels(static_cast<T*>(p.dresidual) + offset, gradient);
#pragma unroll
        for (int i = 0; i < kVector; ++i) {
            const float normalised = (value[i] - mean[i]) * invStd[i];
            value[i] = factor[i] * (gradient[i] - meanGradient[i] - normalised * meanProduct[i]);
        }
        storeChannels(static_cast<T*>(p.dx) + offset, value);
    }
}

}  // namespace

EC_CHANNEL_KERNELS(ec_batch_norm_moments, moments, BatchNormParams, kBatchNormThreads)
EC_CHANNEL_KERNELS(ec_batch_norm_apply, apply, BatchNormParams, kBatchNormThreads)
EC_CHANNEL_KERNELS(ec_batch_norm_gradient_sums, gradientSums, BatchNormParams, kBatchNormThreads)
EC_CHANNEL_KERNELS(ec_batch_norm_gradient_apply, gradientApply, BatchNormParams, kBatchNormThreads)

extern "C" __global__ void __launch_bounds__(kBatchNormThreads, 2) ec_batch_norm_finish(const BatchNormParams p) {
    EC_DYN_SHARED(double, scratch);
    const int channel =
        static_cast<int>(blockIdx.x) * kBatchNormLanes + static_cast<int>(threadIdx.x) % kBatchNormLanes;
    const double pixels = static_cast<double>(p.pixels);
    double mean = 0.0, squares = 0.0;
    if (p.channelSums == nullptr) {
        joinMoments(p, channel, scratch, mean, squares);
    } else if (channel < p.channels) {
        mean = p.channelSums[channel] / pixels;
        squares = p.channelSums[p.channels + channel] - pixels * mean * mean;
        squares = squares < 0.0 ? 0.0 : squares;
    }
    if (channel >= p.channels || static_cast<int>(threadIdx.x) >= kBatchNormLanes) return;
    p.mean[channel] = static_cast<float>(mean);
    p.invStd[channel] = static_cast<float>(1.0 / sqrt(squares / pixels + p.epsilon));
    if (p.runningMean == nullptr) return;
#ifdef EC_FAULT_biased_variance
    const double unbiased = squares / pixels;
#else
    const double unbiased = squares / (p.pixels > 1 ? pixels - 1.0 : 1.0);
#endif
    const double momentum = p.momentum;
    p.runningMean[channel] = static_cast<float>((1.0 - momentum) * p.runningMean[channel] + momentum * mean);
    p.runningVariance[channel] =
        static_cast<float>((1.0 - momentum) * p.runningVariance[channel] + momentum * unbiased);
}

extern "C" __global__ void __launch_bounds__(kBatchNormThreads, 2)
    ec_batch_norm_gradient_finish(const BatchNormParams p) {
    EC_DYN_SHARED(double, scratch);
    const int channel =
        static_cast<int>(blockIdx.x) * kBatchNormLanes + static_cast<int>(threadIdx.x) % kBatchNormLanes;
    const double shift = sumSplits(p, 0, channel, scratch);
    const double scale = sumSplits(p, 1, channel, scratch);
    if (channel >= p.channels || static_cast<int>(threadIdx.x) >= kBatchNormLanes) return;
    p.dshift[channel] = static_cast<float>(shift);
    p.dscale[channel] = static_cast<float>(scale);
}

EC_KERNEL_TABLE(batch_norm)

}  // namespace effconv
