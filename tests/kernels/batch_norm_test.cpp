// Batch normalisation against fp64, over chosen and drawn shapes, three thread orders, fp32 and bf16.
#include "effconv/kernels/batch_norm.h"

#include <cmath>

#include "conv_reference.h"
#include "device.h"

using namespace effconv;
using namespace effconv::test;

namespace {

using Floats = std::vector<float>;
using Doubles = std::vector<double>;

struct Request {
    int pixels = 1, channels = 1, gap = 0;
    bool bf16 = false, relu = false, residual = false, sums = false, inPlace = false;
    float offset = 0;  ///< added to x: a mean far from zero
    float epsilon = 1e-5f, momentum = 0.1f;
};

/// Inputs of a request, rounded to its type, and the fp64 statistics of x.
struct Problem {
    Request r;
    Floats x, residual, y, dy, scale, shift, runningMean, runningVariance;
    Doubles mean, variance, magnitudeOfX;

    Problem(const Request& request, Random& random) : r(request) {
        const std::size_t count = std::size_t(r.pixels) * r.channels;
        x = randomValues(count, random, false);
        for (float& value : x) {
            value += r.offset;
            if (r.bf16) value = floatFromBf16(bf16FromFloat(value));
        }
        residual = randomValues(count, random, r.bf16);
        y = randomValues(count, random, r.bf16);
        dy = randomValues(count, random, r.bf16);
        scale = randomValues(r.channels, random, false);
        shift = randomValues(r.channels, random, false);
        runningMean = randomValues(r.channels, random, false);
        runningVariance = randomValues(r.channels, random, false);
        for (float& value : runningVariance) value = value * value + 0.1f;
        mean.assign(r.channels, 0.0);
        variance.assign(r.channels, 0.0);
        magnitudeOfX.assign(r.channels, 0.0);
        for (std::size_t i = 0; i < count; ++i) {
            mean[i % r.channels] += double(x[i]) / r.pixels;
            magnitudeOfX[i % r.channels] += std::fabs(x[i]) / r.pixels;
        }
        for (std::size_t i = 0; i < count; ++i) {
            variance[i % r.channels] += (x[i] - mean[i % r.channels]) * (x[i] - mean[i % r.channels]) / r.pixels;
        }
    }

