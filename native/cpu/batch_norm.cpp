// Batch normalisation fused with the residual sum and ReLU: two sweeps over memory forward, two backward.
//
// Rows of few channels are short, so several rows are handled together as one period: an inner loop over a period
// always has a few hundred elements and the per-channel constants stand beside it, repeated row by row. Statistics are
// taken per block of rows that fits into the first-level cache (its sums first, then the squares about its own mean),
// and blocks are combined in double in a fixed order.

#include "kernel.h"

namespace effconv {
namespace {

constexpr std::int64_t kShortestPeriod = 256;
constexpr std::int64_t kBlockElements = 8192;

struct Layout {
    std::int64_t rows;
    std::int64_t channels;
    std::int64_t periodRows;
    std::int64_t period;  ///< elements
    std::int64_t blockRows;
    int parts;

    Layout(std::int64_t rows, std::int64_t channels) : rows(rows), channels(channels) {
        std::int64_t common = 16;
        while (channels % common != 0) common /= 2;
        periodRows = 16 / common;
        if (periodRows * channels > 4 * kShortestPeriod) periodRows = 1;
        while (periodRows * channels < kShortestPeriod) periodRows *= 2;
        period = periodRows * channels;
        const std::int64_t periods = kBlockElements / period;
        blockRows = periodRows * (periods < 8 ? 8 : periods);
        const std::int64_t blocks = (rows + blockRows - 1) / blockRows;
        parts = partsFor(rows * channels);
        if (parts > blocks) parts = blocks < 1 ? 1 : static_cast<int>(blocks);
    }

    Range part(int index) const { return share(rows, parts, index, blockRows); }

    /// Repeats per-channel values over a period.
    template <typename Real, typename Value>
    void spread(Value&& value, Real* to) const {
        for (std::int64_t c = 0; c < channels; ++c) to[c] = value(c);
        for (std::int64_t i = channels; i < period; ++i) to[i] = to[i - channels];
    }

    /// Adds a period's sums to per-channel sums.
    template <typename Real>
    void fold(const Real* sums, double* to) const {
        for (std::int64_t row = 0; row < periodRows; ++row) {
            for (std::int64_t c = 0; c < channels; ++c) to[c] += static_cast<double>(sums[row * channels + c]);
        }
    }

    /// sums[column] = sum over the periods of the rows from `begin` to `end` of value(element, column). A few columns
    /// at a time go through all rows, so that their sums stay in registers; the rows are expected to lie in the cache.
    template <typename Real, typename Value>
    void sumColumns(std::int64_t begin, std::int64_t end, Real* sums, Value&& value) const {
        constexpr std::int64_t kTile = 256 / sizeof(Real);
        const std::int64_t first = begin * channels;
        const std::int64_t count = (end - begin) * channels;
        const std::int64_t whole = count / period * period;
        std::int64_t column = 0;
        for (; column + kTile <= period; column += kTile) {
            Real tile[kTile] = {};
            for (std::int64_t start = column; start < whole; start += period) {
                for (std::int64_t j = 0; j < kTile; ++j) tile[j] += value(first + start + j, column + j);
            }
            for (std::int64_t j = 0; j < kTile; ++j) sums[column + j] = tile[j];
        }
        for (; column < period; ++column) {
            sums[column] = Real(0);
            for (std::int64_t start = column; start < whole; start += period)
                sums[column] += value(first + start, column);
        }
        for (std::int64_t i = whole; i < count; ++i) sums[i - whole] += value(first + i, i - whole);
    }

    /// Calls body(offset, length) for each period of the rows from `begin` to `end`; only the last one may be shorter.
    template <typename Body>
    void eachPeriod(std::int64_t begin, std::int64_t end, Body&& body) const {
        std::int64_t offset = begin * channels;
        const std::int64_t last = end * channels;
        for (; offset + period <= last; offset += period) body(offset, period);
        if (offset < last) body(offset, last - offset);
    }
};

template <typename Real>
void clear(Real* values, std::int64_t count) {
    for (std::int64_t i = 0; i < count; ++i) values[i] = Real(0);
}

/// Mean and sum of squares about it, per channel, over the rows seen so far.
struct Moments {
    double* mean;
    double* squares;
    double rows = 0;

    Moments(double* memory, std::int64_t channels) : mean(memory), squares(memory + channels) {
        clear(memory, 2 * channels);
    }

