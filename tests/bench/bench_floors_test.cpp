// Operations, bytes and floors of the benchmark against numbers counted by hand, and the form of its files.
#include <cmath>

#include "cases.h"
#include "report.h"
#include "test.h"

using namespace effconv;
using namespace effconv::bench;
using namespace effconv::test;

namespace {

Case convolution(Family family, int batch, int channels, int extent, int kernel, int stride = 1) {
    Case test;
    test.family = family;
    test.shape.batch = batch;
    test.shape.height = test.shape.width = extent;
    test.shape.inChannels = test.shape.outChannels = channels;
    test.shape.groups = family == Family::kDepthwise ? channels : 1;
    test.shape.kernel = kernel;
    test.shape.stride = stride;
    test.shape.setContiguousStrides();
    return test;
}

/// The floor of the paper suite's case of that name, in microseconds.
double paperFloor(const std::string& name, std::string& bound) {
    for (const Case& test : casesOf("paper")) {
        if (test.name != name) continue;
        const Floor floor = floorOf(test, Rates{});
        bound = floor.bound;
        return floor.seconds * 1e6;
    }
    throw Failure("no case " + name);
}

}  // namespace

EC_TEST(bench_floors_of_the_paper_suite) {
    const struct {
        const char* name;
        double microseconds;
        const char* bound;
    } expected[] = {
        {"dense C16 32x32 k3 N512", 7.8, "memory"},        {"dense C16 32x32 k11 N512", 41, "tensor"},
        {"dense C16 32x32 k21 N512", 150, "tensor"},       {"dense C32 32x32 k7 N512", 67, "tensor"},
        {"dense C64 32x32 k3 N512", 49, "tensor"},         {"dense C64 32x32 k11 N512", 660, "tensor"},
        {"dense C128 16x16 k5 N512", 136, "tensor"},       {"dense C256 8x8 k7 N512", 267, "tensor"},
        {"depthwise C64 32x32 k7 N512", 55, "ffma"},       {"depthwise C256 16x16 k7 N256", 27, "ffma"},
        {"depthwise C64 32x32 k15 N512", 41, "toeplitz"},  {"depthwise C64 32x32 k31 N512", 127, "toeplitz"},
        {"depthwise C96 96x96 k21 N128", 290, "toeplitz"},
    };
    for (const auto& e : expected) {
        std::string bound;
        const double got = paperFloor(e.name, bound);
        if (std::fabs(got - e.microseconds) > 0.02 * e.microseconds || bound != e.bound) {
            throw Failure(
                text("%s: %.3g us, %s; expected %.3g us, %s", e.name, got, bound.c_str(), e.microseconds, e.bound));
        }
    }
}

EC_TEST(bench_work_counted_by_hand) {
    // 3x3 image, k = 3: a tap row is outside for one of three output rows, twice: 7 of 9 row products, so 49 of 81.
    const Work small = workOf(convolution(Family::kDense, 2, 4, 3, 3));
    EC_CHECK(small.flops == 2.0 * 2 * 9 * 4 * 4 * 9);
    EC_CHECK(small.validFlops == 2.0 * 2 * 49 * 4 * 4);
    EC_CHECK(small.bytes == 2.0 * (2 * 9 * 4 * 2 + 4 * 4 * 9));
    // Stride 2 on 4 pixels: outputs 0 and 2 see taps {1, 2} and {0, 1, 2}.
    const Work strided = workOf(convolution(Family::kDense, 1, 1, 4, 3, 2));
    EC_CHECK(strided.flops == 2.0 * 4 * 9);
    EC_CHECK(strided.validFlops == 2.0 * 25);
    EC_CHECK(workOf(convolution(Family::kDepthwise, 1, 8, 5, 1)).flops == 2.0 * 25 * 8);
    // k = 17: a band of 32 inputs, all of one product depth: 32 / 17 of the plain products.
    const Work band = workOf(convolution(Family::kDepthwise, 1, 8, 20, 17));
    EC_CHECK(std::fabs(band.toeplitzFlops - band.flops * 32 / 17) < 1e-6 * band.flops);
    for (const Case& test : casesOf("synthesis")) {
        double weights = 0;
        for (const SynthesisLayer& layer : test.layers)
            weights += double(layer.cout) * layer.cin * layer.kgrid * layer.kgrid;
        EC_CHECK(workOf(test).flops == (test.family == Family::kSynthesisForward ? 2 : 4) * 32 * weights);
    }
}

EC_TEST(bench_suites_hold_shapes_that_the_kernels_serve) {
    for (const std::string& suite : suiteNames()) {
        const std::vector<Case> cases = casesOf(suite);
        EC_CHECK(!cases.empty());
        for (const Case& test : cases) {
            EC_CHECK(test.suite == suite);
            if (test.layers.empty()) {
                EC_CHECK(checkConvShape("bench", test.shape).ok());
            }
            EC_CHECK(floorOf(test, Rates{}).seconds > 0);
            EC_CHECK(workOf(test).validFlops <= workOf(test).flops);
        }
    }
    EC_CHECK(casesOf("nonsense").empty());
}

EC_TEST(bench_reports) {
    Row row{casesOf("paper")[0], {}, {}, true, {}};
    row.work = workOf(row.test);
    row.floor = floorOf(row.test, Rates{});
    row.measurement.median = 2 * row.floor.seconds;
    row.measurement.errorLimit = 1e-2;
    EC_CHECK(row.measurement.ok());
    Header header;
    header.device = "a \"quoted\" name";
    const auto contains = [](const std::string& all, const char* part) {
        if (all.find(part) == std::string::npos) throw Failure(std::string("missing: ") + part + " in " + all);
    };
    contains(jsonOf(header, {row}), "\"device\": \"a \\\"quoted\\\" name\"");
    contains(jsonOf(header, {row}), "\"percent_of_roofline\": 50");
    contains(csvOf(header, {row}), "suite,case,pass,type,bound,gflop,");
    contains(csvOf(header, {row}), "paper,dense C16 32x32 k3 N512,forward,bf16,memory,2.41592,");
    contains(tableOf(header, {row}), "assumed");
    row.measurement.error = NAN;  // an output that was never written
    EC_CHECK(!row.measurement.ok());
    contains(tableOf(header, {row}), "ERROR GATE");
    contains(jsonOf(header, {row}), "\"error\": null");
}