    Placement placement() const {
        const std::int64_t stride = r.channels + r.gap;
        return {1, 1, r.pixels, r.channels, stride * r.pixels, stride * r.pixels, stride};
    }
    std::string describe(const char* what) const {
        return text("%s of %s, %d pixels, C%d, gap %d, relu %d, residual %d, sums %d, offset %g", what,
                    r.bf16 ? "bf16" : "fp32", r.pixels, r.channels, r.gap, r.relu, r.residual, r.sums, r.offset);
    }
    Tolerance tolerance() const { return r.bf16 ? kBf16Tolerance : kFp32Tolerance; }
};

BatchNormParams paramsOf(const Problem& problem) {
    BatchNormParams p;
    p.pixels = problem.r.pixels;
    p.channels = problem.r.channels;
    p.pixelStride = problem.r.channels + problem.r.gap;
    p.bf16 = problem.r.bf16;
    p.relu = problem.r.relu;
    p.epsilon = problem.r.epsilon;
    p.momentum = problem.r.momentum;
    return p;
}

/// y of given statistics, in fp64, with the magnitude of its terms.
void referenceOutput(const Problem& problem, const Doubles& mean, const Doubles& invStd, Doubles& want,
                     Doubles& magnitude) {
    const Request& r = problem.r;
    for (std::size_t i = 0; i < problem.x.size(); ++i) {
        const std::size_t c = i % r.channels;
        double value = problem.scale[c] * (problem.x[i] - mean[c]) * invStd[c] + problem.shift[c];
        double size = std::fabs(problem.scale[c]) * (std::fabs(problem.x[i]) + std::fabs(mean[c])) * invStd[c] +
                      std::fabs(problem.shift[c]);
        if (r.residual) {
            value += problem.residual[i];
            size += std::fabs(problem.residual[i]);
        }
        want.push_back(r.relu && value < 0 ? 0.0 : value);
        magnitude.push_back(size);
    }
}

void checkTraining(const Problem& problem, bool inference, const DeviceLimits& limits = deviceLimits()) {
    const Request& r = problem.r;
    const Placement place = problem.placement();
    TypedBuffer x(place.spread(problem.x), r.bf16), residual(place.spread(problem.residual), r.bf16);
    TypedBuffer y(place.extent(), r.bf16);
    DeviceBuffer<float> scale(problem.scale), shift(problem.shift), mean(r.channels), invStd(r.channels);
    DeviceBuffer<float> runningMean(problem.runningMean), runningVariance(problem.runningVariance);
    Floats sums(2 * r.channels);
    for (int c = 0; c < r.channels; ++c) {
        sums[c] = static_cast<float>(problem.mean[c] * r.pixels);
        sums[r.channels + c] = static_cast<float>((problem.variance[c] + problem.mean[c] * problem.mean[c]) * r.pixels);
    }
    DeviceBuffer<float> channelSums(sums);
    BatchNormParams p = paramsOf(problem);
    p.x = x.data();
    p.y = y.data();
    if (r.residual) p.residual = residual.data();
    p.scale = scale.data();
    p.shift = shift.data();
    p.mean = mean.data();
    p.invStd = invStd.data();
    p.runningMean = runningMean.data();
    p.runningVariance = runningVariance.data();
    if (r.sums && !inference) p.channelSums = channelSums.data();
    const LaunchSequence sequence =
        planBatchNorm(p, inference ? BatchNormPass::kInference : BatchNormPass::kTraining, limits);
    DeviceBuffer<float> workspace(static_cast<std::size_t>(sequence.workspaceBytes / 4));
    p.workspace = workspace.data();

    Floats first, firstStatistics;
    forEachThreadOrder([&](int order) {
        y.poison();
        workspace.poison();
        mean.poison();
        invStd.poison();
        copyToDevice(runningMean.data(), problem.runningMean.data(), 4 * problem.runningMean.size());
        copyToDevice(runningVariance.data(), problem.runningVariance.data(), 4 * problem.runningVariance.size());
        launchAll(sequence, p);
        const Floats got = place.gather(y.download());
        Floats statistics;
        for (const auto* buffer : {&mean, &invStd, &runningMean, &runningVariance}) {
            const Floats values = buffer->download();
            statistics.insert(statistics.end(), values.begin(), values.end());
        }
        if (order == 0) {
            first = got;
            firstStatistics = statistics;
        }
        checkSameBits(problem.describe("y"), first, got);
        checkSameBits(problem.describe("statistics"), firstStatistics, statistics);
    });

    const auto part = [&](int number) {
        return Floats(firstStatistics.begin() + number * r.channels,
                      firstStatistics.begin() + (number + 1) * r.channels);
    };
    Doubles usedMean(r.channels), usedInvStd(r.channels);
    if (inference) {
        checkSameBits("running mean of inference", part(2), problem.runningMean);
        for (int c = 0; c < r.channels; ++c) {
            usedMean[c] = problem.runningMean[c];
            usedInvStd[c] = 1 / std::sqrt(double(problem.runningVariance[c]) + r.epsilon);
        }
    } else {
        Doubles wantRunningMean(r.channels), wantRunningVariance(r.channels), ones(r.channels, 1.0);
        for (int c = 0; c < r.channels; ++c) {
            usedMean[c] = problem.mean[c];
            usedInvStd[c] = 1 / std::sqrt(problem.variance[c] + r.epsilon);
            const double unbiased =
                r.pixels > 1 ? problem.variance[c] * r.pixels / (r.pixels - 1) : problem.variance[c];
            wantRunningMean[c] = (1.0 - r.momentum) * problem.runningMean[c] + r.momentum * problem.mean[c];
            wantRunningVariance[c] = (1.0 - r.momentum) * problem.runningVariance[c] + r.momentum * unbiased;
        }
        Doubles meanMagnitude = problem.magnitudeOfX;
        for (double& value : meanMagnitude) value += 1;
        // A deviation has the rounding of its terms; relative to the deviation that is |x| invStd.
        Doubles invStdMagnitude(r.channels), varianceMagnitude(r.channels);
        for (int c = 0; c < r.channels; ++c) {
            const double relative =
                r.sums ? problem.magnitudeOfX[c] * problem.magnitudeOfX[c] * usedInvStd[c] * usedInvStd[c] : 0;
            invStdMagnitude[c] = usedInvStd[c] * (1 + relative);
            varianceMagnitude[c] = (wantRunningVariance[c] + r.momentum * problem.variance[c]) * (1 + relative);
        }
        checkClose(problem.describe("mean"), part(0), usedMean, meanMagnitude, kFp32Tolerance);
        checkClose(problem.describe("invStd"), part(1), usedInvStd, invStdMagnitude, kFp32Tolerance);
        checkClose(problem.describe("running mean"), part(2), wantRunningMean, meanMagnitude, kFp32Tolerance);
        checkClose(problem.describe("running variance"), part(3), wantRunningVariance, varianceMagnitude,
                   kFp32Tolerance);
        if (r.sums) {  // y follows the statistics that were just checked
            for (int c = 0; c < r.channels; ++c) {
                usedMean[c] = part(0)[c];
                usedInvStd[c] = part(1)[c];
            }
        }
    }
    Doubles want, magnitude;
    referenceOutput(problem, usedMean, usedInvStd, want, magnitude);
    checkClose(problem.describe("y"), first, want, magnitude, problem.tolerance());
}

void checkGradient(const Problem& problem) {
    const Request& r = problem.r;
    const Placement place = problem.placement();
    Floats meanValues(r.channels), invStdValues(r.channels);
    for (int c = 0; c < r.channels; ++c) {
        meanValues[c] = static_cast<float>(problem.mean[c]);
        invStdValues[c] = static_cast<float>(1 / std::sqrt(problem.variance[c] + r.epsilon));
    }
    TypedBuffer x(place.spread(problem.x), r.bf16), y(place.spread(problem.y), r.bf16);
    TypedBuffer dx(place.extent(), r.bf16), dresidual(place.extent(), r.bf16);
    DeviceBuffer<float> scale(problem.scale), mean(meanValues), invStd(invStdValues);
    DeviceBuffer<float> dscale(r.channels), dshift(r.channels);
    BatchNormParams p = paramsOf(problem);
    p.x = x.data();
    p.y = r.relu ? y.data() : nullptr;
    p.scale = scale.data();
    p.mean = mean.data();
    p.invStd = invStd.data();
    p.dscale = dscale.data();
    p.dshift = dshift.data();
    if (r.residual) p.dresidual = dresidual.data();

    Floats firstDx, firstDresidual, firstDscale, firstDshift;
    forEachThreadOrder([&](int order) {
        dx.poison();
        dresidual.poison();
        dscale.poison();
        dshift.poison();
        TypedBuffer dy(place.spread(problem.dy), r.bf16);
        p.dy = dy.data();
        p.dx = r.inPlace ? dy.data() : dx.data();
        const LaunchSequence sequence = planBatchNorm(p, BatchNormPass::kGradient, deviceLimits());
        DeviceBuffer<float> workspace(static_cast<std::size_t>(sequence.workspaceBytes / 4));
        p.workspace = workspace.data();
        launchAll(sequence, p);
        const Floats got = place.gather(r.inPlace ? dy.download() : dx.download());
        const Floats gotDresidual = place.gather(dresidual.download());
        if (order == 0) {
            firstDx = got;
            firstDresidual = gotDresidual;
            firstDscale = dscale.download();
            firstDshift = dshift.download();
        }
        checkSameBits(problem.describe("dx"), firstDx, got);
        checkSameBits(problem.describe("dresidual"), firstDresidual, gotDresidual);
        checkSameBits(problem.describe("dscale"), firstDscale, dscale.download());
        checkSameBits(problem.describe("dshift"), firstDshift, dshift.download());
    });

    Doubles gradient(problem.x.size()), normalised(gradient), sizes(gradient);
    Doubles shiftSum(r.channels), scaleSum(r.channels), shiftSize(r.channels), scaleSize(r.channels);
    for (std::size_t i = 0; i < gradient.size(); ++i) {
        const std::size_t c = i % r.channels;
        gradient[i] = !r.relu || problem.y[i] > 0 ? problem.dy[i] : 0.0f;
        normalised[i] = (double(problem.x[i]) - meanValues[c]) * invStdValues[c];
        shiftSum[c] += gradient[i];
        shiftSize[c] += std::fabs(gradient[i]);
        scaleSum[c] += gradient[i] * normalised[i];
        scaleSize[c] += std::fabs(gradient[i] * normalised[i]);
    }
    Doubles want(gradient.size()), magnitude(gradient.size());
    for (std::size_t i = 0; i < gradient.size(); ++i) {
        const std::size_t c = i % r.channels;
        const double factor = double(problem.scale[c]) * invStdValues[c];
        want[i] = factor * (gradient[i] - (shiftSum[c] + normalised[i] * scaleSum[c]) / r.pixels);
        magnitude[i] = std::fabs(factor) *
                       (std::fabs(gradient[i]) + (shiftSize[c] + std::fabs(normalised[i]) * scaleSize[c]) / r.pixels);
    }
    checkClose(problem.describe("dshift"), firstDshift, shiftSum, shiftSize, kFp32Tolerance);
    checkClose(problem.describe("dscale"), firstDscale, scaleSum, scaleSize, kFp32Tolerance);
    checkClose(problem.describe("dx"), firstDx, want, magnitude, problem.tolerance());
    if (r.residual) {
        checkClose(problem.describe("dresidual"), firstDresidual, gradient, Doubles(gradient.size(), 0.0),
                   kFp32Tolerance);
    }
}

void checkAll(const Request& request, Random& random) {
    const Problem problem(request, random);
    checkTraining(problem, false);
    checkTraining(problem, true);
    checkGradient(problem);
}

}  // namespace

