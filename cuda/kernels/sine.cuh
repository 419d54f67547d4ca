// Sine and cosine in fp32 without the slow path of sinf, which needs a stack.
#pragma once

#include "effconv/device.h"

namespace effconv {

/// Sine and cosine of x, in radians, with an error below 2e-7 for |x| up to a million. The quarter turns are taken off
/// in two
/// /// pieces of pi / 2; on the rest, at most pi / 4, both are their Taylor series to the power 9 and 10 (the next
/// terms are below 2e-9). Where a float is too coarse to tell the nearest quarter turn (from some ten million on) the
/// results are NaN.
__device__ __forceinline__ void sineAndCosine(float x, float& sine, float& cosine) {
    const float quarters = rintf(x * 0.63661977f);
    float rest = fmaf(-quarters, 1.57079637f, x);
    rest = fmaf(-quarters, -4.37113883e-8f, rest);
    if (!(fabsf(rest) <= 1.0f)) rest = NAN;
    const float square = rest * rest;
    float sineSeries = fmaf(square, 2.75573192e-6f, -1.98412698e-4f);
    sineSeries = fmaf(square, sineSeries, 8.33333333e-3f);
    sineSeries = fmaf(square, sineSeries, -1.66666667e-1f);
    sineSeries = fmaf(rest * square, sineSeries, rest);
    float cosineSeries = fmaf(square, -2.75573192e-7f, 2.48015873e-5f);
    cosineSeries = fmaf(square, cosineSeries, -1.38888889e-3f);
    cosineSeries = fmaf(square, cosineSeries, 4.16666667e-2f);
    cosineSeries = fmaf(square, cosineSeries, -0.5f);
    cosineSeries = fmaf(square, cosineSeries, 1.0f);
    const float quadrant = quarters - 4.0f * floorf(0.25f * quarters);  // 0, 1, 2 or 3
    const bool swapped = quadrant == 1.0f || quadrant == 3.0f;
    sine = swapped ? cosineSeries : sineSeries;
    cosine = swapped ? sineSeries : cosineSeries;
    if (quadrant >= 2.0f) sine = -sine;
    if (quadrant == 1.0f || quadrant == 2.0f) cosine = -cosine;
}

}  // namespace effconv
