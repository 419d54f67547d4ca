// Weight synthesis: convolution weights out of tap features, coefficients and a soft size, and the way back.
//
//     features source    w[o, p, i] = s m(ring(p); v) sum_f H[p][f] A[f][o Cin + i]
//     elastic source     w[o, p, i] = s m(ring(p); v) T[o][centre crop of p][i]
//
// o: output channel, i: input channel (of one group), p: tap of the kgrid x kgrid grid, row-major. Gradients, with
// G[p][f] = sum_{o,i} dw[o, p, i] A[f][o Cin + i]:
//
//     dA[f][o Cin + i] = s sum_p m_p H[p][f] dw[o, p, i]        dH[p][f] = s m_p G[p][f]
//     dv = s sum_p dm_p sum_f H[p][f] G[p][f]                   dT[o][crop p][i] = s m_p dw[o, p, i]
//     elastic: dv = s sum_p dm_p sum_{o,i} dw[o, p, i] T[o][crop p][i]
//
// dv is needed on taps whose mask is zero (the spare ring), so nothing is skipped for m = 0 unless dm = 0 as well.
#pragma once

#include "effconv/mask.h"

namespace effconv {

/// Where the unmasked weights come from.
enum SynthesisSource : std::int32_t { kCoordinateFeatures = 0, kElasticTable = 1 };

/// One row of the work table. Offsets and strides are in elements from the arrays' bases. Layouts:
///   H  [kgrid * kgrid][features]     rows featureStride apart        (dH alike)
///   A  [features][cout * cin]        rows coefficientStride apart    (dA alike)
///   T  [cout][kmax][kmax][cin]       output channels coefficientStride apart, at coefficientOffset, in place of A
///   w  [cout][kgrid][kgrid][cin]     KRSC; output channels weightStride apart   (dw alike)
/// The grid may be larger than the support: masked taps become exact zeros.
struct SynthesisLayer {
    std::int32_t cout = 0;      ///< output channels
    std::int32_t cin = 0;       ///< input channels per group
    std::int32_t kgrid = 0;     ///< odd grid size, at most kmax
    std::int32_t features = 0;  ///< width h of H; 0 for the elastic source
    std::int32_t kmax = 0;      ///< largest size of this layer, odd; the elastic table's extent
    std::int32_t maskKind = kRamp;
    std::int32_t source = kCoordinateFeatures;
    std::int32_t sizeIndex = 0;  ///< index of this layer's v and dv
    float scale = 1;             ///< s
    std::int32_t reserved = 0;
    std::int64_t featureOffset = 0;
    std::int64_t featureStride = 0;
    std::int64_t coefficientOffset = 0;
    std::int64_t coefficientStride = 0;
    std::int64_t weightOffset = 0;
    std::int64_t weightStride = 0;
    std::int64_t featureGradientOffset = 0;
    std::int64_t coefficientGradientOffset = 0;
};

/// Scale that gives w variance 2 / (cin taps), He's for ReLU, where w^ has variance 1. taps: k^2 at an odd size k, the
/// soft tap count between.
template <typename Real>
EC_HD Real synthesisScale(int cin, Real taps) {
    using std::sqrt;
    return sqrt(Real(2) / (Real(cin) * taps));
}

/// Mask of tap p (row-major in the layer's grid) at soft size v.
template <typename Real>
EC_HD MaskValue<Real> tapMask(const SynthesisLayer& layer, int p, Real v) {
    return mask(layer.maskKind, ringOfTap(p / layer.kgrid, p % layer.kgrid, layer.kgrid), v);
}

/// Offset of element (o, tap p, i = 0) in the elastic table, from its base, under the centre crop.
EC_HD std::int64_t elasticTapOffset(const SynthesisLayer& layer, int o, int p) {
    const int margin = (layer.kmax - layer.kgrid) / 2;
    const int row = p / layer.kgrid + margin;
    const int column = p % layer.kgrid + margin;
    return layer.coefficientOffset + o * layer.coefficientStride +
           (static_cast<std::int64_t>(row) * layer.kmax + column) * layer.cin;
}

/// Weights of the output channels [firstOut, lastOut) of one layer. H, A (or T), w: bases that the layer's offsets
/// refer to; `v` is the layer's own soft size.
template <typename Real>
EC_HD void synthesizeWeights(const SynthesisLayer& layer, Real v, int firstOut, int lastOut, const Real* H,
                             const Real* A, Real* w) {
    const int taps = layer.kgrid * layer.kgrid;
    for (int o = firstOut; o < lastOut; ++o) {
        for (int p = 0; p < taps; ++p) {
            Real* row = w + layer.weightOffset + o * layer.weightStride + static_cast<std::int64_t>(p) * layer.cin;
            const Real factor = Real(layer.scale) * tapMask(layer, p, v).m;
            for (int i = 0; i < layer.cin; ++i) row[i] = Real(0);
            if (factor == Real(0)) continue;
            if (layer.source == kElasticTable) {
                const Real* table = A + elasticTapOffset(layer, o, p);
                for (int i = 0; i < layer.cin; ++i) row[i] = factor * table[i];
                continue;
            }
            const Real* tapFeatures = H + layer.featureOffset + p * layer.featureStride;
            for (int f = 0; f < layer.features; ++f) {
                const Real* a = A + layer.coefficientOffset + f * layer.coefficientStride +
                                static_cast<std::int64_t>(o) * layer.cin;
                const Real feature = tapFeatures[f];
                for (int i = 0; i < layer.cin; ++i) row[i] += feature * a[i];
            }
            for (int i = 0; i < layer.cin; ++i) row[i] *= factor;
        }
    }
}

/// Backward of the features source for the output channels [firstOut, lastOut): writes dA of those channels and adds
/// their share of G [kgrid * kgrid][features] (dense, the caller clears it). Shares of several ranges are to be summed
/// in a fixed order and given to finishFeatureGradients.
template <typename Real>
EC_HD void synthesisBackwardFeatures(const SynthesisLayer& layer, Real v, int firstOut, int lastOut, const Real* H,
                                     const Real* A, const Real* dw, Real* dA, Real* G) {
    const int taps = layer.kgrid * layer.kgrid;
    for (int o = firstOut; o < lastOut; ++o) {
        const std::int64_t column = static_cast<std::int64_t>(o) * layer.cin;
        for (int f = 0; f < layer.features; ++f) {
            Real* da = dA + layer.coefficientGradientOffset + f * layer.coefficientStride + column;
            for (int i = 0; i < layer.cin; ++i) da[i] = Real(0);
        }
        for (int p = 0; p < taps; ++p) {
            const MaskValue<Real> value = tapMask(layer, p, v);
            if (value.m == Real(0) && value.dm == Real(0)) continue;
            const Real factor = Real(layer.scale) * value.m;
            const Real* row =
                dw + layer.weightOffset + o * layer.weightStride + static_cast<std::int64_t>(p) * layer.cin;
            const Real* tapFeatures = H + layer.featureOffset + p * layer.featureStride;
            for (int f = 0; f < layer.features; ++f) {
                const Real* a = A + layer.coefficientOffset + f * layer.coefficientStride + column;
                Real* da = dA + layer.coefficientGradientOffset + f * layer.coefficientStride + column;
                const Real feature = factor * tapFeatures[f];
                Real sum = Real(0);
                for (int i = 0; i < layer.cin; ++i) {
                    sum += row[i] * a[i];
                    da[i] += feature * row[i];
                }
                G[static_cast<std::int64_t>(p) * layer.features + f] += sum;
            }
        }
    }
}

/// dH[p] of one tap from its row of G; returns the tap's share of dv.
template <typename Real>
EC_HD Real finishFeatureGradients(const SynthesisLayer& layer, Real v, int p, const Real* H, const Real* G, Real* dH) {
    const MaskValue<Real> value = tapMask(layer, p, v);
    const Real* tapFeatures = H + layer.featureOffset + p * layer.featureStride;
    Real* gradient = dH + layer.featureGradientOffset + p * layer.featureStride;
    Real sum = Real(0);
    for (int f = 0; f < layer.features; ++f) {
        gradient[f] = Real(layer.scale) * value.m * G[f];
        sum += tapFeatures[f] * G[f];
    }
    return Real(layer.scale) * value.dm * sum;
}

/// Backward of the elastic source for the output channels [firstOut, lastOut): writes dT of those channels (zeros
/// outside the grid's crop) and returns their share of dv.
template <typename Real>
EC_HD Real synthesisBackwardElastic(const SynthesisLayer& layer, Real v, int firstOut, int lastOut, const Real* T,
                                    const Real* dw, Real* dT) {
    const int margin = (layer.kmax - layer.kgrid) / 2;
    Real dv = Real(0);
    for (int o = firstOut; o < lastOut; ++o) {
        for (int q = 0; q < layer.kmax * layer.kmax; ++q) {
            const int row = q / layer.kmax - margin;
            const int column = q % layer.kmax - margin;
            const std::int64_t inTable = o * layer.coefficientStride + static_cast<std::int64_t>(q) * layer.cin;
            Real* gradient = dT + layer.coefficientGradientOffset + inTable;
            const bool inside = row >= 0 && row < layer.kgrid && column >= 0 && column < layer.kgrid;
            const int p = row * layer.kgrid + column;
            const MaskValue<Real> value = inside ? tapMask(layer, p, v) : MaskValue<Real>{Real(0), Real(0)};
            if (value.m == Real(0) && value.dm == Real(0)) {
                for (int i = 0; i < layer.cin; ++i) gradient[i] = Real(0);
                continue;
            }
            const Real* g = dw + layer.weightOffset + o * layer.weightStride + static_cast<std::int64_t>(p) * layer.cin;
            const Real* table = T + layer.coefficientOffset + inTable;
            Real sum = Real(0);
            for (int i = 0; i < layer.cin; ++i) {
                gradient[i] = Real(layer.scale) * value.m * g[i];
                sum += g[i] * table[i];
            }
            dv += Real(layer.scale) * value.dm * sum;
        }
    }
    return dv;
}

}  // namespace effconv