EC_TEST(batch_norm_chosen_shapes) {
    Random random(21);
    for (const bool bf16 : {false, true}) {
        for (const int channels : {1, 3, 17, 8, 64, 300}) {
            Request r;
            r.bf16 = bf16;
            r.channels = channels;
            r.relu = r.residual = channels % 2 == 1;
            for (const int pixels : {1, 2, 77}) {
                r.pixels = pixels;
                checkAll(r, random);
            }
        }
    }
}

EC_TEST(batch_norm_drawn_shapes) {
    Random random(22);
    for (int draw = 0; draw < 60; ++draw) {
        Request r;
        r.bf16 = draw % 2 == 1;
        r.channels = random.pick({1, 2, 3, 4, 8, 12, 16, 17, 24, 32, 33, 64});
        r.pixels = random.integer(1, 6000 / (r.channels + 10));
        r.gap = random.pick({0, 0, 1, 8});
        r.relu = random.integer(0, 1) == 1;
        r.residual = random.integer(0, 1) == 1;
        r.sums = random.integer(0, 3) == 0;
        r.inPlace = random.integer(0, 1) == 1;
        r.offset = random.pick({0.0f, 0.0f, 1.5f});
        r.epsilon = random.pick({1e-5f, 1e-3f});
        r.momentum = random.pick({0.0f, 0.1f, 1.0f});
        checkAll(r, random);
    }
}

