// One optimiser step over all parameters: the global gradient norm, clipping and the update, each tensor cut into
// chunks that threads share. The norm sums chunk by chunk in order, so it does not depend on the number of threads.

#include "effconv/optimizer.h"

#include "kernel.h"

namespace effconv {
namespace {

constexpr std::int64_t kChunk = 16384;

/// Slots as the C ABI hands them over: four addresses a tensor.
struct Tensors {
    std::int32_t count;
    const std::int64_t* addresses;
    const std::int64_t* counts;

    template <typename P>
    P* array(std::int32_t tensor, int which) const {
        return reinterpret_cast<P*>(static_cast<std::uintptr_t>(addresses[4 * tensor + which]));
    }
};

struct Chunk {
    std::int32_t tensor;
    std::int64_t begin;
    std::int64_t end;
};

template <typename P>
double squares(const P* values, std::int64_t count) {
    constexpr int kLanes = 32;
    double lanes[kLanes] = {};
    std::int64_t i = 0;
    for (; i + kLanes <= count; i += kLanes) {
        for (int lane = 0; lane < kLanes; ++lane) {
            const double value = static_cast<double>(values[i + lane]);
            lanes[lane] += value * value;
        }
    }
    double sum = 0;
    for (; i < count; ++i) sum += static_cast<double>(values[i]) * static_cast<double>(values[i]);
    for (int lane = 0; lane < kLanes; ++lane) sum += lanes[lane];
    return sum;
}

template <typename P>
ec_status step(ec_optimizer kind, double beta1, double beta2, double epsilon, bool nesterov, double clipNorm,
               std::int64_t number, const Tensors& tensors, const double* rates, const double* decays, double* norm) {
    std::int64_t chunkCount = 0;
    std::int64_t elements = 0;
    for (std::int32_t t = 0; t < tensors.count; ++t) {
        chunkCount += (tensors.counts[t] + kChunk - 1) / kChunk;
        elements += tensors.counts[t];
    }
    Scratch<Chunk> chunks(chunkCount);
    Scratch<double> sums(chunkCount);
    if (!chunks.get() || !sums.get()) return outOfScratch("ec_optimizer_step");
    std::int64_t next = 0;
    for (std::int32_t t = 0; t < tensors.count; ++t) {
        for (std::int64_t begin = 0; begin < tensors.counts[t]; begin += kChunk) {
            const std::int64_t end = begin + kChunk;
            chunks[next++] = {t, begin, end < tensors.counts[t] ? end : tensors.counts[t]};
        }
    }
    const int parts = partsFor(elements);
    inParts(parts, [&](int part) {
        const Range range = share(chunkCount, parts, part);
        for (std::int64_t i = range.begin; i < range.end; ++i) {
            const Chunk& chunk = chunks[i];
            sums[i] = squares(tensors.array<const P>(chunk.tensor, 1) + chunk.begin, chunk.end - chunk.begin);
        }
    });
    double total = 0;
    for (std::int64_t i = 0; i < chunkCount; ++i) total += sums[i];
    *norm = std::sqrt(total);
    const P factor = static_cast<P>(clipFactor(*norm, clipNorm));
    const P correction1 = static_cast<P>(biasCorrection(beta1, number));
    const P correction2 = static_cast<P>(biasCorrection(beta2, number));
    inParts(parts, [&](int part) {
        const Range range = share(chunkCount, parts, part);
        for (std::int64_t i = range.begin; i < range.end; ++i) {
            const Chunk& chunk = chunks[i];
            P* value = tensors.array<P>(chunk.tensor, 0);
            const P* gradient = tensors.array<const P>(chunk.tensor, 1);
            P* first = tensors.array<P>(chunk.tensor, 2);
            P* second = tensors.array<P>(chunk.tensor, 3);
            const P rate = static_cast<P>(rates[chunk.tensor]);
            const P decay = static_cast<P>(decays[chunk.tensor]);
            if (kind == EC_ADAMW) {
                const AdamWStep<P> rule = {rate,
                                           static_cast<P>(beta1),
                                           static_cast<P>(beta2),
                                           static_cast<P>(epsilon),
                                           decay,
                                           correction1,
                                           correction2};
                EC_INDEPENDENT
                for (std::int64_t j = chunk.begin; j < chunk.end; ++j) {
                    adamWUpdate(rule, factor * gradient[j], value[j], first[j], second[j]);
                }
            } else {
                const SgdStep<P> rule = {rate, static_cast<P>(beta1), decay, nesterov};
                EC_INDEPENDENT
                for (std::int64_t j = chunk.begin; j < chunk.end; ++j) {
                    sgdUpdate(rule, factor * gradient[j], value[j], first[j]);
                }
            }
        }
    });
    return EC_OK;
}

}  // namespace
}  // namespace effconv

using namespace effconv;

EC_ENTRY(ec_optimizer_step)
(ec_type type, ec_optimizer kind, double beta1, double beta2, double epsilon, int32_t nesterov, double clip_norm,
 int64_t step_number, int32_t tensors, const int64_t* slots, const int64_t* counts, const double* rates,
 const double* decays, double* norm) {
    const char* operation = "ec_optimizer_step";
    EC_REQUIRE_POINTER(operation, slots);
    EC_REQUIRE_POINTER(operation, counts);
    EC_REQUIRE_POINTER(operation, rates);
    EC_REQUIRE_POINTER(operation, decays);
    EC_REQUIRE_POINTER(operation, norm);
    EC_REQUIRE_SIZE(operation, tensors, 0);
    EC_REQUIRE_SIZE(operation, step_number, 1);
    if (kind != EC_ADAMW && kind != EC_SGD) return ec_fail(EC_INVALID_ARGUMENT, "%s: unknown kind %d", operation, kind);
    const int needed = kind == EC_ADAMW ? 4 : 3;
    for (int32_t t = 0; t < tensors; ++t) {
        for (int which = 0; which < needed; ++which) {
            if (slots[4 * t + which] == 0) {
                return ec_fail(EC_INVALID_ARGUMENT, "%s: address %d of tensor %d is null", operation, which, t);
            }
        }
        if (counts[t] < 0) return ec_fail(EC_INVALID_ARGUMENT, "%s: count of tensor %d is negative", operation, t);
    }
    return forParameterType(operation, type, [&](auto tag) {
        return step<decltype(tag)>(kind, beta1, beta2, epsilon, nesterov != 0, clip_norm, step_number,
                                   Tensors{tensors, slots, counts}, rates, decays, norm);
    });
}
