// Weight synthesis kernels against a naive fp64 reference and central differences.

#include "effconv/kernels/weight_synthesis.h"

#include <algorithm>
#include <cmath>

#include "harness/device.h"

namespace effconv::test {
namespace {

using Floats = std::vector<float>;
using Doubles = std::vector<double>;

/// A set of layers with their inputs on the host. Offsets leave gaps between the layers' arrays, which nobody may
/// touch.
struct Problem {
    std::vector<SynthesisLayer> layers;
    Floats sizes, features, coefficients, gradients;
    bool scalesInMemory = false;  ///< by size, where the layers' own are wrong
    std::size_t weightCount = 0;
    bool bf16 = false;
};

struct LayerDraw {
    int cout, cin, kmax, features, kind, source;
    float v;
    bool fullGrid;
    bool aligned;
};

std::int64_t roundUp(std::int64_t value, std::int64_t unit) {
    return (value + unit - 1) / unit * unit;
}

void addLayer(Problem& problem, const LayerDraw& draw, Random& random) {
    SynthesisLayer layer;
    layer.cout = draw.cout;
    layer.cin = draw.cin;
    layer.kmax = draw.kmax;
    layer.kgrid = draw.fullGrid ? draw.kmax : 2 * supportRadiusWithSpare(draw.kind, draw.v, draw.kmax) + 1;
    layer.features = draw.source == kElasticTable ? 0 : draw.features;
    layer.maskKind = draw.kind;
    layer.source = draw.source;
    layer.scale = 0.25f + 0.5f * std::fabs(random.symmetric());
    layer.sizeIndex = static_cast<int>(problem.layers.size());
    const int taps = layer.kgrid * layer.kgrid;
    const std::int64_t columns = static_cast<std::int64_t>(layer.cout) * layer.cin;
    const std::int64_t unit = draw.aligned ? 8 : 1;
    const std::int64_t gap = draw.aligned ? 8 : random.integer(0, 3);
    layer.featureOffset = layer.featureGradientOffset = roundUp(problem.features.size() + gap, unit);
    layer.featureStride = layer.features + gap;
    layer.coefficientOffset = layer.coefficientGradientOffset = roundUp(problem.coefficients.size() + gap, unit);
    const std::int64_t rowLength =
        draw.source == kElasticTable ? static_cast<std::int64_t>(layer.kmax) * layer.kmax * layer.cin : columns;
    layer.coefficientStride = roundUp(rowLength + gap, unit);
    layer.weightOffset = roundUp(problem.weightCount + gap, unit);
    layer.weightStride = roundUp(static_cast<std::int64_t>(taps) * layer.cin + gap, unit);
    const std::int64_t rows = draw.source == kElasticTable ? layer.cout : layer.features;
    problem.features.resize(layer.featureOffset + taps * layer.featureStride);
    problem.coefficients.resize(layer.coefficientOffset + rows * layer.coefficientStride);
    problem.weightCount = layer.weightOffset + layer.cout * layer.weightStride;
    problem.sizes.push_back(draw.v);
    problem.layers.push_back(layer);
}

void fill(Problem& problem, Random& random) {
    problem.features = randomValues(problem.features.size(), random, false);
    problem.coefficients = randomValues(problem.coefficients.size(), random, false);
    problem.gradients = randomValues(problem.weightCount, random, problem.bf16);
}

LayerDraw drawLayer(Random& random, int largest) {
    LayerDraw draw;
    draw.cout = random.pick({1, 2, 3, 8, 17, 40});
    draw.cin = random.pick({1, 1, 3, 8, 17, 32, 36});
    draw.kmax = std::min(largest, random.pick({1, 3, 5, 9, 15, 33}));
    draw.features = random.pick({1, 4, 16, 19, 33, 64});
    draw.kind = random.integer(0, kMaskKinds - 1);
    draw.source = random.integer(0, 3) == 0 ? kElasticTable : kCoordinateFeatures;
    const float near = random.pick({-1e-4f, 0.0f, 0.0f, 1e-4f, 0.73f, 1.0f});
    draw.v = static_cast<float>(std::max(1, random.integer(0, (draw.kmax - 1) / 2) * 2 + 1)) + near;
    draw.v = std::max(1.0f, std::min(draw.v, static_cast<float>(draw.kmax)));
    draw.fullGrid = random.integer(0, 4) == 0;
    draw.aligned = random.integer(0, 1) == 0;
    if (draw.kmax > 9) {
        // Big grids on few channels: the run on a CPU pays for every weight.
        draw.cout = std::min(draw.cout, 8);
        draw.cin = std::min(draw.cin, 8);
    }
    return draw;
}

/// One value per element of an array, with the sum of the absolute values of its terms; NaN where nothing is written.
struct Expected {
    Doubles value, magnitude;
    explicit Expected(std::size_t count) : value(count, NAN), magnitude(count, 0.0) {}
    void start(std::size_t i) { value[i] = 0; }
    void add(std::size_t i, double term) {
        value[i] += term;
        magnitude[i] += std::fabs(term);
    }
};

struct Reference {
    Expected weights, featureGradients, coefficientGradients, sizeGradients;
    double loss = 0;
    explicit Reference(const Problem& p)
        : weights(p.weightCount),
          featureGradients(p.features.size()),
          coefficientGradients(p.coefficients.size()),
          sizeGradients(p.sizes.size()) {}
};

/// The definition, one weight at a time, in double: w = s m <H, A> (or s m T), and every derivative of sum(dw w).
template <typename Real>
Reference reference(const Problem& problem, const std::vector<Real>& sizes, const std::vector<Real>& features,
                    const std::vector<Real>& coefficients) {
    Reference expected(problem);
    for (const SynthesisLayer& layer : problem.layers) {
        const double v = sizes[layer.sizeIndex];
        const int margin = (layer.kmax - layer.kgrid) / 2;
        expected.sizeGradients.start(layer.sizeIndex);
        for (int p = 0; p < layer.kgrid * layer.kgrid; ++p) {
            const int row = p / layer.kgrid, column = p % layer.kgrid;
            const int ring = std::max(std::abs(row - layer.kgrid / 2), std::abs(column - layer.kgrid / 2));
            const MaskValue<double> value = mask(layer.maskKind, ring, v);
            const double s = layer.scale;
            for (int f = 0; f < layer.features; ++f) {
                expected.featureGradients.start(layer.featureOffset + p * layer.featureStride + f);
            }
            for (int o = 0; o < layer.cout; ++o) {
                for (int i = 0; i < layer.cin; ++i) {
                    const std::size_t w = layer.weightOffset + o * layer.weightStride + p * layer.cin + i;
                    const double dw = problem.gradients[w];
                    expected.weights.start(w);
                    if (layer.source == kElasticTable) {
                        const std::size_t t = layer.coefficientOffset + o * layer.coefficientStride +
                                              ((row + margin) * layer.kmax + column + margin) * layer.cin + i;
                        expected.weights.add(w, s * value.m * coefficients[t]);
                        expected.coefficientGradients.start(t);
                        expected.coefficientGradients.add(t, s * value.m * dw);
                        expected.sizeGradients.add(layer.sizeIndex, s * value.dm * dw * coefficients[t]);
                        expected.loss += expected.weights.value[w] * dw;
                        continue;
                    }
                    for (int f = 0; f < layer.features; ++f) {
                        const std::size_t h = layer.featureOffset + p * layer.featureStride + f;
                        const std::size_t a = layer.coefficientOffset + f * layer.coefficientStride + o * layer.cin + i;
                        const double product = double(features[h]) * double(coefficients[a]);
                        expected.weights.add(w, s * value.m * product);
                        expected.featureGradients.add(h, s * value.m * dw * coefficients[a]);
                        if (p == 0) expected.coefficientGradients.start(a);
                        expected.coefficientGradients.add(a, s * value.m * dw * features[h]);
                        expected.sizeGradients.add(layer.sizeIndex, s * value.dm * dw * product);
                    }
                    expected.loss += expected.weights.value[w] * dw;
                }
            }
        }
        for (int o = 0; layer.source == kElasticTable && o < layer.cout; ++o) {
            for (int q = 0; q < layer.kmax * layer.kmax * layer.cin; ++q) {
                double& gradient =
                    expected.coefficientGradients.value[layer.coefficientOffset + o * layer.coefficientStride + q];
                if (std::isnan(gradient)) gradient = 0;  // outside the crop: written as zero
            }
        }
    }
    return expected;
}

Reference reference(const Problem& problem) {
    return reference<float>(problem, problem.sizes, problem.features, problem.coefficients);
}

struct Outputs {
    Floats weights, featureGradients, coefficientGradients, sizeGradients;
};

/// Runs the three launches on fresh, poisoned memory.
Outputs runKernels(const Problem& problem) {
    SynthesisPlan tables;
    const int count = static_cast<int>(problem.layers.size());
    EC_CHECK(planSynthesis(problem.layers.data(), count, tables, nullptr, nullptr, nullptr).ok());
    std::vector<SynthesisItem> forward(tables.forwardItems), backward(tables.backwardItems), reduce(tables.reduceItems);
    EC_CHECK(planSynthesis(problem.layers.data(), count, tables, forward.data(), backward.data(), reduce.data()).ok());

    std::vector<SynthesisLayer> described = problem.layers;
    Floats scaleOf(problem.sizes.size());
    for (SynthesisLayer& layer : described) {
        scaleOf[layer.sizeIndex] = layer.scale;
        if (problem.scalesInMemory) layer.scale = NAN;
    }
    DeviceBuffer<SynthesisLayer> layers(described);
    DeviceBuffer<float> scales(scaleOf);
    DeviceBuffer<SynthesisItem> forwardItems(forward), backwardItems(backward), reduceItems(reduce);
    DeviceBuffer<float> sizes(problem.sizes), features(problem.features), coefficients(problem.coefficients);
    TypedBuffer weights(problem.weightCount, problem.bf16), gradients(problem.gradients, problem.bf16);
    DeviceBuffer<float> dH(problem.features.size()), dA(problem.coefficients.size()), dv(problem.sizes.size());
    DeviceBuffer<float> workspace(tables.workspaceFloats);
    DeviceBuffer<std::int32_t> counters(tables.counters);

    SynthesisParams params;
    params.layers = layers.data();
    params.sizes = sizes.data();
    if (problem.scalesInMemory) params.scales = scales.data();
    params.features = features.data();
    params.coefficients = coefficients.data();
    params.weights = weights.data();
    params.weightGradients = gradients.data();
    params.featureGradients = dH.data();
    params.coefficientGradients = dA.data();
    params.sizeGradients = dv.data();
    params.workspace = workspace.data();
    params.counters = counters.data();
    params.layerCount = count;
    params.weightsAreBf16 = problem.bf16;
    const auto pass = [&](SynthesisPass which, const DeviceBuffer<SynthesisItem>& items) {
        params.items = items.data();
        params.itemCount = static_cast<std::int64_t>(items.size());
        launchAll(planSynthesisPass(which, params, deviceLimits()), params);
    };
    pass(kSynthesisForward, forwardItems);
    pass(kSynthesisBackward, backwardItems);
    pass(kSynthesisReduce, reduceItems);
    return {weights.download(), dH.download(), dA.download(), dv.download()};
}

/// Like checkClose, but elements that nobody may write must still hold the poison.
void checkArray(const std::string& what, const Floats& got, const Expected& expected, Tolerance tolerance) {
    Floats written;
    Doubles want, magnitude;
    for (std::size_t i = 0; i < got.size(); ++i) {
        if (std::isnan(expected.value[i])) {
            if (!std::isnan(got[i]))
                throw Failure(text("%s: element %zu lies in a gap and was written", what.c_str(), i));
            continue;
        }
        if (expected.magnitude[i] == 0 && got[i] != 0) {
            throw Failure(text("%s: element %zu is %g, expected an exact zero", what.c_str(), i, got[i]));
        }
        written.push_back(got[i]);
        want.push_back(expected.value[i]);
        magnitude.push_back(expected.magnitude[i]);
    }
    checkClose(what, written, want, magnitude, tolerance);
}

std::string describe(const Problem& problem) {
    std::string all = problem.bf16 ? "bf16" : "fp32";
    for (std::size_t l = 0; l < problem.layers.size(); ++l) {
        const SynthesisLayer& layer = problem.layers[l];
        all += text(" [cout %d cin %d kgrid %d kmax %d h %d mask %d source %d v %.6g]", layer.cout, layer.cin,
                    layer.kgrid, layer.kmax, layer.features, layer.maskKind, layer.source, problem.sizes[l]);
    }
    return all;
}

void checkProblem(const Problem& problem) {
    const Reference expected = reference(problem);
    const std::string name = describe(problem);
    Outputs first;
    forEachThreadOrder([&](int order) {
        const Outputs got = runKernels(problem);
        if (order == 0) {
            first = got;
            checkArray("w of " + name, got.weights, expected.weights, problem.bf16 ? kBf16Tolerance : kFp32Tolerance);
            checkArray("dH of " + name, got.featureGradients, expected.featureGradients, kFp32Tolerance);
            checkArray("dA of " + name, got.coefficientGradients, expected.coefficientGradients, kFp32Tolerance);
            checkArray("dv of " + name, got.sizeGradients, expected.sizeGradients, kFp32Tolerance);
            return;
        }
        checkSameBits("w of " + name, got.weights, first.weights);
        checkSameBits("dH of " + name, got.featureGradients, first.featureGradients);
        checkSameBits("dA of " + name, got.coefficientGradients, first.coefficientGradients);
        checkSameBits("dv of " + name, got.sizeGradients, first.sizeGradients);
    });
}

}  // namespace

EC_TEST(weight_synthesis_drawn_layers) {
    Random random(1);
    for (int draw = 0; draw < 150; ++draw) {
        Problem problem;
        problem.bf16 = draw % 2 == 1;
        problem.scalesInMemory = draw / 2 % 2 == 1;
        const int layers = random.integer(1, 4);
        for (int l = 0; l < layers; ++l) addLayer(problem, drawLayer(random, draw % 6 == 0 ? 33 : 9), random);
        fill(problem, random);
        checkProblem(problem);
    }
}

EC_TEST(weight_synthesis_edges) {
    // One weight; k = 33 depthwise at full grid and just below; more than one split of the summed columns; every mask
    // kind.
    const LayerDraw draws[] = {
        {1, 1, 1, 1, kRamp, kCoordinateFeatures, 1.0f, true, false},
        {5, 1, 33, 16, kRamp, kCoordinateFeatures, 32.9999f, false, false},
        {3, 2, 33, 64, kGaussian, kElasticTable, 33.0f, true, true},
        {72, 128, 3, 8, kSigmoid, kCoordinateFeatures, 3.0f, true, true},
        {2, 8, 11, 32, kSmoothstep, kCoordinateFeatures, 7.0f, false, true},
        {130, 1, 7, 20, kSigmoid, kElasticTable, 4.2f, false, true},
    };
    Random random(2);
    Problem together;
    for (const LayerDraw& draw : draws) {
        addLayer(together, draw, random);
        Problem alone;
        alone.bf16 = draw.cin % 8 == 0;
        addLayer(alone, draw, random);
        fill(alone, random);
        checkProblem(alone);
    }
    fill(together, random);
    checkProblem(together);
}

EC_TEST(weight_synthesis_central_differences) {
    Random random(3);
    for (int kind = 0; kind < kMaskKinds; ++kind) {
        for (int source : {kCoordinateFeatures, kElasticTable}) {
            Problem problem;
            // Sizes just off the odd numbers, where the ring outside the kernel has hardly begun; none on a kink.
            for (float v : {1.004f, 2.99f, 3.01f, 6.3f}) {
                addLayer(problem, {3, 5, 9, 12, kind, source, v, false, false}, random);
            }
            fill(problem, random);
            const Outputs got = runKernels(problem);
            Doubles sizes(problem.sizes.begin(), problem.sizes.end());
            Doubles features(problem.features.begin(), problem.features.end());
            Doubles coefficients(problem.coefficients.begin(), problem.coefficients.end());
            const auto check = [&](const char* what, Doubles& inputs, std::size_t index, float gradient) {
                const double kept = inputs[index];
                inputs[index] = kept + 1e-4;
                const double above = reference<double>(problem, sizes, features, coefficients).loss;
                inputs[index] = kept - 1e-4;
                const double below = reference<double>(problem, sizes, features, coefficients).loss;
                inputs[index] = kept;
                const double expected = (above - below) / 2e-4;
                if (!(std::fabs(gradient - expected) <= 1e-4 * std::max(1.0, std::fabs(expected)))) {
                    throw Failure(text("%s[%zu], mask %d, source %d: %.9g, differences say %.9g", what, index, kind,
                                       source, gradient, expected));
                }
            };
            for (const SynthesisLayer& layer : problem.layers) {
                check("dv", sizes, layer.sizeIndex, got.sizeGradients[layer.sizeIndex]);
                for (int sample = 0; sample < 4; ++sample) {
                    const std::size_t a =
                        layer.coefficientOffset + random.integer(0, 14) +
                        (source == kElasticTable ? 0 : random.integer(0, 11)) * layer.coefficientStride;
                    check("dA", coefficients, a, got.coefficientGradients[a]);
                    if (source == kElasticTable) continue;
                    const int tap = random.integer(0, layer.kgrid * layer.kgrid - 1);
                    const std::size_t h = layer.featureOffset + tap * layer.featureStride + random.integer(0, 11);
                    check("dH", features, h, got.featureGradients[h]);
                }
            }
        }
    }
}

EC_TEST(weight_synthesis_size_gradient_takes_both_signs) {
    // At an odd v the integer kernel is whole, and only the spare ring can speak: it must be heard with either sign.
    for (float v : {1.0f, 3.0f, 5.0f, 7.0f}) {
        Random random(4);
        Problem problem;
        addLayer(problem, {4, 4, 9, 8, kRamp, kCoordinateFeatures, v, false, true}, random);
        fill(problem, random);
        const float one = runKernels(problem).sizeGradients[0];
        for (float& gradient : problem.gradients) gradient = -gradient;
        const float other = runKernels(problem).sizeGradients[0];
        EC_CHECK(one == -other && std::fabs(one) > 1e-3f);
        // The same layer on a grid cropped at its size loses the signal: this is what the spare ring is for.
        Problem cropped;
        LayerDraw draw = {4, 4, static_cast<int>(v), 8, kRamp, kCoordinateFeatures, v, true, true};
        addLayer(cropped, draw, random);
        fill(cropped, random);
        EC_CHECK(runKernels(cropped).sizeGradients[0] == 0.0f);
    }
}

EC_TEST(weight_synthesis_ignores_masked_features) {
    // NaN in the features of taps that are off must not reach the weights: they are exact zeros.
    Random random(5);
    Problem problem;
    addLayer(problem, {2, 3, 7, 4, kRamp, kCoordinateFeatures, 3.0f, true, false}, random);
    fill(problem, random);
    for (int f = 0; f < 4; ++f) problem.features[problem.layers[0].featureOffset + f] = NAN;
    const Outputs got = runKernels(problem);
    for (int i = 0; i < 3; ++i) EC_CHECK(got.weights[problem.layers[0].weightOffset + i] == 0.0f);
    EC_CHECK(std::isfinite(got.sizeGradients[0]));
}

EC_TEST(weight_synthesis_refuses_bad_layers) {
    Random random(6);
    Problem good;
    addLayer(good, {2, 3, 7, 4, kRamp, kCoordinateFeatures, 3.0f, false, true}, random);
    const auto refuse = [&](Status status, const char* message, auto change) {
        SynthesisLayer layer = good.layers[0];
        change(layer);
        SynthesisPlan tables;
        checkRefused(planSynthesis(&layer, 1, tables, nullptr, nullptr, nullptr), status, message);
        EC_CHECK(tables.forwardItems == 0 && tables.backwardItems == 0);
    };
    refuse(Status::kInvalidShape, "cin is 0", [](SynthesisLayer& layer) { layer.cin = 0; });
    refuse(Status::kInvalidShape, "cout is -3", [](SynthesisLayer& layer) { layer.cout = -3; });
    refuse(Status::kUnsupported, "kgrid is 4", [](SynthesisLayer& layer) { layer.kgrid = 4; });
    refuse(Status::kUnsupported, "kmax is 35", [](SynthesisLayer& layer) { layer.kmax = 35; });
    refuse(Status::kInvalidShape, "exceeds kmax", [](SynthesisLayer& layer) { layer.kmax = 3; });
    refuse(Status::kUnsupported, "mask kind 9", [](SynthesisLayer& layer) { layer.maskKind = 9; });
    refuse(Status::kUnsupported, "source 2", [](SynthesisLayer& layer) { layer.source = 2; });
    refuse(Status::kInvalidShape, "features is 0", [](SynthesisLayer& layer) { layer.features = 0; });
    refuse(Status::kInvalidShape, "of w overlap", [](SynthesisLayer& layer) { layer.weightStride = 5; });
    refuse(Status::kInvalidShape, "H or A overlap", [](SynthesisLayer& layer) { layer.coefficientStride = 5; });
    refuse(Status::kInvalidShape, "negative", [](SynthesisLayer& layer) { layer.weightOffset = -1; });
    SynthesisPlan tables;
    EC_CHECK(planSynthesis(nullptr, 1, tables, nullptr, nullptr, nullptr).status == Status::kNullPointer);
    EC_CHECK(planSynthesis(good.layers.data(), 0, tables, nullptr, nullptr, nullptr).status == Status::kInvalidShape);
    const SynthesisLayer twice[] = {good.layers[0], good.layers[0]};
    EC_CHECK(planSynthesis(twice, 2, tables, nullptr, nullptr, nullptr).status == Status::kInvalidShape);
}

EC_TEST(weight_synthesis_refuses_bad_launches) {
    DeviceBuffer<float> memory(64);
    SynthesisParams good;
    good.layers = reinterpret_cast<SynthesisLayer*>(memory.data());
    good.items = reinterpret_cast<SynthesisItem*>(memory.data());
    good.sizes = good.features = good.coefficients = memory.data();
    good.weights = memory.data();
    good.itemCount = good.layerCount = 1;
    EC_CHECK(planSynthesisPass(kSynthesisForward, good, deviceLimits()).result.ok());
    const auto refuse = [&](SynthesisPass pass, Status status, const char* message, auto change,
                            DeviceLimits limits = deviceLimits()) {
        SynthesisParams params = good;
        change(params);
        const LaunchSequence refused = planSynthesisPass(pass, params, limits);
        checkRefused(refused.result, status, message);
        EC_CHECK(refused.count == 0);
    };
    refuse(kSynthesisForward, Status::kNullPointer, "weights is null", [](SynthesisParams& p) { p.weights = nullptr; });
    refuse(kSynthesisForward, Status::kMisaligned, "coefficients must be aligned",
           [](SynthesisParams& p) { ++p.coefficients; });
    refuse(kSynthesisForward, Status::kMisaligned, "features must be aligned",
           [](SynthesisParams& p) { ++p.features; });
    refuse(kSynthesisForward, Status::kMisaligned, "scales must be aligned",
           [](SynthesisParams& p) { p.scales = p.sizes + 1; });
    refuse(kSynthesisForward, Status::kInvalidShape, "itemCount is 0", [](SynthesisParams& p) { p.itemCount = 0; });
    refuse(kSynthesisBackward, Status::kNullPointer, "weightGradients is null", [](SynthesisParams&) {});
    refuse(kSynthesisReduce, Status::kNullPointer, "sizeGradients is null", [](SynthesisParams&) {});
    refuse(kSynthesisForward, Status::kResourceLimit, "blocks",
           [](SynthesisParams& p) { p.itemCount = std::int64_t(1) << 40; });
    DeviceLimits small = deviceLimits();
    small.sharedBytesPerBlock = 16 * 1024;
    refuse(
        kSynthesisForward, Status::kResourceLimit, "shared memory", [](SynthesisParams&) {}, small);
}

}  // namespace effconv::test