    /// Joins the moments of further rows without cancellation (Chan, Golub, LeVeque 1979).
    template <typename Mean, typename Squares>
    void join(std::int64_t channels, double count, Mean&& otherMean, Squares&& otherSquares) {
        const double total = rows + count;
        const double weight = count / total;
        const double product = rows * weight;
        for (std::int64_t c = 0; c < channels; ++c) {
            const double distance = otherMean(c) - mean[c];
            mean[c] += distance * weight;
            squares[c] += otherSquares(c) + distance * distance * product;
        }
        rows = total;
    }
};

/// Moments of the rows of one part. work: two periods; sums: two numbers a channel.
template <typename T>
void momentsOfPart(const Layout& layout, Range range, const T* x, ComputeOf<T>* work, double* sums, Moments& moments) {
    using Real = ComputeOf<T>;
    const std::int64_t channels = layout.channels;
    Real* accumulator = work;
    Real* pivot = work + layout.period;
    double* blockSum = sums;
    double* blockSquares = sums + channels;
    for (std::int64_t first = range.begin; first < range.end; first += layout.blockRows) {
        const std::int64_t end = first + layout.blockRows < range.end ? first + layout.blockRows : range.end;
        const double count = static_cast<double>(end - first);
        clear(sums, 2 * channels);
        layout.sumColumns<Real>(first, end, accumulator, [=](std::int64_t i, std::int64_t) { return load(x[i]); });
        layout.fold(accumulator, blockSum);
        layout.spread([=](std::int64_t c) { return static_cast<Real>(blockSum[c] / count); }, pivot);
        layout.sumColumns<Real>(first, end, accumulator, [=](std::int64_t i, std::int64_t column) {
            const Real deviation = load(x[i]) - pivot[column];
            return deviation * deviation;
        });
        layout.fold(accumulator, blockSquares);
        moments.join(
            channels, count, [=](std::int64_t c) { return blockSum[c] / count; },
            [=](std::int64_t c) { return blockSquares[c]; });
    }
}

/// y = act((x - mean) * slope + shift + residual); the constants repeated over a period.
template <bool kResidual, bool kRectify, typename T, typename Real>
void applyRows(const Layout& layout, Range range, const T* x, const T* residual, const Real* mean, const Real* slope,
               const Real* shift, T* y) {
    layout.eachPeriod(range.begin, range.end, [=](std::int64_t offset, std::int64_t length) {
        const T* in = x + offset;
        const T* extra = kResidual ? residual + offset : nullptr;
        T* out = y + offset;
        EC_INDEPENDENT
        for (std::int64_t i = 0; i < length; ++i) {
            Real value = (load(in[i]) - mean[i]) * slope[i] + shift[i];
            if constexpr (kResidual) value += load(extra[i]);
            if constexpr (kRectify) value = rectified(value);
            out[i] = store<T>(value);
        }
    });
}

/// Normalises with per-channel mean and inverse deviation given as functions of the channel.
template <typename T, typename Mean, typename Inverse>
ec_status normalise(const char* operation, const Layout& layout, bool rectify, const T* x, const ParameterOf<T>* scale,
                    const ParameterOf<T>* shift, const T* residual, Mean&& mean, Inverse&& inverse, T* y) {
    using Real = ComputeOf<T>;
    Scratch<Real> constants(3 * layout.period);
    if (!constants.get()) return outOfScratch(operation);
    Real* means = constants.get();
    Real* slopes = means + layout.period;
    Real* shifts = slopes + layout.period;
    layout.spread([&](std::int64_t c) { return Real(mean(c)); }, means);
    layout.spread([&](std::int64_t c) { return Real(scale[c] * inverse(c)); }, slopes);
    layout.spread([&](std::int64_t c) { return Real(shift[c]); }, shifts);
    inParts(layout.parts, [=, &layout](int part) {
        const Range range = layout.part(part);
        if (residual && rectify)
            applyRows<true, true>(layout, range, x, residual, means, slopes, shifts, y);
        else if (residual)
            applyRows<true, false>(layout, range, x, residual, means, slopes, shifts, y);
        else if (rectify)
            applyRows<false, true>(layout, range, x, residual, means, slopes, shifts, y);
        else
            applyRows<false, false>(layout, range, x, residual, means, slopes, shifts, y);
    });
    return EC_OK;
}

template <bool kRectify, typename T>
inline ComputeOf<T> maskedGradient(const T* y, const T* dy, std::int64_t i) {
    if constexpr (kRectify) {
        return rectifiedGradient(load(y[i]), load(dy[i]));
    } else {
        return load(dy[i]);
    }
}

/// Per channel the sums of the gradient and of gradient times (x - mean).
template <bool kRectify, typename T>
void gradientSumsOfPart(const Layout& layout, Range range, const T* x, const T* y, const T* dy,
                        const ComputeOf<T>* mean, ComputeOf<T>* work, double* sums) {
    using Real = ComputeOf<T>;
    Real* plain = work;
    Real* weighted = work + layout.period;
    clear(sums, 2 * layout.channels);
    for (std::int64_t first = range.begin; first < range.end; first += layout.blockRows) {
        const std::int64_t end = first + layout.blockRows < range.end ? first + layout.blockRows : range.end;
        clear(work, 2 * layout.period);
        layout.eachPeriod(first, end, [=](std::int64_t offset, std::int64_t length) {
            const T* in = x + offset;
            const T* mask = kRectify ? y + offset : nullptr;
            const T* gradient = dy + offset;
            EC_INDEPENDENT
            for (std::int64_t i = 0; i < length; ++i) {
                const Real g = maskedGradient<kRectify>(mask, gradient, i);
                plain[i] += g;
                weighted[i] += g * (load(in[i]) - mean[i]);
            }
        });
        layout.fold(plain, sums);
        layout.fold(weighted, sums + layout.channels);
    }
}

/// Constants of the gradient, each repeated over a period: dx = slope * (g - offset - (x - mean) * tilt).
template <typename Real>
struct GradientConstants {
    Real* mean;
    Real* slope;
    Real* offset;
    Real* tilt;
};

template <bool kRectify, bool kResidual, typename T>
void gradientOfPart(const Layout& layout, Range range, const T* x, const T* y, const T* dy,
                    const GradientConstants<ComputeOf<T>>& constants, T* dx, T* dresidual) {
    using Real = ComputeOf<T>;
    layout.eachPeriod(range.begin, range.end, [=](std::int64_t offset, std::int64_t length) {
        const T* in = x + offset;
        const T* mask = kRectify ? y + offset : nullptr;
        const T* gradient = dy + offset;
        T* out = dx + offset;
        T* residual = kResidual ? dresidual + offset : nullptr;
        const Real* mean = constants.mean;
        const Real* slope = constants.slope;
        const Real* mid = constants.offset;
        const Real* tilt = constants.tilt;
        EC_INDEPENDENT
        for (std::int64_t i = 0; i < length; ++i) {
            const Real g = maskedGradient<kRectify>(mask, gradient, i);
            out[i] = store<T>(slope[i] * (g - mid[i] - (load(in[i]) - mean[i]) * tilt[i]));
            if constexpr (kResidual) residual[i] = store<T>(g);
        }
    });
}

template <typename T>
ec_status forward(ec_activation activation, std::int64_t rows, std::int64_t channels, const T* x,
                  const ParameterOf<T>* scale, const ParameterOf<T>* shift, const T* residual, double epsilon,
                  double momentum, ParameterOf<T>* runningMean, ParameterOf<T>* runningVariance, ParameterOf<T>* mean,
                  ParameterOf<T>* inverse, T* y) {
    using Real = ComputeOf<T>;
    using Parameter = ParameterOf<T>;
    const char* operation = "ec_batch_norm";
    const Layout layout(rows, channels);
    Scratch<double> sums(4 * channels * layout.parts);
    Scratch<Real> work(2 * layout.period * layout.parts);
    if (!sums.get() || !work.get()) return outOfScratch(operation);
    inParts(layout.parts, [&](int part) {
        double* own = sums.get() + 4 * channels * part;
        Moments moments(own, channels);
        momentsOfPart(layout, layout.part(part), x, work.get() + 2 * layout.period * part, own + 2 * channels, moments);
    });
    Moments total(sums.get() + 2 * channels, channels);
    for (int part = 0; part < layout.parts; ++part) {
        const Range range = layout.part(part);
        const double* own = sums.get() + 4 * channels * part;
        total.join(
            channels, static_cast<double>(range.end - range.begin), [=](std::int64_t c) { return own[c]; },
            [=](std::int64_t c) { return own[channels + c]; });
    }
    const double count = static_cast<double>(rows);
    for (std::int64_t c = 0; c < channels; ++c) {
        const double average = total.mean[c];
        const double squares = total.squares[c];
        mean[c] = static_cast<Parameter>(average);
        inverse[c] = static_cast<Parameter>(1 / std::sqrt(squares / count + epsilon));
        const double unbiased = squares / (rows > 1 ? count - 1 : 1);
        runningMean[c] = static_cast<Parameter>((1 - momentum) * runningMean[c] + momentum * average);
        runningVariance[c] = static_cast<Parameter>((1 - momentum) * runningVariance[c] + momentum * unbiased);
    }
    return normalise(
        operation, layout, activation == EC_RELU, x, scale, shift, residual, [=](std::int64_t c) { return mean[c]; },
        [=](std::int64_t c) { return inverse[c]; }, y);
}

template <typename T>
ec_status backward(ec_activation activation, std::int64_t rows, std::int64_t channels, const T* x, const T* y,
                   const T* dy, const ParameterOf<T>* scale, const ParameterOf<T>* mean, const ParameterOf<T>* inverse,
                   T* dx, ParameterOf<T>* dscale, ParameterOf<T>* dshift, T* dresidual) {
    using Real = ComputeOf<T>;
    const Layout layout(rows, channels);
    const bool rectify = activation == EC_RELU;
    Scratch<double> sums(2 * channels * layout.parts);
    Scratch<Real> work((4 + 2 * layout.parts) * layout.period);
    if (!sums.get() || !work.get()) return outOfScratch("ec_batch_norm_gradient");
    const GradientConstants<Real> constants = {work.get(), work.get() + layout.period, work.get() + 2 * layout.period,
                                               work.get() + 3 * layout.period};
    layout.spread([=](std::int64_t c) { return Real(mean[c]); }, constants.mean);
    inParts(layout.parts, [&](int part) {
        Real* own = work.get() + (4 + 2 * part) * layout.period;
        double* to = sums.get() + 2 * channels * part;
        if (rectify)
            gradientSumsOfPart<true>(layout, layout.part(part), x, y, dy, constants.mean, own, to);
        else
            gradientSumsOfPart<false>(layout, layout.part(part), x, y, dy, constants.mean, own, to);
    });
    double* total = sums.get();
    for (int part = 1; part < layout.parts; ++part) {
        for (std::int64_t i = 0; i < 2 * channels; ++i) total[i] += sums[2 * channels * part + i];
    }
    for (std::int64_t c = 0; c < channels; ++c) {
        dshift[c] = static_cast<ParameterOf<T>>(total[c]);
        dscale[c] = static_cast<ParameterOf<T>>(total[channels + c] * inverse[c]);
    }
    const double count = static_cast<double>(rows);
    layout.spread([=](std::int64_t c) { return Real(scale[c] * inverse[c]); }, constants.slope);
    layout.spread([=](std::int64_t c) { return Real(total[c] / count); }, constants.offset);
    layout.spread([=](std::int64_t c) { return Real(total[channels + c] / count * inverse[c] * inverse[c]); },
                  constants.tilt);
    inParts(layout.parts, [&](int part) {
        const Range range = layout.part(part);
        if (rectify && dresidual)
            gradientOfPart<true, true>(layout, range, x, y, dy, constants, dx, dresidual);
        else if (rectify)
            gradientOfPart<true, false>(layout, range, x, y, dy, constants, dx, dresidual);
        else if (dresidual)
            gradientOfPart<false, true>(layout, range, x, y, dy, constants, dx, dresidual);
        else
            gradientOfPart<false, false>(layout, range, x, y, dy, constants, dx, dresidual);
    });
    return EC_OK;
}

ec_status checkActivation(const char* operation, ec_activation activation) {
    if (activation == EC_NONE || activation == EC_RELU) return EC_OK;
    return ec_fail(EC_INVALID_ARGUMENT, "%s: activation %d; expected none or ReLU", operation, activation);
}

}  // namespace
}  // namespace effconv

