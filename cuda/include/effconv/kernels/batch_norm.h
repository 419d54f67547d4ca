// Host side of batch normalisation: parameters, checks, launches. See cuda/kernels/batch_norm.cu.
#pragma once

#include <algorithm>

#include "effconv/launch_sequence.h"

namespace effconv {

constexpr int kBatchNormThreads = 256;
constexpr int kBatchNormLanes = 32;  ///< channels of a block of the finishing kernels
constexpr int kBatchNormMaxSplits = 1024;

/// Passed to every kernel of the family by value. The caller fills what stands above the line, planBatchNorm the rest.
/// Activations are [pixels][channels], pixels = N H W, pixelStride elements apart; statistics and parameters are fp32
/// [channels].
struct BatchNormParams {
    const void* x = nullptr;         ///< fp32 or bf16, like all activations
    void* y = nullptr;               ///< training, inference: out; gradient: the forward output, which masks ReLU
    const void* residual = nullptr;  ///< added before the activation; null: none
    const void* dy = nullptr;        ///< gradient of y
    void* dx = nullptr;              ///< out; may be dy
    void* dresidual = nullptr;       ///< out: gradient of the residual; null: not wanted
    const float* scale = nullptr;
    const float* shift = nullptr;
    float* mean = nullptr;             ///< training: out; gradient: in
    float* invStd = nullptr;           ///< 1 / sqrt(variance + epsilon); training: out; gradient: in
    float* runningMean = nullptr;      ///< training: updated, or null together with runningVariance; inference: in
    float* runningVariance = nullptr;  ///< of the unbiased variance
    float* dscale = nullptr;           ///< out
    float* dshift = nullptr;           ///< out
    const float* channelSums =
        nullptr;  ///< training: [2][channels], sums of x and x * x that a convolution left; null: x is read
    float* workspace = nullptr;  ///< LaunchSequence::workspaceBytes
    std::int64_t pixels = 0;
    std::int64_t pixelStride = 0;
    std::int32_t channels = 0;
    std::int32_t bf16 = 0;
    std::int32_t relu = 0;
    float epsilon = 1e-5f;
    float momentum = 0.1f;  ///< weight of the batch in the running statistics
    // -----------------------------------------------------------------------------------------------------------------
    std::int32_t vector = 1;     ///< channels of one access: 16 bytes of them, or 1
    std::int32_t lanes = 1;      ///< accesses of a block side by side, a power of two
    std::int32_t splits = 1;     ///< partial sums
    std::int32_t inference = 0;  ///< ec_batch_norm_apply takes the running statistics
    std::int32_t reserved = 0;
};

#define EC_KERNELS_batch_norm(X)                         \
    X(ec_batch_norm_moments_f32, BatchNormParams)        \
    X(ec_batch_norm_moments_bf16, BatchNormParams)       \
    X(ec_batch_norm_finish, BatchNormParams)             \
    X(ec_batch_norm_apply_f32, BatchNormParams)          \
    X(ec_batch_norm_apply_bf16, BatchNormParams)         \
    X(ec_batch_norm_gradient_sums_f32, BatchNormParams)  \
    X(ec_batch_norm_gradient_sums_bf16, BatchNormParams) \
    X(ec_batch_norm_gradient_finish, BatchNormParams)    \
    X(ec_batch_norm_gradient_apply_f32, BatchNormParams) \
    X(ec_batch_norm_gradient_apply_bf16, BatchNormParams)

enum class BatchNormPass : std::int32_t { kTraining = 0, kGradient = 1, kInference = 2 };

namespace batch_norm_detail {

inline constexpr const char* kFamily = "batch_norm";

inline Result checkRequest(const BatchNormParams& p, BatchNormPass pass) {
    Result result;
    if (!(result = checkCount(kFamily, "pixels", p.pixels, std::int64_t(1) << 40)).ok()) return result;
    if (!(result = checkCount(kFamily, "channels", p.channels, 1 << 20)).ok()) return result;
    if (p.pixelStride < p.channels) {
        return Result::fail(Status::kInvalidShape, "%s: pixelStride is %lld; expected at least the %d channels",
                            kFamily, static_cast<long long>(p.pixelStride), p.channels);
    }
    if (!(p.epsilon > 0)) {
        return Result::fail(Status::kInvalidShape, "%s: epsilon is %g; expected a positive number", kFamily,
                            static_cast<double>(p.epsilon));
    }
    if (!(p.momentum >= 0 && p.momentum <= 1)) {
        return Result::fail(Status::kInvalidShape, "%s: momentum is %g; expected 0 to 1", kFamily,
                            static_cast<double>(p.momentum));
    }
    const bool training = pass == BatchNormPass::kTraining;
    const bool gradient = pass == BatchNormPass::kGradient;
    const bool inference = pass == BatchNormPass::kInference;
    const bool running = inference || (training && (p.runningMean != nullptr || p.runningVariance != nullptr));
    const ArrayBase bases[] = {
        {"x", p.x, true},
        {"y", p.y, !gradient || p.relu != 0},
        {"residual", p.residual, false},
        {"dy", p.dy, gradient},
        {"dx", p.dx, gradient},
        {"dresidual", p.dresidual, false},
        {"scale", p.scale, true},
        {"shift", p.shift, !gradient},
        {"mean", p.mean, !inference},
        {"invStd", p.invStd, !inference},
        {"runningMean", p.runningMean, running},
        {"runningVariance", p.runningVariance, running},
        {"dscale", p.dscale, gradient},
        {"dshift", p.dshift, gradient},
        {"channelSums", p.channelSums, false},
        {"workspace", p.workspace, false},
    };
    return checkBases(kFamily, bases);
}

/// Blocks for `wanted` splits of the pixels, as many as have work; sets `splits` to their number.
inline std::int64_t blocksFor(const BatchNormParams& p, std::int64_t wanted, std::int64_t most, std::int32_t& splits) {
    const std::int64_t channelBlocks = (p.channels / p.vector + p.lanes - 1) / p.lanes;
    const std::int64_t rows = kBatchNormThreads / p.lanes;
    const std::int64_t full = std::min(most, (p.pixels + rows - 1) / rows);
    splits = static_cast<std::int32_t>(std::clamp<std::int64_t>(wanted / channelBlocks, 1, full));
    return channelBlocks * splits;
}

}  // namespace batch_norm_detail

/// Checks the request, fills the lower part of the parameters and returns the launches. The workspace may still be null
/// (a caller learns its size here); its pointer must be set before the launch.
inline LaunchSequence planBatchNorm(BatchNormParams& p, BatchNormPass pass, const DeviceLimits& limits) {
    const char* family = batch_norm_detail::kFamily;
    const Result result = batch_norm_detail::checkRequest(p, pass);
    if (!result.ok()) return LaunchSequence::refused(result);
    const int wide = p.bf16 ? 8 : 4;
    p.vector = p.channels % wide == 0 && p.pixelStride % wide == 0 ? wide : 1;
    p.lanes = 1;
    while (p.lanes < kBatchNormLanes && p.lanes < p.channels / p.vector) p.lanes *= 2;
    p.inference = pass == BatchNormPass::kInference;

    const std::int64_t perBlock = kBatchNormThreads * std::int64_t(4);
    LaunchPlan sums, apply;
    std::int32_t applySplits = 1;
    sums.threads = apply.threads = kBatchNormThreads;
    sums.blocks =
        batch_norm_detail::blocksFor(p, std::int64_t(4) * limits.multiprocessors, kBatchNormMaxSplits, p.splits);
    apply.blocks = batch_norm_detail::blocksFor(p, std::int64_t(16) * limits.multiprocessors, INT32_MAX, applySplits);
    const LaunchPlan finish = {(p.channels + kBatchNormLanes - 1) / kBatchNormLanes, kBatchNormThreads,
                               kBatchNormThreads * 8};

    LaunchSequence sequence;
    if (pass != BatchNormPass::kInference) sequence.workspaceBytes = std::int64_t(p.splits) * 2 * p.channels * 4;
    if (pass == BatchNormPass::kGradient) {
        sums.sharedBytes = perBlock * 2 * p.vector;
        sequence.add(family, p.bf16 ? "ec_batch_norm_gradient_sums_bf16" : "ec_batch_norm_gradient_sums_f32", sums,
                     limits);
        sequence.add(family, "ec_batch_norm_gradient_finish", finish, limits);
        sequence.add(family, p.bf16 ? "ec_batch_norm_gradient_apply_bf16" : "ec_batch_norm_gradient_apply_f32", apply,
                     limits);
        return sequence;
    }
    if (pass == BatchNormPass::kTraining) {
        sums.sharedBytes = perBlock * (2 * p.vector + 1);
        if (p.channelSums == nullptr) {
            sequence.add(family, p.bf16 ? "ec_batch_norm_moments_bf16" : "ec_batch_norm_moments_f32", sums, limits);
        } else {
            sequence.workspaceBytes = 0;
        }
        sequence.add(family, "ec_batch_norm_finish", finish, limits);
    }
    sequence.add(family, p.bf16 ? "ec_batch_norm_apply_bf16" : "ec_batch_norm_apply_f32", apply, limits);
    return sequence;
}

}  // namespace effconv
