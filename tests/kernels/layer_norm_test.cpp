// Layer normalisation and its gradients against fp64, over chosen and drawn shapes, three thread orders, fp32 and bf16.
#include "effconv/kernels/layer_norm.h"

#include "predictor_check.h"

using namespace effconv;
using namespace effconv::test;

namespace {

struct Request {
    int rows = 1, width = 1;
    bool bf16 = false, inPlace = false;
    float epsilon = 1e-5f, offset = 0;
};

/// Values in fp64 from the rounded inputs, and sizes of the terms that make them up.
struct Expected {
    Doubles mean, invStd, y, dx, dscale, dshift;
    Doubles sizeOfMean, sizeOfInvStd, sizeOfY, sizeOfDx, sizeOfDscale, sizeOfDshift;

    Expected(const Request& r, const Floats& x, const Floats& dy, const Floats& scale, const Floats& shift)
        : dscale(r.width, 0.0), dshift(r.width, 0.0), sizeOfDscale(r.width, 0.0), sizeOfDshift(r.width, 0.0) {
        for (int row = 0; row < r.rows; ++row) {
            const float* in = &x[std::size_t(row) * r.width];
            const float* out = &dy[std::size_t(row) * r.width];
            double average = 0, variance = 0, plain = 0, weighted = 0, largest = 0, terms = 0;
            for (int i = 0; i < r.width; ++i) average += double(in[i]) / r.width;
            for (int i = 0; i < r.width; ++i) {
                variance += (in[i] - average) * (in[i] - average) / r.width;
                largest = std::max(largest, std::fabs(double(in[i])));
            }
            const double inverse = 1 / std::sqrt(variance + r.epsilon);
            // An error of the mean, relative to the largest x, is magnified by 1 / deviation.
            const double slack = 1 + largest * inverse;
            mean.push_back(average), sizeOfMean.push_back(largest);
            invStd.push_back(inverse), sizeOfInvStd.push_back(inverse * slack);
            for (int i = 0; i < r.width; ++i) {
                const double hat = (in[i] - average) * inverse, g = double(out[i]) * scale[i];
                plain += g / r.width, weighted += g * hat / r.width;
                terms += std::fabs(g) * (1 + std::fabs(hat)) / r.width;
            }
            for (int i = 0; i < r.width; ++i) {
                const double hat = (in[i] - average) * inverse, g = double(out[i]) * scale[i];
                y.push_back(hat * scale[i] + shift[i]);
                sizeOfY.push_back((1 + std::fabs(hat)) * std::fabs(scale[i]) * slack + std::fabs(shift[i]));
                dx.push_back(inverse * (g - plain - hat * weighted));
                sizeOfDx.push_back(inverse * (std::fabs(g) + (1 + std::fabs(hat)) * terms) * slack);
                dscale[i] += out[i] * hat, sizeOfDscale[i] += std::fabs(out[i]) * (1 + std::fabs(hat)) * slack;
                dshift[i] += out[i], sizeOfDshift[i] += std::fabs(out[i]);
            }
        }
    }
};

void checkNorm(const Request& r, Random& random, const DeviceLimits& limits = deviceLimits()) {
    const std::size_t count = std::size_t(r.rows) * r.width;
    Floats x = randomValues(count, random, false), dy = randomValues(count, random, r.bf16);
    for (float& value : x) {
        value += r.offset;
        if (r.bf16) value = floatFromBf16(bf16FromFloat(value));
    }
    const Floats scale = drawAround(r.width, 1, 0.5f, random), shift = drawAround(r.width, 0, 1, random);
    const Expected want(r, x, dy, scale, shift);
    const std::string what = text("%s, %d rows of %d, offset %g%s: ", r.bf16 ? "bf16" : "fp32", r.rows, r.width,
                                  r.offset, r.inPlace ? ", in place" : "");
    DeviceBuffer<float> deviceScale(scale), deviceShift(shift), mean(r.rows), invStd(r.rows), dscale(r.width),
        dshift(r.width);
    Floats first[6];
    forEachThreadOrder([&](int order) {
        // New buffers for each order: in place, a pass overwrites its input.
        TypedBuffer in(x, r.bf16), forwardIn(x, r.bf16), gradientIn(dy, r.bf16), y(count, r.bf16), dx(count, r.bf16);
        LayerNormParams p;
        p.x = r.inPlace ? forwardIn.data() : in.data();
        p.y = r.inPlace ? forwardIn.data() : y.data();
        p.scale = deviceScale.data(), p.shift = deviceShift.data();
        p.mean = mean.data(), p.invStd = invStd.data();
        p.rows = r.rows, p.width = r.width, p.bf16 = r.bf16, p.epsilon = r.epsilon;
        mean.poison(), invStd.poison();
        launchAll(planLayerNorm(p, LayerNormPass::kForward, limits), p);
        p.x = in.data();
        p.dy = gradientIn.data();
        p.dx = r.inPlace ? gradientIn.data() : dx.data();
        p.dscale = dscale.data(), p.dshift = dshift.data();
        const LaunchSequence sequence = planLayerNorm(p, LayerNormPass::kGradient, limits);
        DeviceBuffer<float> workspace(static_cast<std::size_t>(sequence.workspaceBytes / 4));
        p.workspace = workspace.data();
        dscale.poison(), dshift.poison();
        launchAll(sequence, p);
        const Floats got[6] = {mean.download(),
                               invStd.download(),
                               (r.inPlace ? forwardIn : y).download(),
                               (r.inPlace ? gradientIn : dx).download(),
                               dscale.download(),
                               dshift.download()};
        for (int i = 0; i < 6; ++i) {
            if (order == 0) first[i] = got[i];
            checkSameBits(what + std::to_string(i), first[i], got[i]);
        }
    });
    const Tolerance activations = r.bf16 ? kBf16Tolerance : kFp32Tolerance;
    checkClose(what + "mean", first[0], want.mean, want.sizeOfMean, kFp32Tolerance);
    checkClose(what + "invStd", first[1], want.invStd, want.sizeOfInvStd, kFp32Tolerance);
    checkClose(what + "y", first[2], want.y, want.sizeOfY, activations);
    checkClose(what + "dx", first[3], want.dx, want.sizeOfDx, activations);
    checkClose(what + "dscale", first[4], want.dscale, want.sizeOfDscale, kFp32Tolerance);
    checkClose(what + "dshift", first[5], want.dshift, want.sizeOfDshift, kFp32Tolerance);
}

}  // namespace