using namespace effconv;

EC_ENTRY(ec_batch_norm)
(ec_type type, ec_activation activation, int64_t rows, int64_t channels, const void* x, const void* scale,
 const void* shift, const void* residual, double epsilon, double momentum, void* running_mean, void* running_variance,
 void* mean, void* inv_std, void* y) {
    const char* operation = "ec_batch_norm";
    EC_REQUIRE_POINTER(operation, x);
    EC_REQUIRE_POINTER(operation, scale);
    EC_REQUIRE_POINTER(operation, shift);
    EC_REQUIRE_POINTER(operation, running_mean);
    EC_REQUIRE_POINTER(operation, running_variance);
    EC_REQUIRE_POINTER(operation, mean);
    EC_REQUIRE_POINTER(operation, inv_std);
    EC_REQUIRE_POINTER(operation, y);
    EC_REQUIRE_SIZE(operation, rows, 1);
    EC_REQUIRE_SIZE(operation, channels, 1);
    if (const ec_status refused = checkActivation(operation, activation)) return refused;
    return forType(operation, type, [&](auto tag) {
        using T = decltype(tag);
        using P = ParameterOf<T>;
        return forward<T>(activation, rows, channels, static_cast<const T*>(x), static_cast<const P*>(scale),
                          static_cast<const P*>(shift), static_cast<const T*>(residual), epsilon, momentum,
                          static_cast<P*>(running_mean), static_cast<P*>(running_variance), static_cast<P*>(mean),
                          static_cast<P*>(inv_std), static_cast<T*>(y));
    });
}

