// The coordinate network of the kernel predictor: features H of a tap's position.
//
//     (x, y) = (column, row) offset of the tap from the centre, in pixels, times the pitch 2 / kmax
//     s = sin(omega0 (W1 (x, y) + b1))          width `hidden`
//     z = s (1 + gamma) + beta                  FiLM; gamma, beta of the layer, from (k / kmax, u), computed elsewhere
//     H = sqrt(2) sin(W2 z + b2)                width `features`; mean square about 1
//
// The pitch is fixed per layer, so a growing kernel adds rings and leaves the values at the centre as they are. The
// gradient reaches gamma and beta, but never v through them: the loss sees v through the mask alone.
#pragma once

#include "effconv/types.h"

namespace effconv {

/// Coordinate of index 0..kgrid-1 along one axis: pixels from the centre times 2 / kmax, so it stays within (-1, 1).
template <typename Real>
EC_HD Real tapCoordinate(int index, int kgrid, int kmax) {
    return Real(2 * (index - kgrid / 2)) / Real(kmax);
}

/// Parameters: W1 [hidden][2], b1 [hidden], W2 [features][hidden], b2 [features], and the layer's gamma, beta [hidden].
template <typename Real>
struct CoordinateNetwork {
    int hidden;
    int features;
    Real omega0;
    const Real* W1;
    const Real* b1;
    const Real* W2;
    const Real* b2;
    const Real* gamma;
    const Real* beta;
};

/// Gradient accumulators, shaped as the parameters; the caller clears them.
template <typename Real>
struct CoordinateGradients {
    Real* W1;
    Real* b1;
    Real* W2;
    Real* b2;
    Real* gamma;
    Real* beta;
};

/// Argument of the first layer's sine for hidden unit j.
template <typename Real>
EC_HD Real coordinatePhase(const CoordinateNetwork<Real>& net, int j, Real x, Real y) {
    return net.omega0 * (net.W1[2 * j] * x + net.W1[2 * j + 1] * y + net.b1[j]);
}

/// Argument of the second layer's sine for feature f, from the modulated hidden vector z.
template <typename Real>
EC_HD Real featurePhase(const CoordinateNetwork<Real>& net, int f, const Real* z) {
    Real sum = net.b2[f];
    for (int j = 0; j < net.hidden; ++j) sum += net.W2[static_cast<std::int64_t>(f) * net.hidden + j] * z[j];
    return sum;
}

/// Features of the tap at (x, y). z [hidden] is written (scratch that the caller may keep), H [features] is the result.
template <typename Real>
EC_HD void coordinateForward(const CoordinateNetwork<Real>& net, Real x, Real y, Real* z, Real* H) {
    using std::sin;
    for (int j = 0; j < net.hidden; ++j) {
        z[j] = sin(coordinatePhase(net, j, x, y)) * (Real(1) + net.gamma[j]) + net.beta[j];
    }
    for (int f = 0; f < net.features; ++f) {
        H[f] = Real(1.41421356237309504880) * sin(featurePhase(net, f, z));
    }
}

/// Backward of one tap: adds the tap's share to every accumulator. z is recomputed; z and dz are scratch of [hidden].
template <typename Real>
EC_HD void coordinateBackward(const CoordinateNetwork<Real>& net, Real x, Real y, const Real* dH, Real* z, Real* dz,
                              const CoordinateGradients<Real>& gradients) {
    using std::cos;
    using std::sin;
    for (int j = 0; j < net.hidden; ++j) {
        z[j] = sin(coordinatePhase(net, j, x, y)) * (Real(1) + net.gamma[j]) + net.beta[j];
        dz[j] = Real(0);
    }
    for (int f = 0; f < net.features; ++f) {
        const Real dPhase = dH[f] * Real(1.41421356237309504880) * cos(featurePhase(net, f, z));
        gradients.b2[f] += dPhase;
        const std::int64_t row = static_cast<std::int64_t>(f) * net.hidden;
        for (int j = 0; j < net.hidden; ++j) {
            gradients.W2[row + j] += dPhase * z[j];
            dz[j] += dPhase * net.W2[row + j];
        }
    }
    for (int j = 0; j < net.hidden; ++j) {
        const Real phase = coordinatePhase(net, j, x, y);
        gradients.gamma[j] += dz[j] * sin(phase);
        gradients.beta[j] += dz[j];
        const Real dPhase = dz[j] * (Real(1) + net.gamma[j]) * cos(phase) * net.omega0;
        gradients.W1[2 * j] += dPhase * x;
        gradients.W1[2 * j + 1] += dPhase * y;
        gradients.b1[j] += dPhase;
    }
}

}  // namespace effconv
