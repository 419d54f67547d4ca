// Convolution as its definition says, sums in double: the reference that faster code is checked against, and what runs
// in double precision when gradients are verified.

#include "kernel.h"

namespace effconv {
namespace {

struct Geometry {
    std::int64_t n, h, w, c, k;
    std::int64_t size, stride, groups;
    std::int64_t padding, ho, wo, groupInputs, groupOutputs;

    std::int64_t weight(std::int64_t output, std::int64_t row, std::int64_t column) const {
        return ((output * size + row) * size + column) * groupInputs;
    }
};

ec_status geometryOf(const char* operation, std::int64_t n, std::int64_t h, std::int64_t w, std::int64_t c,
                     std::int64_t k, std::int32_t size, std::int32_t stride, std::int32_t groups, Geometry& g) {
    EC_REQUIRE_SIZE(operation, n, 1);
    EC_REQUIRE_SIZE(operation, h, 1);
    EC_REQUIRE_SIZE(operation, w, 1);
    EC_REQUIRE_SIZE(operation, c, 1);
    EC_REQUIRE_SIZE(operation, k, 1);
    EC_REQUIRE_SIZE(operation, stride, 1);
    EC_REQUIRE_SIZE(operation, groups, 1);
    if (size < 1 || size > kMaxKernelSize || size % 2 == 0) {
        return ec_fail(EC_INVALID_ARGUMENT, "%s: kernel size %d; expected an odd number from 1 to %d", operation, size,
                       kMaxKernelSize);
    }
    if (c % groups != 0 || k % groups != 0) {
        return ec_fail(EC_INVALID_ARGUMENT, "%s: %d groups do not divide %lld input and %lld output channels",
                       operation, groups, static_cast<long long>(c), static_cast<long long>(k));
    }
    g = {n,
         h,
         w,
         c,
         k,
         size,
         stride,
         groups,
         (size - 1) / 2,
         (h - 1) / stride + 1,
         (w - 1) / stride + 1,
         c / groups,
         k / groups};
    return EC_OK;
}

template <typename T>
void forward(const Geometry& g, const T* x, const ParameterOf<T>* weights, const ParameterOf<T>* bias, T* y) {
    inRanges(g.n * g.ho, g.wo * g.k * g.size * g.size * g.groupInputs, [=, &g](std::int64_t begin, std::int64_t end) {
        for (std::int64_t index = begin; index < end; ++index) {
            const std::int64_t image = index / g.ho;
            const std::int64_t outRow = index % g.ho;
            for (std::int64_t outColumn = 0; outColumn < g.wo; ++outColumn) {
                for (std::int64_t output = 0; output < g.k; ++output) {
                    const std::int64_t firstInput = output / g.groupOutputs * g.groupInputs;
                    double sum = bias ? static_cast<double>(bias[output]) : 0;
                    for (std::int64_t r = 0; r < g.size; ++r) {
                        const std::int64_t row = outRow * g.stride + r - g.padding;
                        if (row < 0 || row >= g.h) continue;
                        for (std::int64_t s = 0; s < g.size; ++s) {
                            const std::int64_t column = outColumn * g.stride + s - g.padding;
                            if (column < 0 || column >= g.w) continue;
                            const T* in = x + ((image * g.h + row) * g.w + column) * g.c + firstInput;
                            const ParameterOf<T>* tap = weights + g.weight(output, r, s);
                            for (std::int64_t i = 0; i < g.groupInputs; ++i) {
                                sum += static_cast<double>(load(in[i])) * static_cast<double>(tap[i]);
                            }
                        }
                    }
                    y[(index * g.wo + outColumn) * g.k + output] = store<T>(sum);
                }
            }
        }
    });
}

template <typename T>
ec_status dataGradient(const Geometry& g, const T* dy, const ParameterOf<T>* weights, T* dx) {
    const std::int64_t work = g.n * g.h * g.w * g.k * g.size * g.size * g.groupInputs;
    const int parts = partsFor(work);
    Scratch<double> scratch(g.groupInputs * parts);
    if (!scratch.get()) return outOfScratch("ec_naive_convolution_data_gradient");
    inParts(parts, [&](int part) {
        double* sums = scratch.get() + g.groupInputs * part;
        const Range pixels = share(g.n * g.h * g.w, parts, part);
        for (std::int64_t pixel = pixels.begin; pixel < pixels.end; ++pixel) {
            const std::int64_t image = pixel / (g.h * g.w);
            const std::int64_t row = pixel / g.w % g.h;
            const std::int64_t column = pixel % g.w;
            for (std::int64_t group = 0; group < g.groups; ++group) {
                for (std::int64_t i = 0; i < g.groupInputs; ++i) sums[i] = 0;
                for (std::int64_t r = 0; r < g.size; ++r) {
                    const std::int64_t top = row + g.padding - r;
                    if (top < 0 || top % g.stride != 0 || top / g.stride >= g.ho) continue;
                    for (std::int64_t s = 0; s < g.size; ++s) {
                        const std::int64_t left = column + g.padding - s;
                        if (left < 0 || left % g.stride != 0 || left / g.stride >= g.wo) continue;
                        const T* gradient = dy + ((image * g.ho + top / g.stride) * g.wo + left / g.stride) * g.k;
                        for (std::int64_t o = group * g.groupOutputs; o < (group + 1) * g.groupOutputs; ++o) {
                            const double value = static_cast<double>(load(gradient[o]));
                            const ParameterOf<T>* tap = weights + g.weight(o, r, s);
                            for (std::int64_t i = 0; i < g.groupInputs; ++i)
                                sums[i] += value * static_cast<double>(tap[i]);
                        }
                    }
                }
                T* to = dx + pixel * g.c + group * g.groupInputs;
                for (std::int64_t i = 0; i < g.groupInputs; ++i) to[i] = store<T>(sums[i]);
            }
        }
    });
    return EC_OK;
}

template <typename T>
ec_status weightGradient(const Geometry& g, const T* x, const T* dy, ParameterOf<T>* dweights, ParameterOf<T>* dbias) {
    const std::int64_t taps = g.k * g.size * g.size;
    const int parts = partsFor(taps * g.n * g.ho * g.wo * g.groupInputs);
    Scratch<double> scratch(g.groupInputs * parts);
    if (!scratch.get()) return outOfScratch("ec_naive_convolution_weight_gradient");
    inParts(parts, [&](int part) {
        double* sums = scratch.get() + g.groupInputs * part;
        const Range range = share(taps, parts, part);
        for (std::int64_t tap = range.begin; tap < range.end; ++tap) {
            const std::int64_t output = tap / (g.size * g.size);
            const std::int64_t r = tap / g.size % g.size;
            const std::int64_t s = tap % g.size;
            const std::int64_t firstInput = output / g.groupOutputs * g.groupInputs;
            for (std::int64_t i = 0; i < g.groupInputs; ++i) sums[i] = 0;
            for (std::int64_t pixel = 0; pixel < g.n * g.ho * g.wo; ++pixel) {
                const std::int64_t row = pixel / g.wo % g.ho * g.stride + r - g.padding;
                const std::int64_t column = pixel % g.wo * g.stride + s - g.padding;
                if (row < 0 || row >= g.h || column < 0 || column >= g.w) continue;
                const double value = static_cast<double>(load(dy[pixel * g.k + output]));
                const T* in = x + ((pixel / (g.ho * g.wo) * g.h + row) * g.w + column) * g.c + firstInput;
                for (std::int64_t i = 0; i < g.groupInputs; ++i) sums[i] += value * static_cast<double>(load(in[i]));
            }
            for (std::int64_t i = 0; i < g.groupInputs; ++i) {
                dweights[tap * g.groupInputs + i] = static_cast<ParameterOf<T>>(sums[i]);
            }
        }
    });
    for (std::int64_t output = 0; dbias && output < g.k; ++output) {
        double sum = 0;
        for (std::int64_t pixel = 0; pixel < g.n * g.ho * g.wo; ++pixel)
            sum += static_cast<double>(load(dy[pixel * g.k + output]));
        dbias[output] = static_cast<ParameterOf<T>>(sum);
    }
    return EC_OK;
}

}  // namespace
}  // namespace effconv