EC_TEST(batch_norm_many_splits) {
    Random random(23);
    Request r;
    r.pixels = 20000;
    r.channels = 3;
    checkAll(r, random);
    r.pixels = 2500;
    r.channels = 64;
    r.bf16 = r.relu = true;
    checkAll(r, random);
}

EC_TEST(batch_norm_mean_far_from_zero_costs_no_digits) {
    Random random(24);
    Request r;
    r.pixels = 20000;
    r.channels = 4;
    r.offset = 1000.0f;  // E x^2 - (E x)^2 in fp32 would lose every digit of the variance
    DeviceLimits oneMultiprocessor = deviceLimits();
    oneMultiprocessor.multiprocessors = 1;  // few splits, so that a thread sums many pixels
    checkTraining(Problem(r, random), false, oneMultiprocessor);
}

EC_TEST(batch_norm_nan_is_seen) {
    Random random(25);
    Request r;
    r.pixels = 9;
    r.channels = 4;
    const Problem problem(r, random);
    Floats x = problem.x;
    x[5] = NAN;
    DeviceBuffer<float> input(x), y(x.size()), scale(problem.scale), shift(problem.shift), mean(4), invStd(4),
        workspace(64);
    BatchNormParams p = paramsOf(problem);
    p.relu = 1;
    p.x = input.data();
    p.y = y.data();
    p.scale = scale.data();
    p.shift = shift.data();
    p.mean = mean.data();
    p.invStd = invStd.data();
    p.workspace = workspace.data();
    launchAll(planBatchNorm(p, BatchNormPass::kTraining, deviceLimits()), p);
    EC_CHECK(std::isnan(y.download()[1]) && std::isnan(mean.download()[1]));
    EC_CHECK(!std::isnan(y.download()[0]) && !std::isnan(mean.download()[2]));
}

