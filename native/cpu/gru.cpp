// The bidirectional GRU over a short sequence. The cell's arithmetic is effconv/gru.h's; this file only walks over the
// steps and does the matrix-vector products in an order that vectorises.

#include "effconv/gru.h"

#include "kernel.h"

namespace effconv {
namespace {

/// bias + <row, x>, in lanes.
template <typename P>
P affine(const P* row, const P* x, std::int64_t length, P bias) {
    constexpr int kLanes = 16;
    P lanes[kLanes] = {};
    std::int64_t i = 0;
    for (; i + kLanes <= length; i += kLanes) {
        for (int lane = 0; lane < kLanes; ++lane) lanes[lane] += row[i + lane] * x[i + lane];
    }
    P sum = bias;
    for (; i < length; ++i) sum += row[i] * x[i];
    for (int half = kLanes / 2; half >= 1; half /= 2) {
        for (int lane = 0; lane < half; ++lane) lanes[lane] += lanes[lane + half];
    }
    return sum + lanes[0];
}

template <typename P>
void addScaled(P factor, const P* from, std::int64_t length, P* to) {
    EC_INDEPENDENT
    for (std::int64_t i = 0; i < length; ++i) to[i] += factor * from[i];
}

template <typename P>
void clear(P* values, std::int64_t count) {
    for (std::int64_t i = 0; i < count; ++i) values[i] = P(0);
}

/// One direction of the sequence: where a step's data stand, and in which order steps follow each other.
struct Direction {
    std::int64_t steps, inputs, hidden;
    int index;  ///< 0 forward, 1 reverse

    std::int64_t at(std::int64_t step) const { return index == 0 ? step : steps - 1 - step; }
    std::int64_t state(std::int64_t position) const { return (2 * position + index) * hidden; }
    std::int64_t gates(std::int64_t position) const { return (2 * position + index) * 4 * hidden; }
};

template <typename P>
GruGates<P> gatesAt(const P* tape, std::int64_t hidden, std::int64_t unit) {
    return {tape[unit], tape[hidden + unit], tape[2 * hidden + unit], tape[3 * hidden + unit]};
}

template <typename P>
void forward(const Direction& d, const P* x, const GruParameters<P>& p, const P* zeros, P* h, P* tape) {
    const std::int64_t hidden = d.hidden;
    for (std::int64_t step = 0; step < d.steps; ++step) {
        const std::int64_t position = d.at(step);
        const P* in = x + position * d.inputs;
        const P* previous = step == 0 ? zeros : h + d.state(d.at(step - 1));
        P* next = h + d.state(position);
        P* kept = tape + d.gates(position);
        for (std::int64_t unit = 0; unit < hidden; ++unit) {
            P inputPart[3], recurrentPart[3];
            for (int gate = 0; gate < 3; ++gate) {
                const std::int64_t row = gate * hidden + unit;
                inputPart[gate] = affine(p.W + row * d.inputs, in, d.inputs, p.b[row]);
                recurrentPart[gate] = affine(p.U + row * hidden, previous, hidden, p.c[row]);
            }
            GruGates<P> gates;
            next[unit] = gruUnitForward(inputPart[0], inputPart[1], inputPart[2], recurrentPart[0], recurrentPart[1],
                                        recurrentPart[2], previous[unit], gates);
            kept[unit] = gates.r;
            kept[hidden + unit] = gates.z;
            kept[2 * hidden + unit] = gates.n;
            kept[3 * hidden + unit] = gates.hn;
        }
    }
}

/// carried, next: scratch of [hidden]; dx (steps, inputs) of this direction alone, or null.
template <typename P>
void backward(const Direction& d, const P* x, const GruParameters<P>& p, const P* zeros, const P* h, const P* tape,
              const P* dh, const GruGradients<P>& gradients, P* dx, P* carried, P* next) {
    const std::int64_t hidden = d.hidden;
    clear(gradients.W, 3 * hidden * d.inputs);
    clear(gradients.U, 3 * hidden * hidden);
    clear(gradients.b, 3 * hidden);
    clear(gradients.c, 3 * hidden);
    clear(carried, hidden);
    if (dx) clear(dx, d.steps * d.inputs);
    for (std::int64_t step = d.steps - 1; step >= 0; --step) {
        const std::int64_t position = d.at(step);
        const P* in = x + position * d.inputs;
        const P* previous = step == 0 ? zeros : h + d.state(d.at(step - 1));
        const P* kept = tape + d.gates(position);
        const P* given = dh + d.state(position);
        clear(next, hidden);
        for (std::int64_t unit = 0; unit < hidden; ++unit) {
            const GruUnitGradient<P> g =
                gruUnitBackward(given[unit] + carried[unit], previous[unit], gatesAt(kept, hidden, unit));
            const P inputGradient[3] = {g.xr, g.xz, g.xn};
            const P recurrentGradient[3] = {g.xr, g.xz, g.hn};
            next[unit] += g.previous;
            for (int gate = 0; gate < 3; ++gate) {
                const std::int64_t row = gate * hidden + unit;
                gradients.b[row] += inputGradient[gate];
                gradients.c[row] += recurrentGradient[gate];
                addScaled(inputGradient[gate], in, d.inputs, gradients.W + row * d.inputs);
                addScaled(recurrentGradient[gate], previous, hidden, gradients.U + row * hidden);
                addScaled(recurrentGradient[gate], p.U + row * hidden, hidden, next);
                if (dx) addScaled(inputGradient[gate], p.W + row * d.inputs, d.inputs, dx + position * d.inputs);
            }
        }
        P* swapped = carried;
        carried = next;
        next = swapped;
    }
}

template <typename P>
P* array(std::int64_t address) {
    return reinterpret_cast<P*>(static_cast<std::uintptr_t>(address));
}

template <typename P>
GruParameters<P> parametersOf(const int64_t* weights, const Direction& d) {
    const std::int64_t* own = weights + 4 * d.index;
    return {static_cast<int>(d.inputs), static_cast<int>(d.hidden), array<P>(own[0]),
            array<P>(own[1]),           array<P>(own[2]),           array<P>(own[3])};
}

/// The two directions run side by side if they are worth two threads.
int directionParts(std::int64_t steps, std::int64_t inputs, std::int64_t hidden) {
    return partsFor(2 * steps * 3 * hidden * (inputs + hidden), 4 * kParallelGrain) > 1 ? 2 : 1;
}

ec_status checkWeights(const char* operation, const int64_t* weights) {
    EC_REQUIRE_POINTER(operation, weights);
    for (int i = 0; i < 8; ++i) {
        if (weights[i] == 0) return ec_fail(EC_INVALID_ARGUMENT, "%s: weight tensor %d is null", operation, i);
    }
    return EC_OK;
}

}  // namespace
}  // namespace effconv

