// The head of the size predictor (layer norm, ReLU, weight-normalised projection, sigmoid), one warp per layer, and the
// layout of the states and the workspace that it shares with the recurrence.
#pragma once

#include "effconv/device.h"
#include "effconv/kernels/size_predictor.h"
#include "warp_sum.cuh"

namespace effconv {
namespace {

// Indices are ints: the limits on L, H and inputs keep every array below 2^19 elements, and registers are scarce here.

constexpr int kWidth = kSizePredictorWidth;
constexpr int kPerLane = 2 * kWidth / 32;
constexpr unsigned kAllLanes = 0xffffffffu;

__device__ __forceinline__ float* stateRow(const SizePredictorParams& p, int direction, int layer, int row) {
    return p.states + ((direction * p.layers + layer) * kSizePredictorStateRows + row) * kWidth;
}

__device__ __forceinline__ SizeHeadState<float>* headState(const SizePredictorParams& p, int layer) {
    static_assert(sizeof(SizeHeadState<float>) <= 8 * sizeof(float), "the head's state has eight floats of room");
    float* states = p.states + p.layers * 2 * kSizePredictorStateRows * kWidth;
    return reinterpret_cast<SizeHeadState<float>*>(states + 8 * layer);
}

enum WorkspaceRow { kRowHeadGradient = 4, kWorkspaceRows = 5 };  // rows 0..3: gradients of xr, xz, xn, hn

__device__ __forceinline__ float* workspaceRow(const SizePredictorParams& p, int direction, int layer, int row) {
    return p.workspace + ((direction * p.layers + layer) * kWorkspaceRows + row) * kWidth;
}

/// Element j of the concatenated hidden state [2 H] of a layer.
__device__ __forceinline__ float hiddenState(const SizePredictorParams& p, int layer, int j) {
    return j < p.hidden ? stateRow(p, 0, layer, kRowHidden)[j] : stateRow(p, 1, layer, kRowHidden)[j - p.hidden];
}

/// The head of one layer by one warp; lane j holds the elements j, j + 32, ...
__device__ void headForward(const SizePredictorParams& p, int layer) {
    const int lane = threadIdx.x % 32;
    const int width = 2 * p.hidden;
    float h[kPerLane];
    float sum = 0.0f;
#pragma unroll
    for (int q = 0; q < kPerLane; ++q) {
        const int j = lane + 32 * q;
        h[q] = j < width ? hiddenState(p, layer, j) : 0.0f;
        sum += h[q];
    }
    SizeHeadState<float> state;
    state.mean = warpSum(sum) / static_cast<float>(width);
    float squares = 0.0f;
#pragma unroll
    for (int q = 0; q < kPerLane; ++q) {
        const float centred = lane + 32 * q < width ? h[q] - state.mean : 0.0f;
        squares += centred * centred;
    }
    state.inverseDeviation = 1.0f / sqrtf(warpSum(squares) / static_cast<float>(width) + layerNormEpsilon<float>());
    float dot = 0.0f;
    float length = 0.0f;
#pragma unroll
    for (int q = 0; q < kPerLane; ++q) {
        const int j = lane + 32 * q;
        if (j >= width) continue;
        const float value = (h[q] - state.mean) * state.inverseDeviation * p.gain[j] + p.shift[j];
        const float u = rectified(value);
        const int index = layer * width + j;
        p.hiddenFeatures[index] = u;
        dot += p.headWeights[index] * u;
        length += p.headWeights[index] * p.headWeights[index];
    }
    state.dot = warpSum(dot);
    state.inverseLength = 1.0f / sqrtf(warpSum(length));
    state.sigma = logistic(p.headLengths[layer] * state.dot * state.inverseLength + p.headBiases[layer]);
    if (lane == 0) {
        *headState(p, layer) = state;
        p.sizes[layer] = p.kmin + (p.kmax[layer] - p.kmin) * state.sigma;
    }
}

/// The scalar part of the head's gradient for one layer.
struct HeadScalars {
    SizeHeadState<float> state;
    float logit;   ///< gradient of o + b
    float along;   ///< gradient of <w, u>
    float radial;  ///< what the normalisation of w takes back, per unit of w
};

__device__ __forceinline__ HeadScalars headScalars(const SizePredictorParams& p, int layer) {
    HeadScalars scalars;
    scalars.state = *headState(p, layer);
    const SizeHeadState<float>& state = scalars.state;
    scalars.logit = p.sizeGradients[layer] * (p.kmax[layer] - p.kmin) * state.sigma * (1.0f - state.sigma);
    scalars.along = scalars.logit * p.headLengths[layer] * state.inverseLength;
    scalars.radial = scalars.along * state.dot * state.inverseLength * state.inverseLength;
    return scalars;
}

/// Gradient of the layer norm's output before the ReLU, element j of a layer.
__device__ __forceinline__ float valueGradient(const SizePredictorParams& p, const HeadScalars& scalars, int index) {
    return rectifiedGradient(p.hiddenFeatures[index], scalars.along * p.headWeights[index]);
}

/// dh of one layer by one warp. Both blocks compute the sums; each keeps the half of its direction.
__device__ void headBackward(const SizePredictorParams& p, int direction, int layer) {
    const int lane = threadIdx.x % 32;
    const int width = 2 * p.hidden;
    const HeadScalars scalars = headScalars(p, layer);
    float normalised[kPerLane];
    float gradient[kPerLane];
    float sum = 0.0f;
    float sumTimesNormalised = 0.0f;
#pragma unroll
    for (int q = 0; q < kPerLane; ++q) {
        const int j = lane + 32 * q;
        normalised[q] = gradient[q] = 0.0f;
        if (j >= width) continue;
        const int index = layer * width + j;
        normalised[q] = (hiddenState(p, layer, j) - scalars.state.mean) * scalars.state.inverseDeviation;
        gradient[q] = valueGradient(p, scalars, index) * p.gain[j];
        sum += gradient[q];
        sumTimesNormalised += gradient[q] * normalised[q];
    }
    sum = warpSum(sum) / static_cast<float>(width);
    sumTimesNormalised = warpSum(sumTimesNormalised) / static_cast<float>(width);
    float* dh = workspaceRow(p, direction, layer, kRowHeadGradient);
    for (int unit = p.hidden + lane; unit < kWidth; unit += 32) dh[unit] = 0.0f;
#pragma unroll
    for (int q = 0; q < kPerLane; ++q) {
        const int j = lane + 32 * q;
        if (j >= width || j / p.hidden != direction) continue;
        const int index = layer * width + j;
        dh[j - direction * p.hidden] =
            scalars.state.inverseDeviation * (gradient[q] - sum - normalised[q] * sumTimesNormalised);
        p.headWeightGradients[index] = scalars.along * p.hiddenFeatures[index] - scalars.radial * p.headWeights[index];
    }
    if (lane == 0 && direction == 0) {
        p.headBiasGradients[layer] = scalars.logit;
        p.headLengthGradients[layer] = scalars.logit * scalars.state.dot * scalars.state.inverseLength;
    }
}

/// Gradients of the layer norm's gain and shift for the direction's half, summed over the layers in order.
__device__ void normGradients(const SizePredictorParams& p, int direction) {
    const int unit = threadIdx.x;
    if (unit >= p.hidden) return;
    const int j = direction * p.hidden + unit;
    float gain = 0.0f;
    float shift = 0.0f;
    for (int layer = 0; layer < p.layers; ++layer) {
        const HeadScalars scalars = headScalars(p, layer);
        const float value = valueGradient(p, scalars, layer * 2 * p.hidden + j);
        gain += value * (hiddenState(p, layer, j) - scalars.state.mean) * scalars.state.inverseDeviation;
        shift += value;
    }
    p.gainGradients[j] = gain;
    p.shiftGradients[j] = shift;
}

}  // namespace
}  // namespace effconv
