// Host side of layer normalisation: parameters, checks, launches. See cuda/kernels/layer_norm.cu.
#pragma once

#include <algorithm>

#include "effconv/launch_sequence.h"

namespace effconv {

constexpr int kLayerNormThreads = 256;
constexpr int kLayerNormWarpWidth = 1024;  ///< rows up to this width belong to a warp, wider ones to a block
constexpr int kLayerNormColumns = 32;      ///< columns of a block of the parameter gradients
constexpr int kLayerNormMaxSplits = 512;

/// Passed to every kernel of the family by value. The caller fills what stands above the line, planLayerNorm the rest.
/// x, dy, y, dx are dense [rows][width]; parameters and statistics are fp32.
struct LayerNormParams {
    const void* x = nullptr;       ///< fp32 or bf16, like y, dy and dx
    void* y = nullptr;             ///< forward: out; may be x
    const void* dy = nullptr;      ///< gradient of y
    void* dx = nullptr;            ///< gradient: out; may be dy
    const float* scale = nullptr;  ///< [width]
    const float* shift = nullptr;  ///< [width]
    float* mean = nullptr;         ///< [rows]; forward: out; gradient: in
    float* invStd = nullptr;       ///< [rows]: 1 / sqrt(variance + epsilon); forward: out; gradient: in
    float* dscale = nullptr;       ///< gradient: out
    float* dshift = nullptr;       ///< gradient: out
    float* workspace = nullptr;    ///< gradient: LaunchSequence::workspaceBytes
    std::int64_t rows = 0;
    std::int32_t width = 0;
    std::int32_t bf16 = 0;
    float epsilon = 1e-5f;
    // -----------------------------------------------------------------------------------------------------------------
    std::int32_t vector = 1;    ///< elements of one access: 16 bytes of them, or 1
    std::int32_t wideRows = 0;  ///< whether a block owns a row
    std::int32_t splits = 1;    ///< partial sums of the parameter gradients
};

#define EC_KERNELS_layer_norm(X)                          \
    X(ec_layer_norm_forward_f32, LayerNormParams)         \
    X(ec_layer_norm_forward_bf16, LayerNormParams)        \
    X(ec_layer_norm_gradient_f32, LayerNormParams)        \
    X(ec_layer_norm_gradient_bf16, LayerNormParams)       \
    X(ec_layer_norm_parameter_sums_f32, LayerNormParams)  \
    X(ec_layer_norm_parameter_sums_bf16, LayerNormParams) \
    X(ec_layer_norm_parameter_finish, LayerNormParams)

enum class LayerNormPass : std::int32_t { kForward = 0, kGradient = 1 };

/// Checks the request, fills the lower part of the parameters and returns the launches. The workspace may still be null
/// (a caller learns its size here); its pointer must be set before the launch.
inline LaunchSequence planLayerNorm(LayerNormParams& p, LayerNormPass pass, const DeviceLimits& limits) {
    const char* family = "layer_norm";
    const bool gradient = pass == LayerNormPass::kGradient;
    Result result = checkCount(family, "rows", p.rows, std::int64_t(1) << 40);
    if (result.ok()) result = checkCount(family, "width", p.width, 1 << 24);
    if (result.ok() && !(p.epsilon >= 0)) {
        result = Result::fail(Status::kInvalidShape, "%s: epsilon is %g; expected 0 or a positive number", family,
                              static_cast<double>(p.epsilon));
    }
    const ArrayBase bases[] = {
        {"x", p.x, true},
        {"y", p.y, !gradient},
        {"dy", p.dy, gradient},
        {"dx", p.dx, gradient},
        {"scale", p.scale, true},
        {"shift", p.shift, !gradient},
        {"mean", p.mean, true},
        {"invStd", p.invStd, true},
        {"dscale", p.dscale, gradient},
        {"dshift", p.dshift, gradient},
        {"workspace", p.workspace, false},
    };
    if (result.ok()) result = checkBases(family, bases);
    if (!result.ok()) return LaunchSequence::refused(result);
    const int wide = p.bf16 ? 8 : 4;
    p.vector = p.width % wide == 0 ? wide : 1;
    p.wideRows = p.width > kLayerNormWarpWidth;
    const std::int64_t rowsPerBlock = p.wideRows ? 1 : kLayerNormThreads / 32;
    const LaunchPlan rows = {(p.rows + rowsPerBlock - 1) / rowsPerBlock, kLayerNormThreads, kLayerNormThreads * 4};
    LaunchSequence sequence;
    if (!gradient) {
        sequence.add(family, p.bf16 ? "ec_layer_norm_forward_bf16" : "ec_layer_norm_forward_f32", rows, limits);
        return sequence;
    }
    const std::int64_t columnBlocks = (p.width + kLayerNormColumns - 1) / kLayerNormColumns;
    constexpr int kBlockRows = kLayerNormThreads / kLayerNormColumns;
    const std::int64_t full = std::min<std::int64_t>(kLayerNormMaxSplits, (p.rows + kBlockRows - 1) / kBlockRows);
    p.splits = static_cast<std::int32_t>(
        std::clamp<std::int64_t>(std::int64_t(4) * limits.multiprocessors / columnBlocks, 1, full));
    sequence.workspaceBytes = std::int64_t(p.splits) * 2 * p.width * 4;
    // The parameters first: dx may be dy.
    sequence.add(family, p.bf16 ? "ec_layer_norm_parameter_sums_bf16" : "ec_layer_norm_parameter_sums_f32",
                 {columnBlocks * p.splits, kLayerNormThreads, kLayerNormThreads * 2 * 4}, limits);
    sequence.add(family, "ec_layer_norm_parameter_finish", {columnBlocks, kLayerNormColumns, 0}, limits);
    sequence.add(family, p.bf16 ? "ec_layer_norm_gradient_bf16" : "ec_layer_norm_gradient_f32", rows, limits);
    return sequence;
}

}  // namespace effconv