using namespace effconv;

EC_ENTRY(ec_gru)
(ec_type type, int64_t steps, int64_t inputs, int64_t hidden, const void* x, const int64_t* weights, void* h,
 void* tape) {
    const char* operation = "ec_gru";
    EC_REQUIRE_POINTER(operation, x);
    EC_REQUIRE_POINTER(operation, h);
    EC_REQUIRE_POINTER(operation, tape);
    EC_REQUIRE_SIZE(operation, steps, 1);
    EC_REQUIRE_SIZE(operation, inputs, 1);
    EC_REQUIRE_SIZE(operation, hidden, 1);
    if (const ec_status refused = checkWeights(operation, weights)) return refused;
    return forParameterType(operation, type, [&](auto tag) -> ec_status {
        using P = decltype(tag);
        Scratch<P> zeros(hidden);
        if (!zeros.get()) return outOfScratch(operation);
        clear(zeros.get(), hidden);
        const int parts = directionParts(steps, inputs, hidden);
        inParts(parts, [&](int part) {
            for (int index = part; index < 2; index += parts) {
                const Direction d = {steps, inputs, hidden, index};
                forward(d, static_cast<const P*>(x), parametersOf<P>(weights, d), zeros.get(), static_cast<P*>(h),
                        static_cast<P*>(tape));
            }
        });
        return EC_OK;
    });
}

EC_ENTRY(ec_gru_gradient)
(ec_type type, int64_t steps, int64_t inputs, int64_t hidden, const void* x, const int64_t* weights, const void* h,
 const void* tape, const void* dh, const int64_t* dweights, void* dx) {
    const char* operation = "ec_gru_gradient";
    EC_REQUIRE_POINTER(operation, x);
    EC_REQUIRE_POINTER(operation, h);
    EC_REQUIRE_POINTER(operation, tape);
    EC_REQUIRE_POINTER(operation, dh);
    EC_REQUIRE_SIZE(operation, steps, 1);
    EC_REQUIRE_SIZE(operation, inputs, 1);
    EC_REQUIRE_SIZE(operation, hidden, 1);
    if (const ec_status refused = checkWeights(operation, weights)) return refused;
    if (const ec_status refused = checkWeights(operation, dweights)) return refused;
    return forParameterType(operation, type, [&](auto tag) -> ec_status {
        using P = decltype(tag);
        Scratch<P> states(5 * hidden);
        Scratch<P> reverse(dx ? steps * inputs : 1);
        if (!states.get() || !reverse.get()) return outOfScratch(operation);
        clear(states.get(), hidden);
        P* out = static_cast<P*>(dx);
        const int parts = directionParts(steps, inputs, hidden);
        inParts(parts, [&](int part) {
            for (int index = part; index < 2; index += parts) {
                const Direction d = {steps, inputs, hidden, index};
                const std::int64_t* own = dweights + 4 * index;
                const GruGradients<P> gradients = {array<P>(own[0]), array<P>(own[1]), array<P>(own[2]),
                                                   array<P>(own[3])};
                P* work = states.get() + (1 + 2 * index) * hidden;
                backward(d, static_cast<const P*>(x), parametersOf<P>(weights, d), states.get(),
                         static_cast<const P*>(h), static_cast<const P*>(tape), static_cast<const P*>(dh), gradients,
                         !dx          ? nullptr
                         : index == 0 ? out
                                      : reverse.get(),
                         work, work + hidden);
            }
        });
        if (dx) addScaled(P(1), reverse.get(), steps * inputs, out);
        return EC_OK;
    });
}
