// Host side of the size predictor's head alone: parameters, checks, launches. See cuda/kernels/size_head.cu.
#pragma once

#include "effconv/gru.h"
#include "effconv/launch_sequence.h"

namespace effconv {

constexpr int kSizeHeadThreads = 128;  ///< a warp per layer

/// Passed to every kernel of the family by value. Arrays are dense, fp32, on the device, at any address of a float; L
/// layers, width D.
struct SizeHeadParams {
    const float* h = nullptr;      ///< [L][D]
    const float* gain = nullptr;   ///< of the layer norm, [D]
    const float* shift = nullptr;  ///< [D]
    const float* w = nullptr;      ///< [L][D]
    const float* g = nullptr;      ///< [L]
    const float* b = nullptr;      ///< [L]
    const float* kmin = nullptr;   ///< [L]
    const float* kmax = nullptr;   ///< [L]
    float* u = nullptr;            ///< forward: out, [L][D]
    float* v = nullptr;            ///< forward: out, [L]
    const float* dv = nullptr;     ///< gradient: [L]
    float* dh = nullptr;           ///< gradient: out, as h; no gradient comes from u
    float* dgain = nullptr;        ///< gradients: out, overwritten
    float* dshift = nullptr;
    float* dw = nullptr;
    float* dg = nullptr;
    float* db = nullptr;
    float* workspace = nullptr;  ///< gradient: LaunchSequence::workspaceBytes
    std::int32_t layers = 0;
    std::int32_t width = 0;
};

#define EC_KERNELS_size_head(X)              \
    X(ec_size_head_forward, SizeHeadParams)  \
    X(ec_size_head_gradient, SizeHeadParams) \
    X(ec_size_head_norm_gradient, SizeHeadParams)

enum class SizeHeadPass : std::int32_t { kForward = 0, kGradient = 1 };

/// Checks the request and returns the launches. The workspace may still be null (a caller learns its size here).
inline LaunchSequence planSizeHead(const SizeHeadParams& p, SizeHeadPass pass, const DeviceLimits& limits) {
    const char* family = "size_head";
    const bool gradient = pass == SizeHeadPass::kGradient;
    Result result = checkCount(family, "layers", p.layers, 1 << 20);
    if (result.ok()) result = checkCount(family, "width", p.width, 1 << 20);
    const ArrayBase bases[] = {
        {"h", p.h, true},
        {"gain", p.gain, true},
        {"shift", p.shift, true},
        {"w", p.w, true},
        {"g", p.g, true},
        {"b", p.b, true},
        {"kmin", p.kmin, true},
        {"kmax", p.kmax, true},
        {"u", p.u, !gradient},
        {"v", p.v, !gradient},
        {"dv", p.dv, gradient},
        {"dh", p.dh, gradient},
        {"dgain", p.dgain, gradient},
        {"dshift", p.dshift, gradient},
        {"dw", p.dw, gradient},
        {"dg", p.dg, gradient},
        {"db", p.db, gradient},
        {"workspace", p.workspace, false},
    };
    if (result.ok()) result = checkFloats(family, bases);
    if (!result.ok()) return LaunchSequence::refused(result);
    constexpr int kLayersPerBlock = kSizeHeadThreads / 32;
    const LaunchPlan layers = {(p.layers + kLayersPerBlock - 1) / kLayersPerBlock, kSizeHeadThreads, 0};
    LaunchSequence sequence;
    if (!gradient) {
        sequence.add(family, "ec_size_head_forward", layers, limits);
        return sequence;
    }
    sequence.workspaceBytes = std::int64_t(p.layers) * 3 * 4;
    sequence.add(family, "ec_size_head_gradient", layers, limits);
    sequence.add(family, "ec_size_head_norm_gradient",
                 {(p.width + kSizeHeadThreads - 1) / kSizeHeadThreads, kSizeHeadThreads, 0}, limits);
    return sequence;
}

}  // namespace effconv
