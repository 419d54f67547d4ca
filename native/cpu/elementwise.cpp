// Activations, sums and dropout, element by element.

#include "effconv/random.h"
#include "kernel.h"

namespace effconv {
namespace {

template <typename Real>
inline Real gelu(Real x) {
    return Real(0.5) * x * (Real(1) + std::erf(x * Real(0.70710678118654752440)));
}

template <typename Real>
inline Real geluSlope(Real x) {
    const Real phi = Real(0.5) * (Real(1) + std::erf(x * Real(0.70710678118654752440)));
    return phi + x * Real(0.39894228040143267794) * std::exp(Real(-0.5) * x * x);
}

constexpr std::int64_t kDrawBlocks = 64;  // of four words each

/// Words of consecutive random blocks. Out of line, so that its loop is vectorised on its own, whatever the caller
/// does.
__attribute__((noinline)) void drawWords(std::uint64_t seed, std::uint64_t firstBlock, std::uint32_t* words) {
    for (std::uint64_t block = 0; block < kDrawBlocks; ++block) {
        const RandomBlock random = randomBlock(seed, 0, firstBlock + block);
        for (int word = 0; word < 4; ++word) words[4 * block + word] = random.word[word];
    }
}

}  // namespace
}  // namespace effconv

using namespace effconv;

EC_ENTRY(ec_activate)(ec_type type, ec_activation activation, int64_t count, const void* x, void* y) {
    const char* operation = "ec_activate";
    EC_REQUIRE_POINTER(operation, x);
    EC_REQUIRE_POINTER(operation, y);
    EC_REQUIRE_SIZE(operation, count, 0);
    return forType(operation, type, [&](auto tag) -> ec_status {
        using T = decltype(tag);
        const T* in = static_cast<const T*>(x);
        T* out = static_cast<T*>(y);
        const auto each = [&](auto function) -> ec_status {
            inRanges(count, 1, [=](std::int64_t begin, std::int64_t end) {
                EC_INDEPENDENT
                for (std::int64_t i = begin; i < end; ++i) out[i] = store<T>(function(load(in[i])));
            });
            return EC_OK;
        };
        switch (activation) {
            case EC_NONE: return each([](auto v) { return v; });
            case EC_RELU: return each([](auto v) { return rectified(v); });
            case EC_GELU: return each([](auto v) { return gelu(v); });
            default: return ec_fail(EC_INVALID_ARGUMENT, "%s: unknown activation %d", operation, activation);
        }
    });
}

EC_ENTRY(ec_activate_gradient)
(ec_type type, ec_activation activation, int64_t count, const void* x, const void* dy, void* dx) {
    const char* operation = "ec_activate_gradient";
    EC_REQUIRE_POINTER(operation, x);
    EC_REQUIRE_POINTER(operation, dy);
    EC_REQUIRE_POINTER(operation, dx);
    EC_REQUIRE_SIZE(operation, count, 0);
    return forType(operation, type, [&](auto tag) -> ec_status {
        using T = decltype(tag);
        using Real = ComputeOf<T>;
        const T* in = static_cast<const T*>(x);
        const T* gradient = static_cast<const T*>(dy);
        T* out = static_cast<T*>(dx);
        const auto each = [&](auto function) -> ec_status {
            inRanges(count, 1, [=](std::int64_t begin, std::int64_t end) {
                EC_INDEPENDENT
                for (std::int64_t i = begin; i < end; ++i) out[i] = store<T>(function(load(in[i]), load(gradient[i])));
            });
            return EC_OK;
        };
        switch (activation) {
            case EC_NONE: return each([](Real, Real g) { return g; });
            case EC_RELU: return each([](Real v, Real g) { return rectifiedGradient(v, g); });
            case EC_GELU: return each([](Real v, Real g) { return g * geluSlope(v); });
            default: return ec_fail(EC_INVALID_ARGUMENT, "%s: unknown activation %d", operation, activation);
        }
    });
}

EC_ENTRY(ec_add)(ec_type type, ec_activation activation, int64_t count, const void* a, const void* b, void* y) {
    const char* operation = "ec_add";
    EC_REQUIRE_POINTER(operation, a);
    EC_REQUIRE_POINTER(operation, b);
    EC_REQUIRE_POINTER(operation, y);
    EC_REQUIRE_SIZE(operation, count, 0);
    if (activation != EC_NONE && activation != EC_RELU) {
        return ec_fail(EC_INVALID_ARGUMENT, "%s: activation %d; expected none or ReLU", operation, activation);
    }
    return forType(operation, type, [&](auto tag) -> ec_status {
        using T = decltype(tag);
        const T* left = static_cast<const T*>(a);
        const T* right = static_cast<const T*>(b);
        T* out = static_cast<T*>(y);
        inRanges(count, 1, [=](std::int64_t begin, std::int64_t end) {
            if (activation == EC_RELU) {
                EC_INDEPENDENT
                for (std::int64_t i = begin; i < end; ++i) out[i] = store<T>(rectified(load(left[i]) + load(right[i])));
            } else {
                EC_INDEPENDENT
                for (std::int64_t i = begin; i < end; ++i) out[i] = store<T>(load(left[i]) + load(right[i]));
            }
        });
        return EC_OK;
    });
}

EC_ENTRY(ec_dropout)(ec_type type, int64_t count, const void* x, double rate, int64_t seed, void* y) {
    const char* operation = "ec_dropout";
    EC_REQUIRE_POINTER(operation, x);
    EC_REQUIRE_POINTER(operation, y);
    EC_REQUIRE_SIZE(operation, count, 0);
    if (!(rate >= 0 && rate < 1))
        return ec_fail(EC_INVALID_ARGUMENT, "%s: rate is %g; expected 0 <= rate < 1", operation, rate);
    return forType(operation, type, [&](auto tag) -> ec_status {
        using T = decltype(tag);
        using Real = ComputeOf<T>;
        constexpr std::int64_t kGroup = 4 * kDrawBlocks;
        const T* in = static_cast<const T*>(x);
        T* out = static_cast<T*>(y);
        const Real kept = Real(1 / (1 - rate));
        const float threshold = static_cast<float>(rate);
        inRanges((count + kGroup - 1) / kGroup, kGroup, [=](std::int64_t begin, std::int64_t end) {
            std::uint32_t words[kGroup];
            Real factors[kGroup];
            for (std::int64_t group = begin; group < end; ++group) {
                drawWords(static_cast<std::uint64_t>(seed), static_cast<std::uint64_t>(group * kDrawBlocks), words);
                const std::int64_t first = group * kGroup;
                const std::int64_t length = count - first < kGroup ? count - first : kGroup;
                // Two loops without a branch on the draw: one on a coin would be mispredicted all the time.
                for (std::int64_t i = 0; i < kGroup; ++i)
                    factors[i] = kept * Real(uniformFromWord(words[i]) >= threshold);
                EC_INDEPENDENT
                for (std::int64_t i = 0; i < length; ++i) out[first + i] = store<T>(load(in[first + i]) * factors[i]);
            }
        });
        return EC_OK;
    });
}