EC_ENTRY(ec_batch_norm_gradient)
(ec_type type, ec_activation activation, int64_t rows, int64_t channels, const void* x, const void* y, const void* dy,
 const void* scale, const void* mean, const void* inv_std, void* dx, void* dscale, void* dshift, void* dresidual) {
    const char* operation = "ec_batch_norm_gradient";
    EC_REQUIRE_POINTER(operation, x);
    EC_REQUIRE_POINTER(operation, dy);
    EC_REQUIRE_POINTER(operation, scale);
    EC_REQUIRE_POINTER(operation, mean);
    EC_REQUIRE_POINTER(operation, inv_std);
    EC_REQUIRE_POINTER(operation, dx);
    EC_REQUIRE_POINTER(operation, dscale);
    EC_REQUIRE_POINTER(operation, dshift);
    EC_REQUIRE_SIZE(operation, rows, 1);
    EC_REQUIRE_SIZE(operation, channels, 1);
    if (const ec_status refused = checkActivation(operation, activation)) return refused;
    if (activation == EC_RELU) EC_REQUIRE_POINTER(operation, y);
    return forType(operation, type, [&](auto tag) {
        using T = decltype(tag);
        using P = ParameterOf<T>;
        return backward<T>(activation, rows, channels, static_cast<const T*>(x), static_cast<const T*>(y),
                           static_cast<const T*>(dy), static_cast<const P*>(scale), static_cast<const P*>(mean),
                           static_cast<const P*>(inv_std), static_cast<T*>(dx), static_cast<P*>(dscale),
                           static_cast<P*>(dshift), static_cast<T*>(dresidual));
    });
}

