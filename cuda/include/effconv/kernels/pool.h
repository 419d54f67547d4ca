// Host side of pooling: parameters, checks, launches. See cuda/kernels/pool.cu.
#pragma once

#include <algorithm>

#include "effconv/launch_sequence.h"

namespace effconv {

constexpr int kPoolThreads = 256;

enum PoolKind : std::int32_t { kMaximum = 0, kAverage = 1, kGlobalAverage = 2 };

/// Passed to every kernel of the family by value. The caller fills what stands above the line, planPool the rest.
/// x is [batch, height, width, channels] with channel stride 1; y is [batch, outHeight, outWidth, channels], outHeight
/// = (height + 2 padding - size) / stride + 1; the global average ignores size, stride and padding and has one output
/// pixel.
struct PoolParams {
    void* x = nullptr;  ///< fp32 or bf16; the gradient of a maximum reads it, other gradients ignore it
    void* y = nullptr;  ///< forward: out; gradient: not read
    const void* dy = nullptr;
    void* dx = nullptr;
    std::int32_t kind = kMaximum;
    std::int32_t bf16 = 0;
    std::int32_t batch = 0, height = 0, width = 0, channels = 0;
    std::int32_t size = 2, stride = 2, padding = 0;
    std::int32_t reserved = 0;
    std::int64_t xImageStride = 0, xRowStride = 0, xPixelStride = 0;  ///< of x and dx, in elements
    std::int64_t yImageStride = 0, yRowStride = 0, yPixelStride = 0;  ///< of y and dy, in elements
    // -----------------------------------------------------------------------------------------------------------------
    std::int32_t vector = 1;  ///< channels of one access: 16 bytes of them, or 1
    std::int32_t lanes = 1;   ///< global average: accesses of a block side by side, a power of two

    EC_HD int outHeight() const { return kind == kGlobalAverage ? 1 : (height + 2 * padding - size) / stride + 1; }
    EC_HD int outWidth() const { return kind == kGlobalAverage ? 1 : (width + 2 * padding - size) / stride + 1; }

    /// Sets the strides of contiguous NHWC tensors.
    void setContiguousStrides() {
        xPixelStride = yPixelStride = channels;
        xRowStride = xPixelStride * width;
        xImageStride = xRowStride * height;
        yRowStride = yPixelStride * outWidth();
        yImageStride = yRowStride * outHeight();
    }
};

#define EC_KERNELS_pool(X)                    \
    X(ec_pool_forward_f32, PoolParams)        \
    X(ec_pool_forward_bf16, PoolParams)       \
    X(ec_pool_gradient_f32, PoolParams)       \
    X(ec_pool_gradient_bf16, PoolParams)      \
    X(ec_pool_global_average_f32, PoolParams) \
    X(ec_pool_global_average_bf16, PoolParams)

enum class PoolPass : std::int32_t { kForward = 0, kGradient = 1 };

namespace pool_detail {

inline constexpr const char* kFamily = "pool";

inline Result checkWindow(const PoolParams& p) {
    Result result;
    if (!(result = checkCount(kFamily, "size", p.size, 32768)).ok()) return result;
    if (!(result = checkCount(kFamily, "stride", p.stride, 32768)).ok()) return result;
    if (p.padding < 0 || p.padding >= p.size) {
        return Result::fail(Status::kInvalidShape, "%s: padding is %d; expected 0 to %d, less than the window", kFamily,
                            p.padding, p.size - 1);
    }
    if (p.height + 2 * p.padding < p.size || p.width + 2 * p.padding < p.size) {
        return Result::fail(Status::kInvalidShape, "%s: a window of %d does not fit %d x %d pixels with padding %d",
                            kFamily, p.size, p.height, p.width, p.padding);
    }
    return {};
}

inline Result checkRequest(const PoolParams& p, PoolPass pass) {
    Result result;
    if (!(result = checkCount(kFamily, "batch", p.batch)).ok()) return result;
    if (!(result = checkCount(kFamily, "height", p.height, 32768)).ok()) return result;
    if (!(result = checkCount(kFamily, "width", p.width, 32768)).ok()) return result;
    if (!(result = checkCount(kFamily, "channels", p.channels, 1 << 20)).ok()) return result;
    if (p.kind != kMaximum && p.kind != kAverage && p.kind != kGlobalAverage) {
        return Result::fail(Status::kUnsupported, "%s: kind %d is unknown", kFamily, p.kind);
    }
    if (p.kind != kGlobalAverage && !(result = checkWindow(p)).ok()) return result;
    result = checkStrides(kFamily, "x", p.xImageStride, p.xRowStride, p.xPixelStride, p.channels, p.width, p.height);
    if (!result.ok()) return result;
    result = checkStrides(kFamily, "y", p.yImageStride, p.yRowStride, p.yPixelStride, p.channels, p.outWidth(),
                          p.outHeight());
    if (!result.ok()) return result;
    const bool gradient = pass == PoolPass::kGradient;
    const ArrayBase bases[] = {
        {"x", p.x, !gradient || p.kind == kMaximum},
        {"y", p.y, !gradient},
        {"dy", p.dy, gradient},
        {"dx", p.dx, gradient},
    };
    return checkBases(kFamily, bases);
}

}  // namespace pool_detail

/// Checks the request, fills the lower part of the parameters and returns the launch.
inline LaunchSequence planPool(PoolParams& p, PoolPass pass, const DeviceLimits& limits) {
    const char* family = pool_detail::kFamily;
    const Result result = pool_detail::checkRequest(p, pass);
    if (!result.ok()) return LaunchSequence::refused(result);
    const int wide = p.bf16 ? 8 : 4;
    const std::int64_t strides =
        p.xImageStride | p.xRowStride | p.xPixelStride | p.yImageStride | p.yRowStride | p.yPixelStride;
    p.vector = p.channels % wide == 0 && strides % wide == 0 ? wide : 1;
    const std::int64_t vectors = p.channels / p.vector;
    p.lanes = 1;
    while (p.lanes < 32 && p.lanes < vectors) p.lanes *= 2;

    LaunchSequence sequence;
    LaunchPlan plan;
    plan.threads = kPoolThreads;
    if (pass == PoolPass::kForward && p.kind == kGlobalAverage) {
        plan.blocks = p.batch * ((vectors + p.lanes - 1) / p.lanes);
        plan.sharedBytes = std::int64_t(kPoolThreads) * p.vector * 4;
        sequence.add(family, p.bf16 ? "ec_pool_global_average_bf16" : "ec_pool_global_average_f32", plan, limits);
        return sequence;
    }
    const bool gradient = pass == PoolPass::kGradient;
    const std::int64_t pixels =
        gradient ? std::int64_t(p.height) * p.width : std::int64_t(p.outHeight()) * p.outWidth();
    const std::int64_t items = p.batch * pixels * vectors;
    plan.blocks =
        std::min<std::int64_t>((items + kPoolThreads - 1) / kPoolThreads, std::int64_t(64) * limits.multiprocessors);
    const char* const names[2][2] = {{"ec_pool_forward_f32", "ec_pool_forward_bf16"},
                                     {"ec_pool_gradient_f32", "ec_pool_gradient_bf16"}};
    sequence.add(family, names[gradient][p.bf16 != 0], plan, limits);
    return sequence;
}

}  // namespace effconv
