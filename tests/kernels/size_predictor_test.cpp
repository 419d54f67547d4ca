// Size predictor kernels against the same arithmetic in fp64 (which arithmetic_test holds to central differences), and
// against central differences of the whole predictor.

#include "effconv/kernels/size_predictor.h"

#include <algorithm>
#include <cmath>

#include "harness/device.h"

namespace effconv::test {
namespace {

using Floats = std::vector<float>;
using Doubles = std::vector<double>;

/// The arrays of one predictor, in the order of the parameter struct.
template <typename Real>
struct Arrays {
    std::vector<Real> codes, W, U, b, c, gain, shift, headWeights, headLengths, headBiases, kmax, dv;

    std::vector<std::vector<Real>*> parameters() {
        return {&codes, &W, &U, &b, &c, &gain, &shift, &headWeights, &headLengths, &headBiases};
    }
};
const char* const kNames[] = {"codes", "W", "U", "b", "c", "gain", "shift", "headWeights", "headLengths", "headBiases"};
constexpr int kParameters = 10;

struct Problem {
    int layers, inputs, hidden;
    Arrays<float> arrays;
};

Problem drawProblem(int layers, int inputs, int hidden, Random& random) {
    Problem problem{layers, inputs, hidden, {}};
    const auto draw = [&](Floats& values, std::size_t count, float offset, float spread) {
        values = randomValues(count, random, false);
        for (float& value : values) value = offset + spread * value;
    };
    Arrays<float>& a = problem.arrays;
    const float spread = 1.7f / std::sqrt(static_cast<float>(hidden));
    draw(a.codes, layers * inputs, 0.0f, 1.0f);
    draw(a.W, 2 * 3 * hidden * inputs, 0.0f, 1.7f / std::sqrt(static_cast<float>(inputs)));
    draw(a.U, 2 * 3 * hidden * hidden, 0.0f, spread);
    draw(a.b, 2 * 3 * hidden, 0.0f, 0.5f);
    draw(a.c, 2 * 3 * hidden, 0.0f, 0.5f);
    draw(a.gain, 2 * hidden, 1.0f, 0.5f);
    draw(a.shift, 2 * hidden, 0.2f, 0.5f);
    draw(a.headWeights, layers * 2 * hidden, 0.0f, 1.0f);
    draw(a.headLengths, layers, 1.0f, 0.8f);
    draw(a.headBiases, layers, 0.0f, 1.0f);
    a.kmax.resize(layers);
    for (float& kmax : a.kmax) kmax = static_cast<float>(random.pick({3, 7, 15, 33}));
    draw(a.dv, layers, 0.0f, 1.0f);
    return problem;
}

struct Expected {
    Doubles sizes, features, gradients[kParameters];
    double loss = 0;           ///< sum of dv v
    double nearestKink = 1e9;  ///< smallest |argument| of a ReLU
    double condition = 1;      ///< how much layer norm magnifies errors of h (its gradients: squared): 1 / deviation
};

/// Forward and backward in double, cell by cell.
Expected reference(const Problem& problem, Arrays<double> a) {
    const int L = problem.layers, H = problem.hidden, width = 2 * H, I = problem.inputs;
    Expected expected;
    const auto parameters = a.parameters();
    for (int i = 0; i < kParameters; ++i) expected.gradients[i].assign(parameters[i]->size(), 0.0);
    Doubles* g = expected.gradients;
    std::vector<GruGates<double>> gates(2 * L * H);
    Doubles states(2 * L * H), zero(H, 0.0);
    const auto state = [&](int direction, int layer) -> double* {
        return layer < 0 || layer >= L ? zero.data() : &states[(direction * L + layer) * H];
    };
    const auto cell = [&](int direction) {
        return GruParameters<double>{I,
                                     H,
                                     &a.W[direction * 3 * H * I],
                                     &a.U[direction * 3 * H * H],
                                     &a.b[direction * 3 * H],
                                     &a.c[direction * 3 * H]};
    };
    for (int direction = 0; direction < 2; ++direction) {
        for (int step = 0; step < L; ++step) {
            const int layer = direction == 0 ? step : L - 1 - step;
            gruCellForward(cell(direction), &a.codes[layer * I],
                           state(direction, direction == 0 ? layer - 1 : layer + 1), state(direction, layer),
                           &gates[(direction * L + layer) * H]);
        }
    }
    Doubles dh(2 * L * H);
    for (int layer = 0; layer < L; ++layer) {
        Doubles h(width), u(width), dHead(width);
        for (int j = 0; j < width; ++j) h[j] = state(j / H, layer)[j % H];
        const SizeHead<double> head{width,
                                    a.gain.data(),
                                    a.shift.data(),
                                    &a.headWeights[layer * width],
                                    a.headLengths[layer],
                                    a.headBiases[layer],
                                    1.0,
                                    a.kmax[layer]};
        SizeHeadState<double> headState;
        expected.sizes.push_back(sizeHeadForward(head, h.data(), u.data(), headState));
        expected.features.insert(expected.features.end(), u.begin(), u.end());
        expected.loss += a.dv[layer] * expected.sizes.back();
        expected.condition = std::max(expected.condition, headState.inverseDeviation);
        for (int j = 0; j < width; ++j) {
            const double value = (h[j] - headState.mean) * headState.inverseDeviation * a.gain[j] + a.shift[j];
            expected.nearestKink = std::min(expected.nearestKink, std::fabs(value));
        }
        sizeHeadBackward(
            head, h.data(), u.data(), headState, a.dv[layer], static_cast<const double*>(nullptr), dHead.data(),
            SizeHeadGradients<double>{g[5].data(), g[6].data(), &g[7][layer * width], &g[8][layer], &g[9][layer]});
        for (int j = 0; j < width; ++j) dh[((j / H) * L + layer) * H + j % H] = dHead[j];
    }
    for (int direction = 0; direction < 2; ++direction) {
        Doubles carry(H, 0.0), total(H), before(H), dx(I);
        for (int step = L - 1; step >= 0; --step) {
            const int layer = direction == 0 ? step : L - 1 - step;
            for (int j = 0; j < H; ++j) total[j] = dh[(direction * L + layer) * H + j] + carry[j];
            gruCellBackward(cell(direction), &a.codes[layer * I],
                            state(direction, direction == 0 ? layer - 1 : layer + 1),
                            &gates[(direction * L + layer) * H], total.data(), before.data(), dx.data(),
                            GruGradients<double>{&g[1][direction * 3 * H * I], &g[2][direction * 3 * H * H],
                                                 &g[3][direction * 3 * H], &g[4][direction * 3 * H]});
            for (int i = 0; i < I; ++i) g[0][layer * I + i] += dx[i];
            carry = before;
        }
    }
    return expected;
}

Arrays<double> inDouble(const Arrays<float>& a) {
    const auto wide = [](const Floats& values) { return Doubles(values.begin(), values.end()); };
    return {wide(a.codes), wide(a.W),           wide(a.U),           wide(a.b),          wide(a.c),    wide(a.gain),
            wide(a.shift), wide(a.headWeights), wide(a.headLengths), wide(a.headBiases), wide(a.kmax), wide(a.dv)};
}

struct Outputs {
    Floats sizes, features, gradients[kParameters];
};

/// Forward, then backward; with `repeat` forward twice, because the counter must come back to zero by itself.
Outputs runKernels(Problem& problem, bool withCodeGradients = true, bool repeat = false) {
    Arrays<float>& a = problem.arrays;
    const int L = problem.layers;
    DeviceBuffer<float> codes(a.codes), W(a.W), U(a.U), b(a.b), c(a.c), gain(a.gain), shift(a.shift);
    DeviceBuffer<float> headWeights(a.headWeights), headLengths(a.headLengths), headBiases(a.headBiases), kmax(a.kmax);
    DeviceBuffer<float> dv(a.dv), sizes(L), features(a.headWeights.size());
    DeviceBuffer<float> states(sizePredictorStateFloats(L)), workspace(sizePredictorWorkspaceFloats(L));
    DeviceBuffer<std::int32_t> counter(std::vector<std::int32_t>{0});
    DeviceBuffer<float> dCodes(2 * a.codes.size()), dW(a.W.size()), dU(a.U.size()), db(a.b.size()), dc(a.c.size());
    DeviceBuffer<float> dGain(a.gain.size()), dShift(a.shift.size()), dHeadWeights(a.headWeights.size());
    DeviceBuffer<float> dHeadLengths(L), dHeadBiases(L);

    SizePredictorParams params;
    params.layers = L;
    params.inputs = problem.inputs;
    params.hidden = problem.hidden;
    params.codes = codes.data();
    params.inputWeights = W.data();
    params.recurrentWeights = U.data();
    params.inputBiases = b.data();
    params.recurrentBiases = c.data();
    params.gain = gain.data();
    params.shift = shift.data();
    params.headWeights = headWeights.data();
    params.headLengths = headLengths.data();
    params.headBiases = headBiases.data();
    params.kmax = kmax.data();
    params.sizes = sizes.data();
    params.hiddenFeatures = features.data();
    params.states = states.data();
    params.counter = counter.data();
    params.sizeGradients = dv.data();
    params.workspace = workspace.data();
    params.inputWeightGradients = dW.data();
    params.recurrentWeightGradients = dU.data();
    params.inputBiasGradients = db.data();
    params.recurrentBiasGradients = dc.data();
    params.gainGradients = dGain.data();
    params.shiftGradients = dShift.data();
    params.headWeightGradients = dHeadWeights.data();
    params.headLengthGradients = dHeadLengths.data();
    params.headBiasGradients = dHeadBiases.data();
    params.codeGradients = withCodeGradients ? dCodes.data() : nullptr;
    launchAll(planSizePredictor(kSizePredictorForward, params, deviceLimits()), params);
    if (repeat) {
        const Floats first = sizes.download();
        sizes.poison();
        launchAll(planSizePredictor(kSizePredictorForward, params, deviceLimits()), params);
        checkSameBits("v of the second launch", sizes.download(), first);
    }
    launchAll(planSizePredictor(kSizePredictorBackward, params, deviceLimits()), params);

    Outputs outputs{sizes.download(), features.download(), {}};
    const DeviceBuffer<float>* gradients[] = {&dCodes, &dW,     &dU,           &db,           &dc,
                                              &dGain,  &dShift, &dHeadWeights, &dHeadLengths, &dHeadBiases};
    for (int i = 0; i < kParameters; ++i) outputs.gradients[i] = gradients[i]->download();
    // The two directions' shares of the code gradients are for the caller to add.
    Floats& shares = outputs.gradients[0];
    for (std::size_t i = 0; i < a.codes.size(); ++i) shares[i] += shares[i + a.codes.size()];
    shares.resize(a.codes.size());
    return outputs;
}

double largestOf(const Doubles& values) {
    double largest = 0;
    for (double value : values) largest = std::max(largest, std::fabs(value));
    return largest;
}

/// Errors of a recurrence spread over the whole array: they are measured against its largest element, or against
/// `least` where an array is the small difference of large terms (layer norm over two elements passes hardly any
/// gradient on).
void checkArray(const std::string& what, const Floats& got, const Doubles& want, double condition, double least = 0) {
    const double largest = std::max(largestOf(want), least);
    checkClose(what, got, want, Doubles(want.size(), largest), {3e-6 * condition, 0});
}

void checkProblem(Problem& problem) {
    const Expected expected = reference(problem, inDouble(problem.arrays));
    const std::string name = text(" of L %d, inputs %d, hidden %d", problem.layers, problem.inputs, problem.hidden);
    double least = 0;
    for (const Doubles& gradient : expected.gradients) least = std::max(least, 0.01 * largestOf(gradient));
    Outputs first;
    forEachThreadOrder([&](int order) {
        const Outputs got = runKernels(problem);
        if (order == 0) {
            first = got;
            checkArray("v" + name, got.sizes, expected.sizes, expected.condition);
            checkArray("u" + name, got.features, expected.features, expected.condition);
        }
        checkSameBits("v" + name, got.sizes, first.sizes);
        checkSameBits("u" + name, got.features, first.features);
        for (int i = 0; i < kParameters; ++i) {
            const std::string what = std::string("d") + kNames[i] + name;
            if (order == 0)
                checkArray(what, got.gradients[i], expected.gradients[i], expected.condition * expected.condition,
                           least);
            checkSameBits(what, got.gradients[i], first.gradients[i]);
        }
    });
}

/// Draws until no ReLU stands so near its kink that fp32 and fp64 could fall on different sides.
Problem drawAwayFromKinks(int layers, int inputs, int hidden, Random& random) {
    for (;;) {
        Problem problem = drawProblem(layers, inputs, hidden, random);
        if (reference(problem, inDouble(problem.arrays)).nearestKink > 1e-5) return problem;
    }
}

}  // namespace

EC_TEST(size_predictor_drawn_shapes) {
    Random random(1);
    for (int draw = 0; draw < 50; ++draw) {
        const int layers = random.pick({1, 2, 3, 5, 17});
        const int inputs = random.pick({1, 2, 7, 13, 16, 33, 64, 80});
        const int hidden = random.pick({1, 2, 3, 5, 16, 17, 31, 64});
        Problem problem = drawAwayFromKinks(layers, inputs, hidden, random);
        checkProblem(problem);
    }
}

EC_TEST(size_predictor_full_size) {
    Random random(2);
    for (const auto& shape : {std::vector<int>{20, 64, 128}, {128, 64, 128}, {33, 128, 127}}) {
        Problem problem = drawAwayFromKinks(shape[0], shape[1], shape[2], random);
        checkProblem(problem);
    }
}

EC_TEST(size_predictor_central_differences) {
    Random random(3);
    Problem problem = drawAwayFromKinks(5, 6, 9, random);
    const Outputs got = runKernels(problem);
    Arrays<double> arrays = inDouble(problem.arrays);
    const auto parameters = arrays.parameters();
    for (int i = 0; i < kParameters; ++i) {
        for (int sample = 0; sample < 6; ++sample) {
            const int index = random.integer(0, static_cast<int>(parameters[i]->size()) - 1);
            double& element = (*parameters[i])[index];
            const double kept = element;
            element = kept + 1e-6;
            const double above = reference(problem, arrays).loss;
            element = kept - 1e-6;
            const double below = reference(problem, arrays).loss;
            element = kept;
            const double expected = (above - below) / 2e-6;
            if (!(std::fabs(got.gradients[i][index] - expected) <= 2e-5 * std::max(1.0, std::fabs(expected)))) {
                throw Failure(
                    text("d%s[%d] is %.9g, differences say %.9g", kNames[i], index, got.gradients[i][index], expected));
            }
        }
    }
}

EC_TEST(size_predictor_nan_is_seen) {
    Random random(75);
    Problem problem = drawProblem(3, 5, 20, random);
    problem.arrays.codes[5] = NAN;  // of the second layer; the two directions carry it to the others
    const Outputs outputs = runKernels(problem);
    for (const float v : outputs.sizes) EC_CHECK(std::isnan(v));
    for (const float u : outputs.features) EC_CHECK(std::isnan(u));
    for (int i = 1; i < kParameters; ++i) {
        for (const float gradient : outputs.gradients[i]) EC_CHECK(std::isnan(gradient));
    }
}

EC_TEST(size_predictor_code_gradients_are_optional) {
    Random random(4);
    Problem problem = drawProblem(3, 4, 5, random);
    const Outputs with = runKernels(problem, true, true);
    const Outputs without = runKernels(problem, false);
    for (int i = 1; i < kParameters; ++i) checkSameBits(kNames[i], without.gradients[i], with.gradients[i]);
    for (float value : without.gradients[0]) EC_CHECK(std::isnan(value));
}

EC_TEST(size_predictor_refuses_bad_launches) {
    DeviceBuffer<float> memory(64);
    float* any = memory.data();
    SizePredictorParams good;
    good.layers = 3;
    good.inputs = 64;
    good.hidden = 128;
    good.codes = good.inputWeights = good.recurrentWeights = good.inputBiases = good.recurrentBiases = any;
    good.gain = good.shift = good.headWeights = good.headLengths = good.headBiases = good.kmax = any;
    good.sizes = good.hiddenFeatures = good.states = any;
    good.counter = reinterpret_cast<std::int32_t*>(any);
    EC_CHECK(planSizePredictor(kSizePredictorForward, good, deviceLimits()).result.ok());
    const auto refuse = [&](SizePredictorPass pass, Status status, const char* message, auto change,
                            DeviceLimits limits = deviceLimits()) {
        SizePredictorParams params = good;
        change(params);
        const LaunchSequence refused = planSizePredictor(pass, params, limits);
        checkRefused(refused.result, status, message);
        EC_CHECK(refused.count == 0);
    };
    using P = SizePredictorParams;
    refuse(kSizePredictorForward, Status::kInvalidShape, "layers is 0", [](P& p) { p.layers = 0; });
    refuse(kSizePredictorForward, Status::kUnsupported, "layers is 129", [](P& p) { p.layers = 129; });
    refuse(kSizePredictorForward, Status::kInvalidShape, "inputs is -1", [](P& p) { p.inputs = -1; });
    refuse(kSizePredictorForward, Status::kUnsupported, "hidden is 130", [](P& p) { p.hidden = 130; });
    refuse(kSizePredictorForward, Status::kNullPointer, "counter is null", [](P& p) { p.counter = nullptr; });
    refuse(kSizePredictorForward, Status::kMisaligned, "codes must be aligned", [](P& p) { ++p.codes; });
    refuse(kSizePredictorBackward, Status::kNullPointer, "sizeGradients is null", [](P&) {});
    DeviceLimits small = deviceLimits();
    small.sharedBytesPerBlock = 4096;
    refuse(
        kSizePredictorForward, Status::kResourceLimit, "shared memory", [](P&) {}, small);
}

}  // namespace effconv::test
