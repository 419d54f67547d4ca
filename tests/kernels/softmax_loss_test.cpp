// Softmax cross entropy against fp64, over chosen and drawn shapes, three thread orders, fp32 and bf16.
#include "effconv/kernels/softmax_loss.h"

#include <cmath>

#include "conv_reference.h"
#include "device.h"

using namespace effconv;
using namespace effconv::test;

namespace {

using Floats = std::vector<float>;
using Doubles = std::vector<double>;

struct Request {
    int rows = 1, classes = 10, gap = 0;
    float smoothing = 0, spread = 4, offset = 0;  ///< logits are spread * [-1, 1) + offset
    bool bf16 = false, gradient = true;
};

struct LossReference {
    double loss = 0, magnitude = 0;
    int correct = 0;
    Doubles gradient, sizeOfGradient;

    LossReference(const Request& r, const Floats& logits, const std::vector<std::int32_t>& labels) {
        for (int row = 0; row < r.rows; ++row) {
            const float* z = &logits[std::size_t(row) * r.classes];
            double largest = z[0], total = 0, mean = 0;
            int first = 0;
            for (int i = 1; i < r.classes; ++i) {
                if (z[i] > largest) {
                    largest = z[i];
                    first = i;
                }
            }
            for (int i = 0; i < r.classes; ++i) {
                total += std::exp(z[i] - largest);
                mean += (z[i] - largest) / r.classes;
            }
            const double atLabel = z[labels[row]] - largest;
            loss += (std::log(total) - (1.0 - r.smoothing) * atLabel - r.smoothing * mean) / r.rows;
            magnitude += (1 + std::log(total) + std::fabs(atLabel) + std::fabs(mean)) / r.rows;
            correct += first == labels[row];
            for (int i = 0; i < r.classes; ++i) {
                const double target = (i == labels[row] ? 1.0 - r.smoothing : 0.0) + double(r.smoothing) / r.classes;
                const double probability = std::exp(z[i] - largest) / total;
                gradient.push_back((probability - target) / r.rows);
                // The exponential of z turns the rounding of z into a relative error.
                sizeOfGradient.push_back((probability * (1 + std::fabs(z[i] - largest)) + target) / r.rows);
            }
        }
    }
};

struct LossResult {
    float loss;
    std::int32_t correct;
    Floats gradient;
};

LossResult run(const Request& r, const Floats& logits, const std::vector<std::int32_t>& labels) {
    const std::int64_t stride = r.classes + r.gap;
    const Placement place{1, 1, r.rows, r.classes, stride * r.rows, stride * r.rows, stride};
    TypedBuffer in(place.spread(logits), r.bf16), gradient(place.extent(), r.bf16);
    DeviceBuffer<std::int32_t> deviceLabels(labels), correct(1);
    DeviceBuffer<float> loss(1);
    SoftmaxLossParams p;
    p.logits = in.data();
    p.labels = deviceLabels.data();
    if (r.gradient) p.dlogits = gradient.data();
    p.loss = loss.data();
    p.correct = correct.data();
    p.rows = r.rows;
    p.rowStride = stride;
    p.classes = r.classes;
    p.smoothing = r.smoothing;
    p.bf16 = r.bf16;
    const LaunchSequence sequence = planSoftmaxLoss(p, deviceLimits());
    DeviceBuffer<float> workspace(static_cast<std::size_t>(sequence.workspaceBytes / 4));
    p.workspace = workspace.data();
    launchAll(sequence, p);
    return {loss.download()[0], correct.download()[0], place.gather(gradient.download())};
}

void checkLoss(const Request& r, Random& random) {
    Floats logits = randomValues(std::size_t(r.rows) * r.classes, random, false);
    for (float& value : logits) {
        value = r.spread * value + r.offset;
        if (r.bf16) value = floatFromBf16(bf16FromFloat(value));
    }
    std::vector<std::int32_t> labels(r.rows);
    for (std::int32_t& label : labels) label = random.integer(0, r.classes - 1);
    const std::string what = text("%s, %d rows, %d classes, smoothing %g, offset %g", r.bf16 ? "bf16" : "fp32", r.rows,
                                  r.classes, r.smoothing, r.offset);
    LossResult first;
    forEachThreadOrder([&](int order) {
        const LossResult got = run(r, logits, labels);
        if (order == 0) first = got;
        checkSameBits(what, {first.loss}, {got.loss});
        EC_CHECK(first.correct == got.correct);
        if (r.gradient) checkSameBits(what, first.gradient, got.gradient);
    });
    const LossReference want(r, logits, labels);
    checkClose(what + ", loss", {first.loss}, {want.loss}, {want.magnitude}, kFp32Tolerance);
    EC_CHECK(first.correct == want.correct);
    if (r.gradient) {
        checkClose(what + ", dlogits", first.gradient, want.gradient, want.sizeOfGradient,
                   r.bf16 ? kBf16Tolerance : kFp32Tolerance);
    }
}

}  // namespace