using namespace effconv;

EC_ENTRY(ec_naive_convolution)
(ec_type type, int64_t n, int64_t h, int64_t w, int64_t c, int64_t k, int32_t size, int32_t stride, int32_t groups,
 const void* x, const void* weights, const void* bias, void* y) {
    const char* operation = "ec_naive_convolution";
    EC_REQUIRE_POINTER(operation, x);
    EC_REQUIRE_POINTER(operation, weights);
    EC_REQUIRE_POINTER(operation, y);
    Geometry g;
    if (const ec_status refused = geometryOf(operation, n, h, w, c, k, size, stride, groups, g)) return refused;
    return forType(operation, type, [&](auto tag) -> ec_status {
        using T = decltype(tag);
        using P = ParameterOf<T>;
        forward(g, static_cast<const T*>(x), static_cast<const P*>(weights), static_cast<const P*>(bias),
                static_cast<T*>(y));
        return EC_OK;
    });
}

EC_ENTRY(ec_naive_convolution_data_gradient)
(ec_type type, int64_t n, int64_t h, int64_t w, int64_t c, int64_t k, int32_t size, int32_t stride, int32_t groups,
 const void* dy, const void* weights, void* dx) {
    const char* operation = "ec_naive_convolution_data_gradient";
    EC_REQUIRE_POINTER(operation, dy);
    EC_REQUIRE_POINTER(operation, weights);
    EC_REQUIRE_POINTER(operation, dx);
    Geometry g;
    if (const ec_status refused = geometryOf(operation, n, h, w, c, k, size, stride, groups, g)) return refused;
    return forType(operation, type, [&](auto tag) {
        using T = decltype(tag);
        return dataGradient(g, static_cast<const T*>(dy), static_cast<const ParameterOf<T>*>(weights),
                            static_cast<T*>(dx));
    });
}

EC_ENTRY(ec_naive_convolution_weight_gradient)
(ec_type type, int64_t n, int64_t h, int64_t w, int64_t c, int64_t k, int32_t size, int32_t stride, int32_t groups,
 const void* x, const void* dy, void* dweights, void* dbias) {
    const char* operation = "ec_naive_convolution_weight_gradient";
    EC_REQUIRE_POINTER(operation, x);
    EC_REQUIRE_POINTER(operation, dy);
    EC_REQUIRE_POINTER(operation, dweights);
    Geometry g;
    if (const ec_status refused = geometryOf(operation, n, h, w, c, k, size, stride, groups, g)) return refused;
    return forType(operation, type, [&](auto tag) {
        using T = decltype(tag);
        using P = ParameterOf<T>;
        return weightGradient(g, static_cast<const T*>(x), static_cast<const T*>(dy), static_cast<P*>(dweights),
                              static_cast<P*>(dbias));
    });
}
