// Layer normalisation over the last dimension: a row is read twice while it lies in the cache.

#include "kernel.h"

namespace effconv {
namespace {

/// Sum over i of value(i), in a fixed order that vectorises.
template <typename Real, typename Value>
Real sumOf(std::int64_t count, Value&& value) {
    constexpr int kLanes = 32;
    Real lanes[kLanes] = {};
    std::int64_t i = 0;
    for (; i + kLanes <= count; i += kLanes) {
        for (int lane = 0; lane < kLanes; ++lane) lanes[lane] += value(i + lane);
    }
    for (int lane = 0; i < count; ++i, ++lane) lanes[lane] += value(i);
    for (int half = kLanes / 2; half >= 1; half /= 2) {
        for (int lane = 0; lane < half; ++lane) lanes[lane] += lanes[lane + half];
    }
    return lanes[0];
}

template <typename T>
ec_status forward(std::int64_t rows, std::int64_t width, const T* x, const ParameterOf<T>* scale,
                  const ParameterOf<T>* shift, double epsilon, ParameterOf<T>* mean, ParameterOf<T>* inverse, T* y) {
    using Real = ComputeOf<T>;
    inRanges(rows, width, [=](std::int64_t begin, std::int64_t end) {
        for (std::int64_t row = begin; row < end; ++row) {
            const T* in = x + row * width;
            T* out = y + row * width;
            const Real average = sumOf<Real>(width, [=](std::int64_t i) { return load(in[i]); }) / Real(width);
            const Real squares = sumOf<Real>(width, [=](std::int64_t i) {
                const Real deviation = load(in[i]) - average;
                return deviation * deviation;
            });
            const Real factor = Real(1) / std::sqrt(squares / Real(width) + Real(epsilon));
            mean[row] = average;
            inverse[row] = factor;
            EC_INDEPENDENT
            for (std::int64_t i = 0; i < width; ++i)
                out[i] = store<T>((load(in[i]) - average) * factor * scale[i] + shift[i]);
        }
    });
    return EC_OK;
}

template <typename T>
ec_status backward(std::int64_t rows, std::int64_t width, const T* x, const T* dy, const ParameterOf<T>* scale,
                   const ParameterOf<T>* mean, const ParameterOf<T>* inverse, T* dx, ParameterOf<T>* dscale,
                   ParameterOf<T>* dshift) {
    using Real = ComputeOf<T>;
    const int parts = partsFor(rows * width);
    Scratch<double> sums(2 * width * parts);
    if (!sums.get()) return outOfScratch("ec_layer_norm_gradient");
    inParts(parts, [&](int part) {
        double* scales = sums.get() + 2 * width * part;
        double* shifts = scales + width;
        for (std::int64_t i = 0; i < 2 * width; ++i) scales[i] = 0;
        const Range range = share(rows, parts, part);
        for (std::int64_t row = range.begin; row < range.end; ++row) {
            const T* in = x + row * width;
            const T* gradient = dy + row * width;
            T* out = dx + row * width;
            const Real average = mean[row];
            const Real factor = inverse[row];
            for (std::int64_t i = 0; i < width; ++i) {
                scales[i] += static_cast<double>(load(gradient[i]) * ((load(in[i]) - average) * factor));
                shifts[i] += static_cast<double>(load(gradient[i]));
            }
            const Real plain =
                sumOf<Real>(width, [=](std::int64_t i) { return load(gradient[i]) * scale[i]; }) / Real(width);
            const Real weighted =
                sumOf<Real>(
                    width,
                    [=](std::int64_t i) { return load(gradient[i]) * scale[i] * ((load(in[i]) - average) * factor); }) /
                Real(width);
            EC_INDEPENDENT
            for (std::int64_t i = 0; i < width; ++i) {
                const Real normalised = (load(in[i]) - average) * factor;
                out[i] = store<T>(factor * (load(gradient[i]) * scale[i] - plain - normalised * weighted));
            }
        }
    });
    for (std::int64_t i = 0; i < width; ++i) {
        double byScale = 0, byShift = 0;
        for (int part = 0; part < parts; ++part) {
            byScale += sums[2 * width * part + i];
            byShift += sums[2 * width * part + width + i];
        }
        dscale[i] = static_cast<ParameterOf<T>>(byScale);
        dshift[i] = static_cast<ParameterOf<T>>(byShift);
    }
    return EC_OK;
}

}  // namespace
}  // namespace effconv

using namespace effconv;

EC_ENTRY(ec_layer_norm)
(ec_type type, int64_t rows, int64_t width, const void* x, const void* scale, const void* shift, double epsilon,
 void* mean, void* inv_std, void* y) {
    const char* operation = "ec_layer_norm";
    EC_REQUIRE_POINTER(operation, x);
    EC_REQUIRE_POINTER(operation, scale);
    EC_REQUIRE_POINTER(operation, shift);
    EC_REQUIRE_POINTER(operation, mean);
    EC_REQUIRE_POINTER(operation, inv_std);
    EC_REQUIRE_POINTER(operation, y);
    EC_REQUIRE_SIZE(operation, rows, 1);
    EC_REQUIRE_SIZE(operation, width, 1);
    return forType(operation, type, [&](auto tag) {
        using T = decltype(tag);
        using P = ParameterOf<T>;
        return forward<T>(rows, width, static_cast<const T*>(x), static_cast<const P*>(scale),
                          static_cast<const P*>(shift), epsilon, static_cast<P*>(mean), static_cast<P*>(inv_std),
                          static_cast<T*>(y));
    });
}

EC_ENTRY(ec_layer_norm_gradient)
(ec_type type, int64_t rows, int64_t width, const void* x, const void* dy, const void* scale, const void* mean,
 const void* inv_std, void* dx, void* dscale, void* dshift) {
    const char* operation = "ec_layer_norm_gradient";
    EC_REQUIRE_POINTER(operation, x);
    EC_REQUIRE_POINTER(operation, dy);
    EC_REQUIRE_POINTER(operation, scale);
    EC_REQUIRE_POINTER(operation, mean);
    EC_REQUIRE_POINTER(operation, inv_std);
    EC_REQUIRE_POINTER(operation, dx);
    EC_REQUIRE_POINTER(operation, dscale);
    EC_REQUIRE_POINTER(operation, dshift);
    EC_REQUIRE_SIZE(operation, rows, 1);
    EC_REQUIRE_SIZE(operation, width, 1);
    return forType(operation, type, [&](auto tag) {
        using T = decltype(tag);
        using P = ParameterOf<T>;
        return backward<T>(rows, width, static_cast<const T*>(x), static_cast<const T*>(dy),
                           static_cast<const P*>(scale), static_cast<const P*>(mean), static_cast<const P*>(inv_std),
                           static_cast<T*>(dx), static_cast<P*>(dscale), static_cast<P*>(dshift));
    });
}
