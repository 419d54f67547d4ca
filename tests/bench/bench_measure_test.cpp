// The measuring half of the benchmark on the host shim: data, plans, launches, sampled references, error gate.
#include <cmath>

#include "measure.h"
#include "roofline.h"
#include "sampled_reference.h"
#include "test.h"

namespace effconv::bench {

/// In place of the loops that only a card can run.
Rates measureRates(int) {
    return {};
}

}  // namespace effconv::bench

using namespace effconv;
using namespace effconv::bench;
using namespace effconv::test;

namespace {

Case convolution(Family family, int channels, int outChannels, int height, int width, int kernel, int stride) {
    Case test;
    test.family = family;
    test.shape.batch = 2;
    test.shape.height = height;
    test.shape.width = width;
    test.shape.inChannels = channels;
    test.shape.outChannels = outChannels;
    test.shape.groups = family == Family::kDepthwise ? channels : 1;
    test.shape.kernel = kernel;
    test.shape.stride = stride;
    test.shape.setContiguousStrides();
    return test;
}

/// The smallest network of the synthesis suite, cut to its first layers.
Case synthesis(Family family, bool bf16) {
    Case test = casesOf("synthesis")[0];
    test.family = family;
    test.bf16 = bf16;
    test.layers.resize(3);
    return test;
}

void checkMeasured(Device& device, const Case& test) {
    const Measurement m = device.measure(test);
    if (!m.ok())
        throw Failure(
            text("%s %s: error %.3g, limit %.3g", passName(test), test.bf16 ? "bf16" : "fp32", m.error, m.errorLimit));
    EC_CHECK(m.error > 0 || test.shape.kernel == 1);
    EC_CHECK(m.p10 <= m.median && m.median <= m.p90 && m.median > 0 && m.planSeconds > 0);
}

}  // namespace

EC_TEST(bench_measures_convolutions) {
    const std::unique_ptr<Device> device = openBenchDevice(false, 3);
    for (const ConvPass pass : {ConvPass::kForward, ConvPass::kDataGradient, ConvPass::kWeightGradient}) {
        for (const bool bf16 : {true, false}) {
            for (Case test :
                 {convolution(Family::kDense, 3, 17, 7, 5, 5, 1), convolution(Family::kDense, 16, 8, 6, 9, 3, 2),
                  convolution(Family::kDepthwise, 8, 8, 9, 6, 7, 1),
                  convolution(Family::kDepthwise, 5, 5, 6, 7, 3, 2)}) {
                test.pass = pass;
                test.bf16 = bf16;
                checkMeasured(*device, test);
            }
        }
    }
}

EC_TEST(bench_measures_synthesis) {
    const std::unique_ptr<Device> device = openBenchDevice(false, 2);
    for (const bool bf16 : {true, false}) {
        checkMeasured(*device, synthesis(Family::kSynthesisForward, bf16));
        checkMeasured(*device, synthesis(Family::kSynthesisBackward, bf16));
    }
}

EC_TEST(bench_error_gate_sees_wrong_and_unwritten_outputs) {
    const Case test = convolution(Family::kDense, 4, 4, 5, 5, 3, 1);
    CudaMemory wrong = randomMemory(2 * 5 * 5 * 4, true, kStreamY);
    EC_CHECK(sampledConvError(test, wrong, true) > 0.1);
    wrong.poison();
    EC_CHECK(std::isnan(sampledConvError(test, wrong, true)));
    Measurement measurement;
    measurement.errorLimit = 1;
    measurement.error = NAN;
    EC_CHECK(!measurement.ok());
}
