// Host side of the bidirectional GRU: parameters, checks, launches. See cuda/kernels/gru.cu.
#pragma once

#include "effconv/gru.h"
#include "effconv/launch_sequence.h"

namespace effconv {

constexpr int kGruThreads = 512;
constexpr int kGruRowThreads = 128;  ///< of the kernels that take one row a block
constexpr int kGruMaxHidden = 2048;

/// One direction's parameters, or their gradients: W [3 H][inputs], U [3 H][H], b, c [3 H]; gate blocks r, z, n.
struct GruArrays {
    float* W = nullptr;
    float* U = nullptr;
    float* b = nullptr;
    float* c = nullptr;
};

/// Passed to every kernel of the family by value. The caller fills what stands above the line, planGru the rest. Arrays
/// are dense, fp32, on the device, at any address of a float. Direction 0 runs from the first step to the last,
/// direction 1 back; initial states are zero.
struct GruParams {
    const float* x = nullptr;    ///< [steps][inputs]
    GruArrays weights[2];        ///< per direction; only read
    float* h = nullptr;          ///< [steps][2 H]: states of direction 0, then of direction 1; forward: out
    float* tape = nullptr;       ///< [steps][2][4][H]: r, z, n, Un h + cn; forward: out
    const float* dh = nullptr;   ///< gradient: as h
    GruArrays gradients[2];      ///< gradient: out, overwritten
    float* dx = nullptr;         ///< gradient: out, as x; null: not wanted
    float* workspace = nullptr;  ///< LaunchSequence::workspaceBytes
    std::int32_t steps = 0;
    std::int32_t inputs = 0;
    std::int32_t hidden = 0;  ///< H
    // -----------------------------------------------------------------------------------------------------------------
    std::int32_t resident = 0;  ///< whether U stands in shared memory
};

#define EC_KERNELS_gru(X)         \
    X(ec_gru_inputs, GruParams)   \
    X(ec_gru_forward, GruParams)  \
    X(ec_gru_backward, GruParams) \
    X(ec_gru_gradients, GruParams)

enum class GruPass : std::int32_t { kForward = 0, kGradient = 1 };

/// Floats between rows of U in shared memory: the four threads of each of eight units then read 32 different banks.
EC_HD int gruPitch(int hidden) {
    return (hidden + 31) / 32 * 32 + 4;
}

/// Floats of shared memory beside U: forward two states; backward three gate gradients, what passes on directly, and
/// four parts of the product with U.
EC_HD int gruStateFloats(int hidden, bool gradient) {
    return (gradient ? 8 : 2) * ((hidden + 3) / 4 * 4);
}

/// Checks the request, fills the lower part of the parameters and returns the launches. The workspace may still be null
/// (a caller learns its size here); its pointer must be set before the launch.
inline LaunchSequence planGru(GruParams& p, GruPass pass, const DeviceLimits& limits) {
    const char* family = "gru";
    const bool gradient = pass == GruPass::kGradient;
    Result result = checkCount(family, "steps", p.steps, 1 << 20);
    if (result.ok()) result = checkCount(family, "inputs", p.inputs, 1 << 20);
    if (result.ok()) result = checkCount(family, "hidden", p.hidden, kGruMaxHidden);
    const GruArrays* w = p.weights;
    const GruArrays* d = p.gradients;
    const ArrayBase bases[] = {
        {"x", p.x, true},
        {"W of direction 0", w[0].W, true},
        {"U of direction 0", w[0].U, true},
        {"b of direction 0", w[0].b, true},
        {"c of direction 0", w[0].c, true},
        {"W of direction 1", w[1].W, true},
        {"U of direction 1", w[1].U, true},
        {"b of direction 1", w[1].b, true},
        {"c of direction 1", w[1].c, true},
        {"h", p.h, true},
        {"tape", p.tape, true},
        {"dh", p.dh, gradient},
        {"gradient of W of direction 0", d[0].W, gradient},
        {"gradient of U of direction 0", d[0].U, gradient},
        {"gradient of b of direction 0", d[0].b, gradient},
        {"gradient of c of direction 0", d[0].c, gradient},
        {"gradient of W of direction 1", d[1].W, gradient},
        {"gradient of U of direction 1", d[1].U, gradient},
        {"gradient of b of direction 1", d[1].b, gradient},
        {"gradient of c of direction 1", d[1].c, gradient},
        {"dx", p.dx, false},
        {"workspace", p.workspace, false},
    };
    if (result.ok()) result = checkFloats(family, bases);
    if (!result.ok()) return LaunchSequence::refused(result);

    const std::int64_t state = std::int64_t(gruStateFloats(p.hidden, gradient)) * 4;
    const std::int64_t matrix = std::int64_t(3) * p.hidden * gruPitch(p.hidden) * 4;
    p.resident = state + matrix <= limits.sharedBytesPerBlock;
    const LaunchPlan recurrence = {2, kGruThreads, state + (p.resident ? matrix : 0)};
    const std::int64_t rows = std::int64_t(6) * p.hidden;
    LaunchSequence sequence;
    sequence.workspaceBytes = std::int64_t(2) * p.steps * (gradient ? 4 : 3) * p.hidden * 4;
    if (gradient) {
        sequence.add(family, "ec_gru_backward", recurrence, limits);
        sequence.add(family, "ec_gru_gradients", {rows + (p.dx != nullptr ? p.steps : 0), kGruRowThreads, 0}, limits);
    } else {
        sequence.add(family, "ec_gru_inputs",
                     {(p.steps * rows + kGruRowThreads / 32 - 1) / (kGruRowThreads / 32), kGruRowThreads, 0}, limits);
        sequence.add(family, "ec_gru_forward", recurrence, limits);
    }
    return sequence;
}

}  // namespace effconv
