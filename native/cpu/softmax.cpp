// Softmax cross entropy with label smoothing, its gradient and the count of right answers in one sweep.

#include "kernel.h"

namespace effconv {
namespace {

template <typename T>
struct RowResult {
    ComputeOf<T> loss;
    bool correct;
};

/// loss = logsumexp(logits) - (1 - e) logit[label] - e mean(logits), all logits taken from the largest one. Where a
/// logit is NaN, so is the loss, and the row is not correct.
template <typename T>
RowResult<T> row(const T* logits, std::int64_t classes, std::int32_t label, ComputeOf<T> smoothing, ComputeOf<T> share,
                 ComputeOf<T>* exponentials, T* gradient) {
    using Real = ComputeOf<T>;
    Real largest = load(logits[0]);
    std::int64_t first = 0;
    for (std::int64_t i = 1; i < classes; ++i) {
        const Real value = load(logits[i]);
        if (value > largest) {
            largest = value;
            first = i;
        }
    }
    Real total = Real(0);
    Real sum = Real(0);
    for (std::int64_t i = 0; i < classes; ++i) {
        const Real value = load(logits[i]) - largest;
        exponentials[i] = std::exp(value);
        total += exponentials[i];
        sum += value;
    }
    if (gradient) {
        const Real floor = smoothing / Real(classes);
        for (std::int64_t i = 0; i < classes; ++i) {
            const Real target = i == label ? Real(1) - smoothing + floor : floor;
            gradient[i] = store<T>((exponentials[i] / total - target) * share);
        }
    }
    const Real atLabel = load(logits[label]) - largest;
    Real loss = std::log(total) - (Real(1) - smoothing) * atLabel;
    if (smoothing > Real(0)) loss -= smoothing * sum / Real(classes);  // else 0 times an infinite distance would be NaN
    return {loss, first == label && total == total};
}

}  // namespace
}  // namespace effconv

using namespace effconv;

EC_ENTRY(ec_softmax_cross_entropy)
(ec_type type, int64_t n, int64_t classes, const void* logits, const void* labels, double smoothing, void* loss,
 void* correct, void* dlogits) {
    const char* operation = "ec_softmax_cross_entropy";
    EC_REQUIRE_POINTER(operation, logits);
    EC_REQUIRE_POINTER(operation, labels);
    EC_REQUIRE_POINTER(operation, loss);
    EC_REQUIRE_POINTER(operation, correct);
    EC_REQUIRE_SIZE(operation, n, 1);
    EC_REQUIRE_SIZE(operation, classes, 1);
    const std::int32_t* label = static_cast<const std::int32_t*>(labels);
    for (int64_t i = 0; i < n; ++i) {
        if (label[i] < 0 || label[i] >= classes) {
            return ec_fail(EC_INVALID_ARGUMENT, "%s: label %d of row %lld; expected 0..%lld", operation, label[i],
                           static_cast<long long>(i), static_cast<long long>(classes - 1));
        }
    }
    return forType(operation, type, [&](auto tag) -> ec_status {
        using T = decltype(tag);
        using Real = ComputeOf<T>;
        const T* in = static_cast<const T*>(logits);
        T* gradient = static_cast<T*>(dlogits);
        // An exponential costs about as much as eight elements of a sweep.
        const int parts = partsFor(8 * n * classes);
        Scratch<Real> exponentials(classes * parts);
        Scratch<Real> losses(n);
        Scratch<std::int32_t> right(parts);
        if (!exponentials.get() || !losses.get() || !right.get()) return outOfScratch(operation);
        inParts(parts, [&](int part) {
            const Range rows = share(n, parts, part);
            std::int32_t count = 0;
            for (std::int64_t i = rows.begin; i < rows.end; ++i) {
                const RowResult<T> result =
                    row(in + i * classes, classes, label[i], Real(smoothing), Real(1) / Real(n),
                        exponentials.get() + classes * part, gradient ? gradient + i * classes : nullptr);
                losses[i] = result.loss;
                count += result.correct;
            }
            right[part] = count;
        });
        double sum = 0;
        for (std::int64_t i = 0; i < n; ++i) sum += losses[i];
        *static_cast<ParameterOf<T>*>(loss) = static_cast<ParameterOf<T>>(sum / static_cast<double>(n));
        std::int32_t count = 0;
        for (int part = 0; part < parts; ++part) count += right[part];
        *static_cast<std::int32_t*>(correct) = count;
        return EC_OK;
    });
}