EC_TEST(batch_norm_refuses_bad_requests) {
    DeviceBuffer<float> memory(4096);
    BatchNormParams good;
    good.x = good.dy = memory.data();
    good.y = good.dx = memory.data();
    good.scale = good.shift = memory.data();
    good.mean = good.invStd = good.runningMean = good.runningVariance = good.dscale = good.dshift = memory.data();
    good.pixels = 10;
    good.channels = good.pixelStride = 4;
    const auto refuse = [&](BatchNormPass pass, Status status, const char* message, auto change) {
        BatchNormParams p = good;
        DeviceLimits limits = deviceLimits();
        change(p, limits);
        const LaunchSequence sequence = planBatchNorm(p, pass, limits);
        checkRefused(sequence.result, status, message);
        EC_CHECK(sequence.count == 0);
    };
    using P = BatchNormParams;
    using L = DeviceLimits;
    for (const BatchNormPass pass : {BatchNormPass::kTraining, BatchNormPass::kGradient, BatchNormPass::kInference}) {
        BatchNormParams p = good;
        EC_CHECK(planBatchNorm(p, pass, deviceLimits()).count == (pass == BatchNormPass::kInference ? 1 : 3));
        refuse(pass, Status::kNullPointer, "x is null", [](P& p, L&) { p.x = nullptr; });
        refuse(pass, Status::kNullPointer, "scale is null", [](P& p, L&) { p.scale = nullptr; });
        refuse(pass, Status::kMisaligned, "x must be aligned",
               [](P& p, L&) { p.x = static_cast<const float*>(p.x) + 1; });
        refuse(pass, Status::kInvalidShape, "pixels is 0", [](P& p, L&) { p.pixels = 0; });
        refuse(pass, Status::kInvalidShape, "channels is -1", [](P& p, L&) { p.channels = -1; });
        refuse(pass, Status::kInvalidShape, "pixelStride is 3", [](P& p, L&) { p.pixelStride = 3; });
        refuse(pass, Status::kInvalidShape, "epsilon is 0", [](P& p, L&) { p.epsilon = 0; });
        refuse(pass, Status::kInvalidShape, "momentum is 2", [](P& p, L&) { p.momentum = 2; });
        refuse(pass, Status::kResourceLimit, "blocks", [](P&, L& l) { l.gridX = 0; });
    }
    refuse(BatchNormPass::kTraining, Status::kResourceLimit, "shared memory",
           [](P&, L& l) { l.sharedBytesPerBlock = 1024; });
    refuse(BatchNormPass::kTraining, Status::kNullPointer, "runningVariance is null",
           [](P& p, L&) { p.runningVariance = nullptr; });
    refuse(BatchNormPass::kGradient, Status::kNullPointer, "dy is null", [](P& p, L&) { p.dy = nullptr; });
    refuse(BatchNormPass::kGradient, Status::kNullPointer, "y is null", [](P& p, L&) { p.relu = 1, p.y = nullptr; });
    refuse(BatchNormPass::kInference, Status::kNullPointer, "runningMean is null",
           [](P& p, L&) { p.runningMean = nullptr; });
}
