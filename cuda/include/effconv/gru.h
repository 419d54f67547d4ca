// The size predictor's arithmetic: GRU cell, size head, and their gradients.
//
// Cell (the convention of PyTorch and cuDNN; gates in the order r, z, n):
//     r = sigma(Wr x + br + Ur h + cr)     z = sigma(Wz x + bz + Uz h + cz)
//     n = tanh(Wn x + bn + r (Un h + cn))  h' = (1 - z) n + z h
// Head of layer l: u = ReLU(LayerNorm(h)), o = g <w, u> / |w|, v = kmin + (kmax - kmin) sigma(o + b).
#pragma once

#include "effconv/types.h"

namespace effconv {

/// What the backward pass of one hidden unit needs: the gates and the recurrent part of n before it is gated.
template <typename Real>
struct GruGates {
    Real r;
    Real z;
    Real n;
    Real hn;  ///< Un h + cn
};

/// One hidden unit forward. xr, xz, xn: input parts (W x + b); hr, hz, hn: recurrent parts (U h + c). Returns h'.
template <typename Real>
EC_HD Real gruUnitForward(Real xr, Real xz, Real xn, Real hr, Real hz, Real hn, Real previous, GruGates<Real>& gates) {
    using std::tanh;
    gates.r = logistic(xr + hr);
    gates.z = logistic(xz + hz);
    gates.hn = hn;
    gates.n = tanh(xn + gates.r * hn);
    return (Real(1) - gates.z) * gates.n + gates.z * previous;
}

/// Gradients of one hidden unit: of the input parts (xr, xz, xn), of the recurrent parts (hr = xr, hz = xz, hn), and
/// the direct share z dh' of the previous state (the share through U is added by the caller).
template <typename Real>
struct GruUnitGradient {
    Real xr;
    Real xz;
    Real xn;
    Real hn;
    Real previous;
};

template <typename Real>
EC_HD GruUnitGradient<Real> gruUnitBackward(Real dh, Real previous, const GruGates<Real>& gates) {
    GruUnitGradient<Real> gradient;
    gradient.xn = dh * (Real(1) - gates.z) * (Real(1) - gates.n * gates.n);
    gradient.hn = gradient.xn * gates.r;
    gradient.xr = gradient.xn * gates.hn * gates.r * (Real(1) - gates.r);
    gradient.xz = dh * (previous - gates.n) * gates.z * (Real(1) - gates.z);
    gradient.previous = dh * gates.z;
    return gradient;
}

/// Parameters of one direction: W [3 hidden][inputs], U [3 hidden][hidden], b, c [3 hidden]; gate blocks r, z, n.
template <typename Real>
struct GruParameters {
    int inputs;
    int hidden;
    const Real* W;
    const Real* U;
    const Real* b;
    const Real* c;
};

/// Gradient accumulators, shaped as the parameters; the caller clears them.
template <typename Real>
struct GruGradients {
    Real* W;
    Real* U;
    Real* b;
    Real* c;
};

/// bias + <row, x>, summed in ascending order.
template <typename Real>
EC_HD Real affineRow(const Real* row, const Real* x, int length, Real bias) {
    Real sum = bias;
    for (int i = 0; i < length; ++i) sum += row[i] * x[i];
    return sum;
}

/// One step of the cell: x [inputs], previous [hidden] -> next [hidden], gates [hidden] kept for the backward pass.
template <typename Real>
EC_HD void gruCellForward(const GruParameters<Real>& p, const Real* x, const Real* previous, Real* next,
                          GruGates<Real>* gates) {
    const int H = p.hidden;
    for (int j = 0; j < H; ++j) {
        Real inputPart[3];
        Real recurrentPart[3];
        for (int gate = 0; gate < 3; ++gate) {
            const std::int64_t row = static_cast<std::int64_t>(gate) * H + j;
            inputPart[gate] = affineRow(p.W + row * p.inputs, x, p.inputs, p.b[row]);
            recurrentPart[gate] = affineRow(p.U + row * H, previous, H, p.c[row]);
        }
        next[j] = gruUnitForward(inputPart[0], inputPart[1], inputPart[2], recurrentPart[0], recurrentPart[1],
                                 recurrentPart[2], previous[j], gates[j]);
    }
}

/// Backward of one step: dh [hidden] -> dPrevious [hidden] (written), and dx [inputs] (written) unless it is null; adds
/// to the accumulators.
template <typename Real>
EC_HD void gruCellBackward(const GruParameters<Real>& p, const Real* x, const Real* previous,
                           const GruGates<Real>* gates, const Real* dh, Real* dPrevious, Real* dx,
                           const GruGradients<Real>& gradients) {
    const int H = p.hidden;
    for (int j = 0; j < H; ++j) dPrevious[j] = dh[j] * gates[j].z;
    for (int i = 0; dx != nullptr && i < p.inputs; ++i) dx[i] = Real(0);
    for (int j = 0; j < H; ++j) {
        const GruUnitGradient<Real> unit = gruUnitBackward(dh[j], previous[j], gates[j]);
        const Real inputGradient[3] = {unit.xr, unit.xz, unit.xn};
        const Real recurrentGradient[3] = {unit.xr, unit.xz, unit.hn};
        for (int gate = 0; gate < 3; ++gate) {
            const std::int64_t row = static_cast<std::int64_t>(gate) * H + j;
            gradients.b[row] += inputGradient[gate];
            gradients.c[row] += recurrentGradient[gate];
            for (int i = 0; i < p.inputs; ++i) {
                gradients.W[row * p.inputs + i] += inputGradient[gate] * x[i];
                if (dx != nullptr) dx[i] += inputGradient[gate] * p.W[row * p.inputs + i];
            }
            for (int i = 0; i < H; ++i) {
                gradients.U[row * H + i] += recurrentGradient[gate] * previous[i];
                dPrevious[i] += recurrentGradient[gate] * p.U[row * H + i];
            }
        }
    }
}

/// Layer normalisation's epsilon, added to the variance.
template <typename Real>
EC_HD Real layerNormEpsilon() {
    return Real(1e-5);
}

/// Parameters of the head of one layer: layer norm's gain and shift [width], and the weight-normalised projection w
/// [width] with length g; b moves the sigmoid so that v starts at a chosen size.
template <typename Real>
struct SizeHead {
    int width;
    const Real* gain;
    const Real* shift;
    const Real* w;
    Real g;
    Real b;
    Real kmin;
    Real kmax;
};

/// What the backward pass of the head needs.
template <typename Real>
struct SizeHeadState {
    Real mean;
    Real inverseDeviation;  ///< 1 / sqrt(variance + epsilon)
    Real dot;               ///< <w, u>
    Real inverseLength;     ///< 1 / |w|
    Real sigma;             ///< sigma(o + b)
};

/// u [width] is written. Returns v.
template <typename Real>
EC_HD Real sizeHeadForward(const SizeHead<Real>& head, const Real* h, Real* u, SizeHeadState<Real>& state) {
    using std::sqrt;
    Real sum = Real(0);
    for (int j = 0; j < head.width; ++j) sum += h[j];
    state.mean = sum / Real(head.width);
    Real squares = Real(0);
    for (int j = 0; j < head.width; ++j) squares += (h[j] - state.mean) * (h[j] - state.mean);
    state.inverseDeviation = Real(1) / sqrt(squares / Real(head.width) + layerNormEpsilon<Real>());
    Real dot = Real(0);
    Real length = Real(0);
    for (int j = 0; j < head.width; ++j) {
        const Real normalised = (h[j] - state.mean) * state.inverseDeviation;
        const Real value = normalised * head.gain[j] + head.shift[j];
        u[j] = rectified(value);
        dot += head.w[j] * u[j];
        length += head.w[j] * head.w[j];
    }
    state.dot = dot;
    state.inverseLength = Real(1) / sqrt(length);
    state.sigma = logistic(head.g * dot * state.inverseLength + head.b);
    return head.kmin + (head.kmax - head.kmin) * state.sigma;
}

/// Gradient accumulators of the head; the caller clears them. g and b point at one element each.
template <typename Real>
struct SizeHeadGradients {
    Real* gain;
    Real* shift;
    Real* w;
    Real* g;
    Real* b;
};

/// dv/d(o + b) at the state's operating point.
template <typename Real>
EC_HD Real sizeSlope(const SizeHead<Real>& head, const SizeHeadState<Real>& state) {
    return (head.kmax - head.kmin) * state.sigma * (Real(1) - state.sigma);
}

/// Backward of the head: dv, and du [width] (further gradient of u, or null) -> dh [width] (written); adds to the
/// accumulators. h and u as in the forward pass.
template <typename Real>
EC_HD void sizeHeadBackward(const SizeHead<Real>& head, const Real* h, const Real* u, const SizeHeadState<Real>& state,
                            Real dv, const Real* du, Real* dh, const SizeHeadGradients<Real>& gradients) {
    const Real dLogit = dv * sizeSlope(head, state);
    *gradients.b += dLogit;
    *gradients.g += dLogit * state.dot * state.inverseLength;
    const Real along = dLogit * head.g * state.inverseLength;
    const Real radial = along * state.dot * state.inverseLength * state.inverseLength;
    Real sum = Real(0);
    Real sumTimesNormalised = Real(0);
    for (int j = 0; j < head.width; ++j) {
        gradients.w[j] += along * u[j] - radial * head.w[j];
        const Real normalised = (h[j] - state.mean) * state.inverseDeviation;
        const Real dValue = rectifiedGradient(u[j], along * head.w[j] + (du != nullptr ? du[j] : Real(0)));
        gradients.gain[j] += dValue * normalised;
        gradients.shift[j] += dValue;
        const Real dNormalised = dValue * head.gain[j];
        dh[j] = dNormalised;
        sum += dNormalised;
        sumTimesNormalised += dNormalised * normalised;
    }
    for (int j = 0; j < head.width; ++j) {
        const Real normalised = (h[j] - state.mean) * state.inverseDeviation;
        dh[j] = state.inverseDeviation * (dh[j] - (sum + normalised * sumTimesNormalised) / Real(head.width));
    }
}

/// Bias b for which v equals `initial` (kmin < initial < kmax) when the projection gives o.
template <typename Real>
EC_HD Real biasForInitialSize(Real initial, Real kmin, Real kmax, Real o = Real(0)) {
    using std::log;
    return log((initial - kmin) / (kmax - initial)) - o;
}

}  // namespace effconv