EC_ENTRY(ec_batch_norm_inference)
(ec_type type, ec_activation activation, int64_t rows, int64_t channels, const void* x, const void* scale,
 const void* shift, const void* residual, double epsilon, const void* running_mean, const void* running_variance,
 void* y) {
    const char* operation = "ec_batch_norm_inference";
    EC_REQUIRE_POINTER(operation, x);
    EC_REQUIRE_POINTER(operation, scale);
    EC_REQUIRE_POINTER(operation, shift);
    EC_REQUIRE_POINTER(operation, running_mean);
    EC_REQUIRE_POINTER(operation, running_variance);
    EC_REQUIRE_POINTER(operation, y);
    EC_REQUIRE_SIZE(operation, rows, 1);
    EC_REQUIRE_SIZE(operation, channels, 1);
    if (const ec_status refused = checkActivation(operation, activation)) return refused;
    return forType(operation, type, [&](auto tag) {
        using T = decltype(tag);
        using P = ParameterOf<T>;
        const P* means = static_cast<const P*>(running_mean);
        const P* variances = static_cast<const P*>(running_variance);
        return normalise(
            operation, Layout(rows, channels), activation == EC_RELU, static_cast<const T*>(x),
            static_cast<const P*>(scale), static_cast<const P*>(shift), static_cast<const T*>(residual),
            [=](std::int64_t c) { return means[c]; },
            [=](std::int64_t c) { return 1 / std::sqrt(static_cast<double>(variances[c]) + epsilon); },
            static_cast<T*>(y));
    });
}