EC_TEST(layer_norm_chosen_shapes) {
    Random random(91);
    for (const bool bf16 : {false, true}) {
        for (const int width : {1, 2, 7, 8, 32, 33, 256, 1024, 1025, 2056}) {
            Request r;
            r.bf16 = bf16;
            r.width = width;
            checkNorm(r, random);
            r.rows = 9;
            r.inPlace = true;
            checkNorm(r, random);
        }
    }
}

EC_TEST(layer_norm_drawn_shapes) {
    Random random(92);
    DeviceLimits small = deviceLimits();
    small.multiprocessors = 1;
    for (int draw = 0; draw < 70; ++draw) {
        Request r;
        r.bf16 = draw % 2 == 1;
        r.rows = random.pick({random.integer(1, 12), random.integer(1, 150)});
        r.width = random.pick({random.integer(1, 40), random.integer(1, 300)});
        r.inPlace = random.integer(0, 1) == 1;
        r.epsilon = random.pick({1e-5f, 1e-3f});
        r.offset = random.pick({0.0f, 3.0f, -20.0f});
        checkNorm(r, random, draw % 3 == 0 ? small : deviceLimits());
    }
}

EC_TEST(layer_norm_bad_requests_are_refused) {
    DeviceBuffer<float> buffer(64);
    const auto refuse = [&](LayerNormPass pass, Status status, const char* message, auto change) {
        LayerNormParams p;
        p.x = p.dy = buffer.data();
        p.y = p.dx = buffer.data();
        p.scale = p.shift = p.mean = p.invStd = p.dscale = p.dshift = buffer.data();
        p.rows = 2;
        p.width = 4;
        DeviceLimits limits = deviceLimits();
        change(p, limits);
        const LaunchSequence sequence = planLayerNorm(p, pass, limits);
        checkRefused(sequence.result, status, message);
        EC_CHECK(sequence.count == 0);
    };
    using P = LayerNormParams;
    using L = DeviceLimits;
    for (const LayerNormPass pass : {LayerNormPass::kForward, LayerNormPass::kGradient}) {
        refuse(pass, Status::kNullPointer, "x is null", [](P& p, L&) { p.x = nullptr; });
        refuse(pass, Status::kNullPointer, "mean is null", [](P& p, L&) { p.mean = nullptr; });
        refuse(pass, Status::kMisaligned, "scale must be aligned", [](P& p, L&) { p.scale += 1; });
        refuse(pass, Status::kInvalidShape, "rows is 0", [](P& p, L&) { p.rows = 0; });
        refuse(pass, Status::kInvalidShape, "width is -1", [](P& p, L&) { p.width = -1; });
        refuse(pass, Status::kInvalidShape, "epsilon is nan", [](P& p, L&) { p.epsilon = NAN; });
        refuse(pass, Status::kResourceLimit, "blocks", [](P&, L& l) { l.gridX = 0; });
        refuse(pass, Status::kResourceLimit, "shared memory", [](P&, L& l) { l.sharedBytesPerBlock = 64; });
    }
    refuse(LayerNormPass::kForward, Status::kNullPointer, "y is null", [](P& p, L&) { p.y = nullptr; });
    refuse(LayerNormPass::kGradient, Status::kNullPointer, "dshift is null", [](P& p, L&) { p.dshift = nullptr; });
}
