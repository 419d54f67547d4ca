// Size masks: the path by which a loss reaches the soft kernel size v.
//
// Tap (i, j), counted from the kernel's centre, lies on ring d = max(|i|, |j|); ring d has 8 d taps (ring 0 has one).
// A mask m(d; v) modulates the taps of ring d, so that w = m * w^ is differentiable in v. Soft sizes are v >= 1,
// finite; a NaN makes mask and derivative NaN. Where v is compared with a ring, the integer is subtracted from v first:
// near an edge that difference is exact in any precision, while (v + 1) / 2 - d would keep only the digits that (v + 1)
// / 2 has to spare.
#pragma once

#include "effconv/types.h"

namespace effconv {

enum MaskKind : std::int32_t { kRamp = 0, kSmoothstep = 1, kSigmoid = 2, kGaussian = 3 };
constexpr int kMaskKinds = 4;

/// Mask value in [0, 1] and its derivative by the soft size v (the right derivative where the two sides differ).
template <typename Real>
struct MaskValue {
    Real m;
    Real dm;
};

/// Linear over one ring: m = clip((v + 1) / 2 - d, 0, 1). Ring d is fully on from v = 2 d + 1 and off below 2 d - 1, so
/// at an odd v the mask is exactly that of the integer kernel. There the next ring has m = 0 and dm/dv = 1/2: it is
/// what lets the class loss grow a kernel that sits exactly on an odd size.
template <typename Real>
EC_HD MaskValue<Real> rampMask(int d, Real v) {
    const Real x = (v - Real(2 * d - 1)) / Real(2);
    if (x < Real(0)) return {Real(0), Real(0)};
    if (x < Real(1)) return {x, Real(0.5)};
    if (x >= Real(1)) return {Real(1), Real(0)};
    return {x, x};  // NaN
}

/// Smooth over two rings: t = clip((v / 2 - d + 1) / 2, 0, 1), m = t^2 (3 - 2 t). The usual one-ring form has a
/// vanishing derivative on every ring at odd v; over two rings the largest dm/dv among the rings is never below 9/32
/// (at odd v, on the last ring of the integer kernel and on the first one outside it alike) and 3/8 at even v.
template <typename Real>
EC_HD MaskValue<Real> smoothstepMask(int d, Real v) {
    const Real t = (v - Real(2 * d - 2)) / Real(4);
    if (t <= Real(0)) return {Real(0), Real(0)};
    if (t >= Real(1)) return {Real(1), Real(0)};
    return {t * t * (Real(3) - Real(2) * t), Real(1.5) * t * (Real(1) - t)};
}

/// Logistic in v / 2 - d with temperature 0.2 rings; values under the cut 0.01 become exact zeros (0.92 rings outside
/// the edge) and the rest is rescaled to reach up to 1: m = max(0, (s - c) / (1 - c)).
template <typename Real>
EC_HD MaskValue<Real> sigmoidMask(int d, Real v) {
    const Real temperature = Real(0.2);
    const Real cut = Real(0.01);
    const Real s = logistic((v - Real(2 * d)) / (Real(2) * temperature));
    if (s < cut) return {Real(0), Real(0)};
    return {(s - cut) / (Real(1) - cut), s * (Real(1) - s) / (Real(2) * temperature * (Real(1) - cut))};
}

/// Gaussian in the ring, half height at d = v / 2 (in the manner of FlexConv's masks): g = exp(-ln 2 (2 d / v)^2), cut
/// at 0.05 and rescaled. Its support reaches 2.08 times as far as the kernel of size v; the cut is low enough for ring
/// 1 to be felt at v = 1.
template <typename Real>
EC_HD MaskValue<Real> gaussianMask(int d, Real v) {
    using std::exp;
    const Real ln2 = Real(0.69314718055994530942);
    const Real cut = Real(0.05);
    const Real ratio = Real(2 * d) / v;
    const Real g = exp(-ln2 * ratio * ratio);
    if (g < cut) return {Real(0), Real(0)};
    return {(g - cut) / (Real(1) - cut), g * Real(2) * ln2 * ratio * ratio / (v * (Real(1) - cut))};
}

/// Mask of ring d at soft size v. An unknown kind yields NaN, which no check downstream can overlook.
template <typename Real>
EC_HD MaskValue<Real> mask(int kind, int d, Real v) {
    switch (kind) {
        case kRamp: return rampMask(d, v);
        case kSmoothstep: return smoothstepMask(d, v);
        case kSigmoid: return sigmoidMask(d, v);
        case kGaussian: return gaussianMask(d, v);
        default: return {Real(NAN), Real(NAN)};
    }
}

/// Ring of tap (row, column) of a kgrid x kgrid grid.
EC_HD int ringOfTap(int row, int column, int kgrid) {
    const int centre = kgrid / 2;
    const int i = row < centre ? centre - row : row - centre;
    const int j = column < centre ? centre - column : column - centre;
    return i > j ? i : j;
}

/// Number of taps on ring d.
EC_HD int ringTaps(int d) {
    return d == 0 ? 1 : 8 * d;
}

/// Largest ring d <= (kmax - 1) / 2 with m > 0; with `signal`, with m > 0 or dm/dv != 0.
template <typename Real>
EC_HD int supportRadius(int kind, Real v, int kmax, bool signal) {
    for (int d = (kmax - 1) / 2; d > 0; --d) {
        const MaskValue<Real> value = mask(kind, d, v);
        if (value.m > Real(0) || (signal && value.dm != Real(0))) return d;
    }
    return 0;
}

/// Radius of the grid to work on: the largest ring with m > 0 and one spare ring outside it, capped at (kmax - 1) / 2.
/// A grid cropped at the support itself would hold no tap with dm/dv > 0 at odd v, and kernels could only shrink.
template <typename Real>
EC_HD int supportRadiusWithSpare(int kind, Real v, int kmax) {
    const int radius = supportRadius(kind, v, kmax, false) + 1;
    const int largest = (kmax - 1) / 2;
    return radius < largest ? radius : largest;
}

/// Integer kernel size 2 round((v - 1) / 2) + 1, halves rounded up, clipped to [1, kmax]; kmax odd. NaN gives 1.
template <typename Real>
EC_HD int kernelSize(Real v, int kmax) {
    using std::floor;
    if (!(v >= Real(1))) return 1;
    if (v >= Real(kmax)) return kmax;
    const int k = 2 * static_cast<int>(floor(v / Real(2))) + 1;
    return k < kmax ? k : kmax;
}

/// Soft tap count and its derivative (right derivative at odd v).
template <typename Real>
struct SoftTaps {
    Real taps;
    Real dtaps;
};

/// Sum of the ramp mask over all taps, whatever mask the weights use: exactly k^2 at odd v = k, piecewise linear
/// between.
template <typename Real>
EC_HD SoftTaps<Real> softTaps(Real v) {
    using std::floor;
    const Real fullRings = floor((v + Real(1)) / Real(2));
    if (fullRings < Real(0)) return {Real(0), Real(0)};
    const Real inner = Real(2) * fullRings - Real(1);
    const Real fraction = (v - inner) / Real(2);
    if (fullRings == Real(0)) return {fraction, Real(0.5)};
    return {inner * inner + Real(8) * fullRings * fraction, Real(4) * fullRings};
}

}  // namespace effconv