EC_TEST(softmax_loss_chosen_shapes) {
    Random random(41);
    for (const bool bf16 : {false, true}) {
        for (const int classes : {1, 2, 3, 10, 17, 31, 32, 33, 100, 1000}) {
            Request r;
            r.bf16 = bf16;
            r.classes = classes;
            r.smoothing = classes % 2 == 0 ? 0.1f : 0.0f;
            checkLoss(r, random);
            r.rows = 9;
            checkLoss(r, random);
        }
    }
}

EC_TEST(softmax_loss_drawn_shapes) {
    Random random(42);
    for (int draw = 0; draw < 60; ++draw) {
        Request r;
        r.bf16 = draw % 2 == 1;
        r.rows = random.integer(1, 70);
        r.classes = random.integer(1, 130);
        r.gap = random.pick({0, 0, 3});
        r.smoothing = random.pick({0.0f, 0.1f, 0.5f, 1.0f});
        r.spread = random.pick({0.1f, 4.0f, 30.0f});
        r.offset = random.pick({0.0f, 50.0f, -200.0f});
        r.gradient = random.integer(0, 4) != 0;
        checkLoss(r, random);
    }
}

EC_TEST(softmax_loss_many_rows) {
    Random random(43);
    Request r;
    r.rows = 700;  // more rows than the summing block has threads
    checkLoss(r, random);
}

EC_TEST(softmax_loss_large_logits_do_not_overflow) {
    Random random(44);
    Request r;
    r.rows = 3;
    r.spread = 1000;
    checkLoss(r, random);
}

EC_TEST(softmax_loss_edges) {
    Request r;
    r.classes = 3;
    r.rows = 2;
    const Floats ties = {1, 1, 0, 2, 2, 2};
    EC_CHECK(run(r, ties, {0, 1}).correct == 1);  // the first largest decides
    const LossResult excluded = run(r, {0, -INFINITY, 0, 1, 2, 3}, {0, 2});
    EC_CHECK(std::isfinite(excluded.loss) && excluded.gradient[1] == 0.0f);
    const LossResult unknown = run(r, {0, 1, 2, 0, 1, 2}, {1, 3});
    EC_CHECK(std::isnan(unknown.loss) && std::isnan(unknown.gradient[3]) && std::isfinite(unknown.gradient[0]));
    const LossResult broken = run(r, {NAN, 1, 2, 0, 1, 2}, {2, 2});
    EC_CHECK(std::isnan(broken.loss));
    EC_CHECK(broken.correct == 1);  // the second row's: none is right beside a NaN
}

EC_TEST(softmax_loss_refuses_bad_requests) {
    DeviceBuffer<float> memory(64);
    SoftmaxLossParams good;
    good.logits = memory.data();
    good.dlogits = memory.data();
    good.labels = good.correct = reinterpret_cast<std::int32_t*>(memory.data());
    good.loss = memory.data();
    good.rows = 2;
    good.classes = 3;
    good.rowStride = 3;
    EC_CHECK(planSoftmaxLoss(good, deviceLimits()).count == 2);
    const auto refuse = [&](Status status, const char* message, auto change) {
        SoftmaxLossParams p = good;
        DeviceLimits limits = deviceLimits();
        change(p, limits);
        const LaunchSequence sequence = planSoftmaxLoss(p, limits);
        checkRefused(sequence.result, status, message);
        EC_CHECK(sequence.count == 0);
    };
    using P = SoftmaxLossParams;
    using L = DeviceLimits;
    refuse(Status::kNullPointer, "logits is null", [](P& p, L&) { p.logits = nullptr; });
    refuse(Status::kNullPointer, "labels is null", [](P& p, L&) { p.labels = nullptr; });
    refuse(Status::kMisaligned, "dlogits must be aligned",
           [](P& p, L&) { p.dlogits = static_cast<float*>(p.dlogits) + 1; });
    refuse(Status::kInvalidShape, "rows is 0", [](P& p, L&) { p.rows = 0; });
    refuse(Status::kInvalidShape, "classes is -1", [](P& p, L&) { p.classes = -1; });
    refuse(Status::kInvalidShape, "rowStride is 2", [](P& p, L&) { p.rowStride = 2; });
    refuse(Status::kInvalidShape, "smoothing is 1.5", [](P& p, L&) { p.smoothing = 1.5f; });
    refuse(Status::kInvalidShape, "smoothing is nan", [](P& p, L&) { p.smoothing = NAN; });
    refuse(Status::kResourceLimit, "blocks", [](P&, L& l) { l.gridX = 0; });
    refuse(Status::kResourceLimit, "shared memory", [](P&, L& l) { l.sharedBytesPerBlock = 64; });
}
