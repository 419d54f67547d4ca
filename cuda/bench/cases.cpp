#include "cases.h"

#include <algorithm>

namespace effconv::bench {

namespace {

constexpr int kMmaColumns = 16;         // outputs of one band of a Toeplitz product, and the depth of one mma
constexpr int kToeplitzFromKernel = 9;  // smaller kernels are cheaper on FFMA
constexpr int kSynthesisFeatures = 32;

ConvShape convShape(int batch, int channels, int extent, int kernel, int groups, int stride = 1) {
    ConvShape s;
    s.batch = batch;
    s.height = s.width = extent;
    s.inChannels = s.outChannels = channels;
    s.groups = groups;
    s.kernel = kernel;
    s.stride = stride;
    s.setContiguousStrides();
    return s;
}

Case convCase(const char* suite, Family family, int batch, int channels, int extent, int kernel, ConvPass pass,
              bool bf16) {
    Case test;
    test.suite = suite;
    test.family = family;
    test.pass = pass;
    test.shape = convShape(batch, channels, extent, kernel, family == Family::kDepthwise ? channels : 1);
    test.bf16 = bf16;
    test.name = std::string(family == Family::kDepthwise ? "depthwise" : "dense") + " C" + std::to_string(channels) +
                " " + std::to_string(extent) + "x" + std::to_string(extent) + " k" + std::to_string(kernel) + " N" +
                std::to_string(batch);
    return test;
}

void addLayer(std::vector<SynthesisLayer>& layers, int cin, int cout, int kernel) {
    SynthesisLayer layer;
    layer.cin = cin;
    layer.cout = cout;
    layer.kgrid = layer.kmax = kernel;
    layer.features = kSynthesisFeatures;
    layer.sizeIndex = static_cast<std::int32_t>(layers.size());
    layer.scale = synthesisScale(cin, static_cast<float>(kernel * kernel));
    layer.featureStride = kSynthesisFeatures;
    layer.coefficientStride = std::int64_t(cin) * cout;
    layer.weightStride = std::int64_t(kernel) * kernel * cin;
    if (!layers.empty()) {
        const auto aligned = [](std::int64_t offset) { return (offset + 7) / 8 * 8; };
        const SynthesisLayer& last = layers.back();
        layer.featureOffset = last.featureOffset + std::int64_t(last.kgrid) * last.kgrid * last.featureStride;
        layer.coefficientOffset = aligned(last.coefficientOffset + last.features * last.coefficientStride);
        layer.weightOffset = aligned(last.weightOffset + last.cout * last.weightStride);
    }
    layer.featureGradientOffset = layer.featureOffset;
    layer.coefficientGradientOffset = layer.coefficientOffset;
    layers.push_back(layer);
}

/// All convolutions of a residual network of three stages, the first layer with it; blocks of two layers per stage.
std::vector<SynthesisLayer> residualNetwork(int width, int blocks, int kernel) {
    std::vector<SynthesisLayer> layers;
    addLayer(layers, 3, width, kernel);
    int in = width;
    for (int stage = 0; stage < 3; ++stage) {
        const int out = width << stage;
        for (int layer = 0; layer < 2 * blocks; ++layer) {
            addLayer(layers, in, out, kernel);
            in = out;
        }
    }
    return layers;
}

Case synthesisCase(const char* suite, const char* network, int width, int blocks, int kernel, bool backward,
                   bool bf16) {
    Case test;
    test.suite = suite;
    test.family = backward ? Family::kSynthesisBackward : Family::kSynthesisForward;
    test.layers = residualNetwork(width, blocks, kernel);
    test.bf16 = bf16;
    test.name =
        std::string("synthesis ") + network + " h" + std::to_string(kSynthesisFeatures) + " k" + std::to_string(kernel);
    return test;
}

std::vector<Case> paperSuite() {
    const struct {
        int channels, extent, kernel;
    } dense[] = {{16, 32, 3}, {16, 32, 11}, {16, 32, 21}, {32, 32, 7},
                 {64, 32, 3}, {64, 32, 11}, {128, 16, 5}, {256, 8, 7}};
    const struct {
        int batch, channels, extent, kernel;
    } depthwise[] = {{512, 64, 32, 7}, {256, 256, 16, 7}, {512, 64, 32, 15}, {512, 64, 32, 31}, {128, 96, 96, 21}};
    std::vector<Case> cases;
    for (const auto& d : dense) {
        cases.push_back(
            convCase("paper", Family::kDense, 512, d.channels, d.extent, d.kernel, ConvPass::kForward, true));
    }
    for (const auto& d : depthwise) {
        cases.push_back(
            convCase("paper", Family::kDepthwise, d.batch, d.channels, d.extent, d.kernel, ConvPass::kForward, true));
    }
    for (const int kernel : {5, 11, 21}) {
        cases.push_back(synthesisCase("paper", "ResNet-20", 16, 3, kernel, false, true));
    }
    return cases;
}

constexpr ConvPass kPasses[] = {ConvPass::kForward, ConvPass::kDataGradient, ConvPass::kWeightGradient};

/// The stages of a residual network on small images, every pass in both types.
std::vector<Case> stagesSuite(const char* suite, int batch, int extent, std::initializer_list<int> kernels) {
    std::vector<Case> cases;
    for (int stage = 0; stage < 3; ++stage) {
        for (const int kernel : kernels) {
            for (const ConvPass pass : kPasses) {
                for (const bool bf16 : {true, false}) {
                    cases.push_back(
                        convCase(suite, Family::kDense, batch, 16 << stage, extent >> stage, kernel, pass, bf16));
                }
            }
        }
    }
    return cases;
}

std::vector<Case> depthwiseSuite() {
    const struct { int batch, channels, extent; } stages[] = {{512, 64, 32}, {256, 256, 16}, {128, 96, 96}};
    std::vector<Case> cases;
    for (const auto& s : stages) {
        for (const int kernel : {3, 7, 15, 31}) {
            for (const ConvPass pass : kPasses) {
                cases.push_back(
                    convCase("depthwise", Family::kDepthwise, s.batch, s.channels, s.extent, kernel, pass, true));
            }
        }
    }
    return cases;
}

std::vector<Case> synthesisSuite() {
    std::vector<Case> cases;
    for (const int kernel : {3, 5, 11, 21, 33}) {
        for (const bool backward : {false, true}) {
            for (const bool bf16 : {true, false}) {
                cases.push_back(synthesisCase("synthesis", "ResNet-20", 16, 3, kernel, backward, bf16));
            }
            cases.push_back(synthesisCase("synthesis", "WRN-16-4", 64, 2, kernel, backward, true));
        }
    }
    return cases;
}

/// Products of taps and outputs along one axis that lie inside the image.
double insideTapsSum(int outputs, int stride, int padding, int kernel, int extent) {
    double sum = 0;
    for (int o = 0; o < outputs; ++o) {
        const Range taps = insideTaps(o, o, stride, padding, kernel, extent);
        sum += taps.high - taps.low;
    }
    return sum;
}

Work convWork(const Case& test) {
    const ConvShape& s = test.shape;
    const double perTap = 2.0 * s.batch * s.outChannels * (s.inChannels / s.groups);
    const double size = test.bf16 ? 2 : 4;
    Work work;
    work.flops = perTap * s.outHeight() * s.outWidth() * s.kernel * s.kernel;
    work.validFlops = perTap * insideTapsSum(s.outHeight(), s.stride, s.padding(), s.kernel, s.height) *
                      insideTapsSum(s.outWidth(), s.stride, s.padding(), s.kernel, s.width);
    // 16 outputs of a row read 16 + k - 1 inputs: a band of that depth, rounded up to whole products of depth 16.
    const int depth = roundUp(kMmaColumns + s.kernel - 1, kMmaColumns);
    work.toeplitzFlops = test.family == Family::kDepthwise ? work.flops * depth / s.kernel : 0;
    const double weights = double(s.outChannels) * s.kernel * s.kernel * (s.inChannels / s.groups);
    work.bytes = size * (double(s.batch) * s.height * s.width * s.inChannels +
                         double(s.batch) * s.outHeight() * s.outWidth() * s.outChannels + weights);
    return work;
}

Work synthesisWork(const Case& test) {
    const bool backward = test.family == Family::kSynthesisBackward;
    Work work;
    for (const SynthesisLayer& layer : test.layers) {
        const double columns = double(layer.cin) * layer.cout;
        const double taps = double(layer.kgrid) * layer.kgrid;
        work.flops += (backward ? 4.0 : 2.0) * columns * taps * layer.features;
        const double operands = 4.0 * layer.features * (columns + taps);  // A and H
        work.bytes += (test.bf16 ? 2 : 4) * columns * taps + (backward ? 2 : 1) * operands;
    }
    work.validFlops = work.flops;
    return work;
}

}  // namespace

const std::vector<std::string>& suiteNames() {
    static const std::vector<std::string> names = {"paper", "cifar", "stl", "depthwise", "synthesis"};
    return names;
}

std::vector<Case> casesOf(const std::string& suite) {
    if (suite == "paper") return paperSuite();
    if (suite == "cifar") return stagesSuite("cifar", 512, 32, {3, 7, 11, 21});
    if (suite == "stl") return stagesSuite("stl", 64, 96, {3, 11, 21, 33});
    if (suite == "depthwise") return depthwiseSuite();
    if (suite == "synthesis") return synthesisSuite();
    return {};
}

Work workOf(const Case& test) {
    return test.family == Family::kDense || test.family == Family::kDepthwise ? convWork(test) : synthesisWork(test);
}

Floor floorOf(const Case& test, const Rates& rates) {
    const Work work = workOf(test);
    Floor floor;
    floor.memory = work.bytes / rates.bytes;
    floor.ffma = work.flops / rates.fp32Flops;
    floor.math = floor.ffma;
    const char* unit = "ffma";
    if (test.family == Family::kDense && test.bf16) {
        floor.math = work.flops / rates.tensorFlops;
        unit = "tensor";
    } else if (test.family == Family::kDepthwise && test.bf16 && test.shape.kernel >= kToeplitzFromKernel) {
        floor.math = work.toeplitzFlops / rates.tensorFlops;
        unit = "toeplitz";
    }
    floor.seconds = std::max(floor.memory, floor.math);
    floor.bound = floor.memory > floor.math ? "memory" : unit;
    return floor;
}

const char* passName(const Case& test) {
    if (test.family == Family::kSynthesisForward) return "forward";
    if (test.family == Family::kSynthesisBackward) return "backward";
    switch (test.pass) {
        case ConvPass::kForward: return "forward";
        case ConvPass::kDataGradient: return "data gradient";
        case ConvPass::kWeightGradient: return "weight gradient";
    }
    return "";
}

}  // namespace effconv::bench
