// Host side of the size predictor kernels: parameters and checks. See cuda/kernels/size_predictor.cu.
#pragma once

#include "effconv/gru.h"
#include "effconv/launch_sequence.h"

namespace effconv {

constexpr int kSizePredictorWidth = 128;      ///< most hidden units and most inputs; the padded length of state rows
constexpr int kSizePredictorMaxLayers = 128;  ///< most layers L
constexpr int kSizePredictorThreads = 512;    ///< four threads per hidden unit
constexpr int kSizePredictorBatch = 16;       ///< layer codes held in shared memory at a time

/// Parameters of both kernels; H hidden units per direction, L layers. Arrays are dense, fp32, on the device, 16-byte
/// aligned; direction 0 runs from the first layer to the last, direction 1 back. Gate blocks in the order r, z, n.
struct SizePredictorParams {
    std::int32_t layers = 0;
    std::int32_t inputs = 0;
    std::int32_t hidden = 0;
    float kmin = 1;
    const float* codes = nullptr;             ///< [L][inputs]
    const float* inputWeights = nullptr;      ///< W [2][3 H][inputs]
    const float* recurrentWeights = nullptr;  ///< U [2][3 H][H]
    const float* inputBiases = nullptr;       ///< b [2][3 H]
    const float* recurrentBiases = nullptr;   ///< c [2][3 H]
    const float* gain = nullptr;              ///< layer norm [2 H]
    const float* shift = nullptr;             ///< layer norm [2 H]
    const float* headWeights = nullptr;       ///< w [L][2 H]
    const float* headLengths = nullptr;       ///< g [L]
    const float* headBiases = nullptr;        ///< b [L]
    const float* kmax = nullptr;              ///< [L]
    float* sizes = nullptr;                   ///< out: v [L]
    float* hiddenFeatures = nullptr;          ///< out: u [L][2 H]; the backward pass reads it
    float* states = nullptr;                  ///< forward to backward, see sizePredictorStateFloats
    std::int32_t* counter = nullptr;          ///< one integer, zero before the first launch; left zero by the kernel

    const float* sizeGradients = nullptr;   ///< backward: dv [L]
    float* workspace = nullptr;             ///< backward: sizePredictorWorkspaceFloats
    float* inputWeightGradients = nullptr;  ///< as the parameters; written, not added to
    float* recurrentWeightGradients = nullptr;
    float* inputBiasGradients = nullptr;
    float* recurrentBiasGradients = nullptr;
    float* gainGradients = nullptr;
    float* shiftGradients = nullptr;
    float* headWeightGradients = nullptr;
    float* headLengthGradients = nullptr;
    float* headBiasGradients = nullptr;
    float* codeGradients = nullptr;  ///< [2][L][inputs], one share per direction, to be added; may be null
};

/// Rows of kSizePredictorWidth floats per direction and layer in `states`: the gates r, z, n, the recurrent part of n,
/// h, and the three input parts.
enum SizePredictorRow {
    kRowReset = 0,
    kRowUpdate = 1,
    kRowNew = 2,
    kRowRecurrentNew = 3,
    kRowHidden = 4,
    kRowInput = 5
};
constexpr int kSizePredictorStateRows = 8;

/// Floats of `states` for L layers: the rows above, then the head's state of each layer.
constexpr std::int64_t sizePredictorStateFloats(std::int64_t layers) {
    return layers * (2 * kSizePredictorStateRows * kSizePredictorWidth + 8);
}

/// Floats of `workspace` for L layers: dh and the gradients of xr, xz, xn, hn per direction and layer.
constexpr std::int64_t sizePredictorWorkspaceFloats(std::int64_t layers) {
    return layers * 2 * 5 * kSizePredictorWidth;
}

enum SizePredictorPass : std::int32_t { kSizePredictorForward = 0, kSizePredictorBackward = 1 };

/// Checks one pass and plans its launch.
inline LaunchSequence planSizePredictor(SizePredictorPass pass, const SizePredictorParams& params,
                                        const DeviceLimits& limits) {
    const char* family = "size_predictor";
    Result result;
    if (!(result = checkCount(family, "layers", params.layers, kSizePredictorMaxLayers)).ok() ||
        !(result = checkCount(family, "inputs", params.inputs, kSizePredictorWidth)).ok() ||
        !(result = checkCount(family, "hidden", params.hidden, kSizePredictorWidth)).ok()) {
        return LaunchSequence::refused(result);
    }
    const bool backward = pass == kSizePredictorBackward;
    const ArrayBase bases[] = {
        {"codes", params.codes, true},
        {"inputWeights", params.inputWeights, true},
        {"recurrentWeights", params.recurrentWeights, true},
        {"inputBiases", params.inputBiases, true},
        {"recurrentBiases", params.recurrentBiases, true},
        {"gain", params.gain, true},
        {"shift", params.shift, true},
        {"headWeights", params.headWeights, true},
        {"headLengths", params.headLengths, true},
        {"headBiases", params.headBiases, true},
        {"kmax", params.kmax, true},
        {"sizes", params.sizes, !backward},
        {"hiddenFeatures", params.hiddenFeatures, true},
        {"states", params.states, true},
        {"counter", params.counter, !backward},
        {"sizeGradients", params.sizeGradients, backward},
        {"workspace", params.workspace, backward},
        {"inputWeightGradients", params.inputWeightGradients, backward},
        {"recurrentWeightGradients", params.recurrentWeightGradients, backward},
        {"inputBiasGradients", params.inputBiasGradients, backward},
        {"recurrentBiasGradients", params.recurrentBiasGradients, backward},
        {"gainGradients", params.gainGradients, backward},
        {"shiftGradients", params.shiftGradients, backward},
        {"headWeightGradients", params.headWeightGradients, backward},
        {"headLengthGradients", params.headLengthGradients, backward},
        {"headBiasGradients", params.headBiasGradients, backward},
        {"codeGradients", params.codeGradients, false},
    };
    if (!(result = checkBases(family, bases)).ok()) return LaunchSequence::refused(result);
    LaunchSequence sequence;
    if (backward) {
        sequence.add(family, "ec_size_predictor_backward", {2, kSizePredictorThreads, 2 * 3 * kSizePredictorWidth * 4},
                     limits);
    } else {
        sequence.add(family, "ec_size_predictor_forward",
                     {2, kSizePredictorThreads, (kSizePredictorBatch * kSizePredictorWidth + 4) * 4}, limits);
    }
    return sequence;
}

/// The family's kernels, for the registry and the manifest.
#define EC_KERNELS_size_predictor(X)                  \
    X(ec_size_predictor_forward, SizePredictorParams) \
    X(ec_size_predictor_backward, SizePredictorParams)

}  // namespace effconv
