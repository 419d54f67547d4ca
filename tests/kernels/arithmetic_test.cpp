// The shared arithmetic against central differences and known answers, in double precision.
//
//   g++ -std=c++17 -O1 -Icuda/include tests/kernels/arithmetic_test.cpp -o arithmetic_test && ./arithmetic_test

#include <cmath>
#include <cstdio>
#include <functional>
#include <random>
#include <vector>

#include "effconv/coordinate.h"
#include "effconv/gru.h"
#include "effconv/mask.h"
#include "effconv/optimizer.h"
#include "effconv/random.h"
#include "effconv/synthesis.h"

namespace {

using namespace effconv;
using Vector = std::vector<double>;

int failures = 0;

#define CHECK(condition, ...)                                           \
    do {                                                                \
        if (!(condition)) {                                             \
            ++failures;                                                 \
            std::printf("%s:%d: %s: ", __FILE__, __LINE__, #condition); \
            std::printf(__VA_ARGS__);                                   \
            std::printf("\n");                                          \
        }                                                               \
    } while (0)

bool close(double got, double expected, double tolerance) {
    return std::fabs(got - expected) <= tolerance * std::fmax(1.0, std::fabs(expected));
}

std::mt19937_64 generator(20261123);

Vector drawn(std::size_t count, double spread = 1.0) {
    std::normal_distribution<double> normal(0.0, spread);
    Vector values(count);
    for (double& value : values) value = normal(generator);
    return values;
}

double dot(const Vector& a, const Vector& b) {
    double sum = 0;
    for (std::size_t i = 0; i < a.size(); ++i) sum += a[i] * b[i];
    return sum;
}

/// Compares an analytic gradient with central differences of `loss` in every element of `x`.
void checkGradient(const char* name, const std::function<double()>& loss, Vector& x, const Vector& gradient) {
    for (std::size_t i = 0; i < x.size(); ++i) {
        const double kept = x[i];
        const double step = 1e-5;
        x[i] = kept + step;
        const double above = loss();
        x[i] = kept - step;
        const double below = loss();
        x[i] = kept;
        const double expected = (above - below) / (2 * step);
        CHECK(close(gradient[i], expected, 2e-7), "d%s[%zu] = %.12g, differences say %.12g", name, i, gradient[i],
              expected);
    }
}

void testMaskDerivatives() {
    for (int kind = 0; kind < kMaskKinds; ++kind) {
        for (double v :
             {1.0, 1.0 + 1e-6, 1.3, 2.0, 2.999999, 3.0, 3.000001, 4.0, 4.7, 5.0, 8.999, 9.0, 12.25, 31.0, 33.0}) {
            for (int d = 0; d <= 16; ++d) {
                const MaskValue<double> value = mask(kind, d, v);
                CHECK(value.m >= 0 && value.m <= 1 && value.dm >= 0, "kind %d d %d v %g", kind, d, v);
                // A one-sided difference of second order: masks have kinks, and the right derivative is the promise.
                const double h = 1e-7;
                const double one = mask(kind, d, v + h).m;
                const double two = mask(kind, d, v + 2 * h).m;
                const double expected = (4 * one - two - 3 * value.m) / (2 * h);
                const bool cutWithin = (kind == kSigmoid || kind == kGaussian) && value.m == 0 && two > 0;
                CHECK(cutWithin || close(value.dm, expected, 1e-6),
                      "kind %d d %d v %.9g: dm %.9g, differences say %.9g", kind, d, v, value.dm, expected);
            }
        }
    }
}

void testSpareRing() {
    for (int kind = 0; kind < kMaskKinds; ++kind) {
        for (int hundredths = 100; hundredths < 3300; ++hundredths) {
            const double v = hundredths / 100.0;
            const int radius = supportRadiusWithSpare(kind, v, 33);
            double strongest = 0;
            for (int d = 1; d <= radius; ++d) {
                const MaskValue<double> value = mask(kind, d, v);
                if (value.m < 1) strongest = std::fmax(strongest, value.dm);
            }
            // Beyond 31 the last ring that exists nears its plateau, and no further one may grow.
            const double least = kind == kGaussian ? 0.02 : 0.17;
            CHECK(v > 31 || strongest >= least, "kind %d v %g: the strongest dm/dv on the grid is %g", kind, v,
                  strongest);
            CHECK(radius == 16 || mask(kind, radius + 1, v).m == 0, "kind %d v %g: the grid leaves out support", kind,
                  v);
            CHECK(supportRadius(kind, v, 33, true) <= radius, "kind %d v %g: the grid leaves out signal", kind, v);
            CHECK(2 * radius + 1 >= kernelSize(v, 33), "kind %d v %g: the grid is smaller than the kernel", kind, v);
        }
    }
    for (int k = 1; k < 33; k += 2) {
        CHECK(supportRadius(kRamp, double(k), 33, false) == (k - 1) / 2, "k %d", k);
        CHECK(supportRadius(kRamp, double(k), 33, true) == (k + 1) / 2, "k %d", k);
        CHECK(mask(kRamp, (k + 1) / 2, double(k)).m == 0 && mask(kRamp, (k + 1) / 2, double(k)).dm == 0.5, "k %d", k);
    }
}

void testNaNIsSeen() {
    for (int kind = 0; kind < kMaskKinds; ++kind) {
        for (int d = 0; d < 4; ++d) {
            const MaskValue<double> value = mask(kind, d, double(NAN));
            CHECK(std::isnan(value.m) && std::isnan(value.dm), "kind %d d %d: %g, %g", kind, d, value.m, value.dm);
        }
    }
    CHECK(std::isnan(softTaps(double(NAN)).taps) && std::isnan(softTaps(double(NAN)).dtaps), "tap count of NaN");
    CHECK(std::isnan(rectified(NAN)) && rectified(-1.0) == 0 && rectified(2.0) == 2, "rectifier");
    CHECK(rectifiedGradient(double(NAN), 3.0) == 3 && rectifiedGradient(0.0, 3.0) == 0 &&
              std::isnan(rectifiedGradient(1.0, double(NAN))),
          "its gradient");
    const Vector h = {0.5, NAN, -1}, gain = {1, 1, 1}, shift = {0.1, 0.2, 0.3}, w = {1, -1, 2};
    Vector u(3), dh(3), dgain(3), dshift(3), dw(3);
    double dg = 0, db = 0;
    const SizeHead<double> head{3, gain.data(), shift.data(), w.data(), 1, 0, 1, 9};
    SizeHeadState<double> state;
    const double v = sizeHeadForward(head, h.data(), u.data(), state);
    sizeHeadBackward(head, h.data(), u.data(), state, 1.0, static_cast<const double*>(nullptr), dh.data(),
                     SizeHeadGradients<double>{dgain.data(), dshift.data(), dw.data(), &dg, &db});
    CHECK(std::isnan(v) && std::isnan(dg) && std::isnan(db), "a NaN state gives size %g, gradients %g and %g", v, dg,
          db);
    for (int j = 0; j < 3; ++j) {
        CHECK(
            std::isnan(u[j]) && std::isnan(dh[j]) && std::isnan(dgain[j]) && std::isnan(dshift[j]) && std::isnan(dw[j]),
            "element %d", j);
    }
}

void testSizesAndTaps() {
    for (int k = 1; k <= 33; k += 2) {
        CHECK(softTaps(double(k)).taps == k * k && softTaps(float(k)).taps == k * k, "k %d", k);
        CHECK(synthesisScale(8, softTaps(double(k)).taps) == std::sqrt(2.0 / (8 * k * k)), "k %d", k);
        CHECK(kernelSize(double(k), 33) == k && kernelSize(k + 0.999, 33) == k, "k %d", k);
        CHECK(kernelSize(k + 1.0, 33) == (k == 33 ? 33 : k + 2), "k %d", k);
    }
    CHECK(kernelSize(0.2, 33) == 1 && kernelSize(40.0, 7) == 7 && kernelSize(NAN, 7) == 1, "limits");
    for (double v = 1.0; v < 33; v += 0.137) {
        double sum = 0;
        for (int d = 0; d <= 17; ++d) sum += ringTaps(d) * mask(kRamp, d, v).m;
        CHECK(close(softTaps(v).taps, sum, 1e-12), "v %g", v);
        CHECK(close(softTaps(v).dtaps, (softTaps(v + 1e-6).taps - softTaps(v).taps) / 1e-6, 1e-6), "v %g", v);
    }
    for (int k = 1; k < 33; k += 2) CHECK(softTaps(double(k)).dtaps == 2 * (k + 1), "right derivative at %d", k);
}

/// Elements of one drawn layer; the grid may be smaller than kmax and strides larger than rows.
struct DrawnLayer {
    SynthesisLayer layer;
    Vector H, A, w, dw, v{0};
};

DrawnLayer drawLayer(int source, int kind, double v, int kmax, int cout, int cin) {
    DrawnLayer drawnLayer;
    SynthesisLayer& layer = drawnLayer.layer;
    layer.cout = cout;
    layer.cin = cin;
    layer.kmax = kmax;
    layer.kgrid = 2 * supportRadiusWithSpare(kind, v, kmax) + 1;
    layer.features = source == kElasticTable ? 0 : 5;
    layer.maskKind = kind;
    layer.source = source;
    layer.scale = 0.7f;
    layer.featureOffset = layer.featureGradientOffset = 3;
    layer.featureStride = 6;
    layer.coefficientOffset = layer.coefficientGradientOffset = 2;
    layer.coefficientStride = source == kElasticTable ? kmax * kmax * cin + 1 : cout * cin + 4;
    layer.weightOffset = 1;
    layer.weightStride = layer.kgrid * layer.kgrid * cin + 2;
    drawnLayer.H = drawn(3 + 6 * layer.kgrid * layer.kgrid);
    drawnLayer.A = drawn(2 + layer.coefficientStride * (source == kElasticTable ? cout : 5));
    drawnLayer.w = Vector(1 + layer.weightStride * cout, 0.0);
    drawnLayer.dw = drawn(drawnLayer.w.size());
    // Elements between the rows are never read: the loss below sums dw * w over the whole array.
    drawnLayer.v[0] = v;
    return drawnLayer;
}

void testSynthesis() {
    for (int source : {kCoordinateFeatures, kElasticTable}) {
        for (int kind = 0; kind < kMaskKinds; ++kind) {
            for (double v : {1.0 + 1e-3, 2.01, 2.9995, 3.0005, 4.3, 6.6}) {
                DrawnLayer d = drawLayer(source, kind, v, 9, 3, 2);
                const SynthesisLayer& layer = d.layer;
                const auto loss = [&] {
                    synthesizeWeights(layer, d.v[0], 0, 3, d.H.data(), d.A.data(), d.w.data());
                    return dot(d.w, d.dw);
                };
                Vector dA(d.A.size(), 0.0), dH(d.H.size(), 0.0), dv(1, 0.0);
                if (source == kElasticTable) {
                    dv[0] = synthesisBackwardElastic(layer, v, 0, 1, d.A.data(), d.dw.data(), dA.data());
                    dv[0] += synthesisBackwardElastic(layer, v, 1, 3, d.A.data(), d.dw.data(), dA.data());
                } else {
                    const int taps = layer.kgrid * layer.kgrid;
                    Vector G(taps * layer.features, 0.0);
                    synthesisBackwardFeatures(layer, v, 0, 2, d.H.data(), d.A.data(), d.dw.data(), dA.data(), G.data());
                    synthesisBackwardFeatures(layer, v, 2, 3, d.H.data(), d.A.data(), d.dw.data(), dA.data(), G.data());
                    for (int p = 0; p < taps; ++p) {
                        dv[0] += finishFeatureGradients(layer, v, p, d.H.data(), &G[p * layer.features], dH.data());
                    }
                }
                checkGradient("A", loss, d.A, dA);
                checkGradient("H", loss, d.H, dH);
                checkGradient("v", loss, d.v, dv);
            }
        }
    }
}

/// At an odd v the ring outside the kernel must carry dv of either sign, whichever way the class gradient points.
void testGrowthSignal() {
    for (double sign : {-1.0, 1.0}) {
        DrawnLayer d = drawLayer(kCoordinateFeatures, kRamp, 5.0, 9, 2, 2);
        const SynthesisLayer& layer = d.layer;
        synthesizeWeights(layer, 7.0, 0, 2, d.H.data(), d.A.data(), d.dw.data());
        for (double& value : d.dw) value *= sign;
        const int taps = layer.kgrid * layer.kgrid;
        Vector G(taps * layer.features, 0.0), dA(d.A.size(), 0.0), dH(d.H.size(), 0.0);
        synthesisBackwardFeatures(layer, 5.0, 0, 2, d.H.data(), d.A.data(), d.dw.data(), dA.data(), G.data());
        double dv = 0;
        for (int p = 0; p < taps; ++p) {
            dv += finishFeatureGradients(layer, 5.0, p, d.H.data(), &G[p * layer.features], dH.data());
        }
        CHECK(sign * dv > 1e-3, "dv %g", dv);
    }
}

void testCoordinateNetwork() {
    const int hidden = 6, features = 4;
    Vector W1 = drawn(2 * hidden), b1 = drawn(hidden), W2 = drawn(features * hidden, 0.5), b2 = drawn(features);
    Vector gamma = drawn(hidden, 0.3), beta = drawn(hidden, 0.3), dH = drawn(2 * features), z(hidden), dz(hidden);
    Vector H(features);
    const double at[2][2] = {{tapCoordinate<double>(0, 5, 9), tapCoordinate<double>(3, 5, 9)}, {0.0, 0.6}};
    const auto net = [&] {
        return CoordinateNetwork<double>{hidden,    features,  7.0,          W1.data(),  b1.data(),
                                         W2.data(), b2.data(), gamma.data(), beta.data()};
    };
    const auto loss = [&] {
        double sum = 0;
        for (int tap = 0; tap < 2; ++tap) {
            coordinateForward(net(), at[tap][0], at[tap][1], z.data(), H.data());
            for (int f = 0; f < features; ++f) sum += H[f] * dH[tap * features + f];
        }
        return sum;
    };
    Vector dW1(W1.size(), 0), db1(b1.size(), 0), dW2(W2.size(), 0), db2(b2.size(), 0), dGamma(hidden, 0),
        dBeta(hidden, 0);
    const CoordinateGradients<double> gradients{dW1.data(), db1.data(),    dW2.data(),
                                                db2.data(), dGamma.data(), dBeta.data()};
    for (int tap = 0; tap < 2; ++tap) {
        coordinateBackward(net(), at[tap][0], at[tap][1], &dH[tap * features], z.data(), dz.data(), gradients);
    }
    checkGradient("W1", loss, W1, dW1);
    checkGradient("b1", loss, b1, db1);
    checkGradient("W2", loss, W2, dW2);
    checkGradient("b2", loss, b2, db2);
    checkGradient("gamma", loss, gamma, dGamma);
    checkGradient("beta", loss, beta, dBeta);
    for (int k = 1; k <= 9; k += 2) {
        CHECK(tapCoordinate<double>(k / 2 + 1, k + 2, 9) == tapCoordinate<double>(k / 2, k, 9),
              "the centre moved at %d", k);
    }
}

void testGru() {
    const int inputs = 3, hidden = 4;
    Vector W = drawn(3 * hidden * inputs), U = drawn(3 * hidden * hidden), b = drawn(3 * hidden), c = drawn(3 * hidden);
    Vector x = drawn(inputs), previous = drawn(hidden), dh = drawn(hidden), next(hidden);
    std::vector<GruGates<double>> gates(hidden);
    const auto parameters = [&] {
        return GruParameters<double>{inputs, hidden, W.data(), U.data(), b.data(), c.data()};
    };
    const auto loss = [&] {
        gruCellForward(parameters(), x.data(), previous.data(), next.data(), gates.data());
        return dot(next, dh);
    };
    loss();
    Vector dW(W.size(), 0), dU(U.size(), 0), db(b.size(), 0), dc(c.size(), 0), dx(inputs), dPrevious(hidden);
    gruCellBackward(parameters(), x.data(), previous.data(), gates.data(), dh.data(), dPrevious.data(), dx.data(),
                    GruGradients<double>{dW.data(), dU.data(), db.data(), dc.data()});
    checkGradient("W", loss, W, dW);
    checkGradient("U", loss, U, dU);
    checkGradient("b", loss, b, db);
    checkGradient("c", loss, c, dc);
    checkGradient("x", loss, x, dx);
    checkGradient("h", loss, previous, dPrevious);
}

void testSizeHead() {
    const int width = 7;
    Vector gain = drawn(width), shift = drawn(width), w = drawn(width), h = drawn(width), u(width), du = drawn(width);
    Vector g = {1.3}, b = {biasForInitialSize(5.0, 1.0, 15.0)};
    const double dv = 0.8;
    SizeHeadState<double> state;
    const auto head = [&] {
        return SizeHead<double>{width, gain.data(), shift.data(), w.data(), g[0], b[0], 1.0, 15.0};
    };
    const auto loss = [&] {
        const double v = sizeHeadForward(head(), h.data(), u.data(), state);
        return dv * v + dot(u, du);
    };
    loss();
    Vector dGain(width, 0), dShift(width, 0), dW(width, 0), dg(1, 0), db(1, 0), dh(width);
    const SizeHeadGradients<double> gradients{dGain.data(), dShift.data(), dW.data(), dg.data(), db.data()};
    sizeHeadBackward(head(), h.data(), u.data(), state, dv, du.data(), dh.data(), gradients);
    checkGradient("gain", loss, gain, dGain);
    checkGradient("shift", loss, shift, dShift);
    checkGradient("w", loss, w, dW);
    checkGradient("g", loss, g, dg);
    checkGradient("b", loss, b, db);
    checkGradient("h", loss, h, dh);
    for (double initial : {1.5, 3.0, 7.0, 14.9}) {
        const double o = 0.37;
        const double v = 1 + 14 * logistic(o + biasForInitialSize(initial, 1.0, 15.0, o));
        CHECK(close(v, initial, 1e-12), "starts at %g instead of %g", v, initial);
    }
}

void testOptimizers() {
    // Two AdamW steps worked out by hand (beta1 0.9, beta2 0.99, gradient 2 then -1): the first moves by the full rate.
    double p = 1, m = 0, s = 0;
    AdamWStep<double> step{0.1, 0.9, 0.99, 0.0, 0.5, biasCorrection(0.9, 1), biasCorrection(0.99, 1)};
    adamWUpdate(step, 2.0, p, m, s);
    CHECK(close(p, 1 - 0.05 - 0.1, 1e-14) && close(m, 0.2, 1e-14) && close(s, 0.04, 1e-14), "p %g m %g s %g", p, m, s);
    step.correction1 = biasCorrection(0.9, 2);
    step.correction2 = biasCorrection(0.99, 2);
    adamWUpdate(step, -1.0, p, m, s);
    CHECK(close(m, 0.08, 1e-14) && close(s, 0.0496, 1e-14), "m %g s %g", m, s);
    CHECK(close(p, 0.85 - 0.0425 - 0.1 * (0.08 / 0.19) / std::sqrt(0.0496 / 0.0199), 1e-14), "p %g", p);

    double q = 2, velocity = 1;
    sgdUpdate(SgdStep<double>{0.1, 0.9, 0.5, false}, 3.0, q, velocity);
    CHECK(close(velocity, 4.9, 1e-14) && close(q, 1.51, 1e-14), "q %g", q);
    q = 2, velocity = 1;
    sgdUpdate(SgdStep<double>{0.1, 0.9, 0.5, true}, 3.0, q, velocity);
    CHECK(close(q, 2 - 0.1 * (4 + 0.9 * 4.9), 1e-14), "q %g", q);
    CHECK(clipFactor(10.0, 2.0) == 0.2 && clipFactor(1.0, 2.0) == 1 && clipFactor(9.0, 0.0) == 1, "clip");
    CHECK(std::isnan(clipFactor(double(NAN), 2.0)), "a NaN norm must not pass unseen");
}

void testRandom() {
    // Known answers published with the reference implementation (Random123, kat_vectors, philox4x32 10).
    const RandomBlock zero = philox4x32({{0, 0, 0, 0}}, 0, 0);
    CHECK(zero.word[0] == 0x6627e8d5 && zero.word[1] == 0xe169c58d && zero.word[2] == 0xbc57ac4c &&
              zero.word[3] == 0x9b00dbd8,
          "zero");
    const std::uint32_t f = 0xffffffff;
    const RandomBlock ones = philox4x32({{f, f, f, f}}, f, f);
    CHECK(ones.word[0] == 0x408f276d && ones.word[1] == 0x41c83b0e && ones.word[2] == 0xa20bc7c6 &&
              ones.word[3] == 0x6d5451fd,
          "ones");
    const RandomBlock pi = philox4x32({{0x243f6a88, 0x85a308d3, 0x13198a2e, 0x03707344}}, 0xa4093822, 0x299f31d0);
    CHECK(pi.word[0] == 0xd16cfe09 && pi.word[1] == 0x94fdcceb && pi.word[2] == 0x5001e420 && pi.word[3] == 0x24126ea1,
          "pi");
    double mean = 0;
    for (int i = 0; i < 100000; ++i) {
        const float u = randomUniform(7, 3, i);
        CHECK(u >= 0 && u < 1, "u %g", u);
        mean += u / 100000;
    }
    CHECK(std::fabs(mean - 0.5) < 0.005, "mean %g", mean);
    CHECK(uniformFromWord(f) < 1.0f && randomBelow(f, 5) == 4 && randomBelow(0, 5) == 0, "limits");
    CHECK(randomWord(7, 3, 5) != randomWord(7, 4, 5) && randomWord(7, 3, 5) != randomWord(8, 3, 5), "streams");
}

void testBf16() {
    CHECK(bf16FromFloat(1.0f) == 0x3f80 && bf16FromFloat(-2.0f) == 0xc000, "exact values");
    CHECK(bf16FromFloat(1.00390625f) == 0x3f80 && bf16FromFloat(1.01171875f) == 0x3f82, "ties go to even");
    CHECK(bf16FromFloat(3.4e38f) == 0x7f80 && std::isinf(floatFromBf16(0x7f80)), "overflow to infinity");
    CHECK(std::isnan(floatFromBf16(bf16FromFloat(NAN))), "NaN stays NaN");
    for (std::uint32_t bits = 0; bits < 0x7f80; ++bits) {
        CHECK(bf16FromFloat(floatFromBf16(std::uint16_t(bits))) == bits, "round trip of %x", bits);
    }
}

}  // namespace

int main() {
    testMaskDerivatives();
    testSpareRing();
    testNaNIsSeen();
    testSizesAndTaps();
    testSynthesis();
    testGrowthSignal();
    testCoordinateNetwork();
    testGru();
    testSizeHead();
    testOptimizers();
    testRandom();
    testBf16();
    std::printf(failures == 0 ? "arithmetic: all checks hold\n" : "arithmetic: %d checks failed\n", failures);
    return failures == 0 ? 0 : 1;
}
