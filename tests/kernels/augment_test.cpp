// Batch augmentation against fp64, over chosen and drawn shapes, three thread orders, fp32 and bf16.
#include "effconv/kernels/augment.h"

#include <cmath>

#include "device.h"

using namespace effconv;
using namespace effconv::test;

namespace {

using Floats = std::vector<float>;
using Doubles = std::vector<double>;

struct Request {
    int dataset = 3, batch = 2, height = 4, width = 4, channels = 3, pad = 0;
    bool flips = true, gather = true, given = false, bf16 = false;
    std::uint64_t seed = 5, epoch = 0;
};

struct Problem {
    Request r;
    std::vector<std::uint8_t> images;
    std::vector<std::int64_t> indices;
    std::vector<AugmentDraw> draws;
    Floats mean, deviation;

    Problem(const Request& request, Random& random) : r(request) {
        images.resize(std::size_t(r.dataset) * r.height * r.width * r.channels);
        for (std::uint8_t& value : images) value = static_cast<std::uint8_t>(random.integer(0, 255));
        for (int n = 0; n < r.batch; ++n) {
            indices.push_back(r.gather ? random.integer(0, r.dataset - 1) : n);
            draws.push_back({random.integer(-r.height - 1, r.height + 1), random.integer(-r.width - 1, r.width + 1),
                             random.integer(0, 1)});
            if (!r.given) draws.back() = augmentDraw(r.seed, r.epoch, indices.back(), r.pad, r.flips);
        }
        mean = randomValues(r.channels, random, false);
        deviation = randomValues(r.channels, random, false);
        for (float& value : deviation) value = std::fabs(value) + 0.1f;
    }

    Floats run() const {
        DeviceBuffer<std::uint8_t> dataset(images);
        DeviceBuffer<std::int64_t> deviceIndices(indices);
        DeviceBuffer<AugmentDraw> deviceDraws(draws);
        DeviceBuffer<float> deviceMean(mean), deviceDeviation(deviation);
        TypedBuffer y(std::size_t(r.batch) * r.height * r.width * r.channels, r.bf16);
        AugmentParams p;
        p.dataset = dataset.data();
        if (r.gather) p.indices = deviceIndices.data();
        if (r.given) p.draws = deviceDraws.data();
        p.mean = deviceMean.data();
        p.deviation = deviceDeviation.data();
        p.y = y.data();
        p.seed = r.seed;
        p.epoch = r.epoch;
        p.datasetCount = r.dataset;
        p.batch = r.batch;
        p.height = r.height;
        p.width = r.width;
        p.channels = r.channels;
        p.pad = r.pad;
        p.flips = r.flips;
        p.bf16 = r.bf16;
        launchAll(planAugment(p, deviceLimits()), p);
        return y.download();
    }

    void reference(Doubles& want, Doubles& magnitude) const {
        for (int n = 0; n < r.batch; ++n)
            for (int h = 0; h < r.height; ++h)
                for (int w = 0; w < r.width; ++w)
                    for (int c = 0; c < r.channels; ++c) {
                        const int row = h + draws[n].dy;
                        const int column = (draws[n].flip ? r.width - 1 - w : w) + draws[n].dx;
                        const bool inside = row >= 0 && row < r.height && column >= 0 && column < r.width;
                        double level = mean[c];
                        if (inside) {
                            level = images[((indices[n] * r.height + row) * r.width + column) * r.channels + c] / 255.0;
                        }
                        want.push_back((level - mean[c]) / deviation[c]);
                        magnitude.push_back((std::fabs(level) + std::fabs(mean[c])) / deviation[c]);
                    }
    }
};

void checkAugment(const Request& r, Random& random) {
    const Problem problem(r, random);
    const std::string what = text("%s n%d of %d, %dx%dx%d, pad %d, flips %d, given %d", r.bf16 ? "bf16" : "fp32",
                                  r.batch, r.dataset, r.height, r.width, r.channels, r.pad, r.flips, r.given);
    Floats first;
    forEachThreadOrder([&](int order) {
        const Floats got = problem.run();
        if (order == 0) first = got;
        checkSameBits(what, first, got);
    });
    Doubles want, magnitude;
    problem.reference(want, magnitude);
    checkClose(what, first, want, magnitude, r.bf16 ? kBf16Tolerance : kFp32Tolerance);
}

}  // namespace

EC_TEST(augment_chosen_shapes) {
    Random random(51);
    for (const bool bf16 : {false, true}) {
        for (const int channels : {1, 3, 4, 17}) {
            for (const bool given : {false, true}) {
                Request r;
                r.bf16 = bf16;
                r.channels = channels;
                r.given = given;
                r.pad = 2;
                checkAugment(r, random);
                r.height = r.width = r.batch = 1;
                checkAugment(r, random);
                r.dataset = 1;
                checkAugment(r, random);
            }
        }
        Request cifar;
        cifar.bf16 = bf16;
        cifar.height = cifar.width = 32;
        cifar.pad = 4;
        checkAugment(cifar, random);
    }
}

EC_TEST(augment_drawn_shapes) {
    Random random(52);
    for (int draw = 0; draw < 60; ++draw) {
        Request r;
        r.bf16 = draw % 2 == 1;
        r.batch = random.integer(1, 6);
        r.dataset = random.integer(r.batch, 12);
        r.height = random.integer(1, 20);
        r.width = random.integer(1, 20);
        r.channels = random.pick({1, 2, 3, 4, 5, 17});
        r.pad = random.integer(0, 5);
        r.flips = random.integer(0, 1) == 1;
        r.gather = random.integer(0, 2) != 0;
        r.given = random.integer(0, 1) == 1;
        r.seed = random.bits();
        r.epoch = random.bits() % 200;
        checkAugment(r, random);
    }
}

EC_TEST(augment_draws_are_even_and_depend_on_seed_epoch_and_image) {
    int shifts[9] = {}, flips = 0, sameAsNextEpoch = 0, sameAsNextSeed = 0;
    constexpr int kImages = 9000;
    for (int image = 0; image < kImages; ++image) {
        const AugmentDraw draw = augmentDraw(7, 3, image, 4, true);
        EC_CHECK(draw.dy >= -4 && draw.dy <= 4 && draw.dx >= -4 && draw.dx <= 4);
        ++shifts[draw.dx + 4];
        flips += draw.flip;
        sameAsNextEpoch += augmentDraw(7, 4, image, 4, true).dx == draw.dx;
        sameAsNextSeed += augmentDraw(8, 3, image, 4, true).dx == draw.dx;
        EC_CHECK(augmentDraw(7, 3, image, 0, false).dx == 0 && augmentDraw(7, 3, image, 0, false).flip == 0);
    }
    for (const int count : shifts) EC_CHECK(std::abs(count - kImages / 9) < 150);  // five standard deviations
    EC_CHECK(std::abs(flips - kImages / 2) < 240);
    EC_CHECK(sameAsNextEpoch < kImages / 9 + 150 && sameAsNextSeed < kImages / 9 + 150);
}

EC_TEST(augment_unknown_image_is_nan) {
    Random random(53);
    Request r;
    Problem problem(r, random);
    problem.indices = {1, r.dataset};
    const Floats got = problem.run();
    EC_CHECK(!std::isnan(got[0]) && std::isnan(got[got.size() / 2]) && std::isnan(got.back()));
}

EC_TEST(augment_refuses_bad_requests) {
    DeviceBuffer<float> memory(1024);
    AugmentParams good;
    good.dataset = reinterpret_cast<std::uint8_t*>(memory.data());
    good.mean = good.deviation = memory.data();
    good.y = memory.data();
    good.datasetCount = 2;
    good.batch = 2;
    good.height = good.width = good.channels = 3;
    EC_CHECK(planAugment(good, deviceLimits()).count == 1);
    const auto refuse = [&](Status status, const char* message, auto change) {
        AugmentParams p = good;
        DeviceLimits limits = deviceLimits();
        change(p, limits);
        const LaunchSequence sequence = planAugment(p, limits);
        checkRefused(sequence.result, status, message);
        EC_CHECK(sequence.count == 0);
    };
    using P = AugmentParams;
    using L = DeviceLimits;
    refuse(Status::kNullPointer, "dataset is null", [](P& p, L&) { p.dataset = nullptr; });
    refuse(Status::kNullPointer, "mean is null", [](P& p, L&) { p.mean = nullptr; });
    refuse(Status::kMisaligned, "dataset must be aligned", [](P& p, L&) { ++p.dataset; });
    refuse(Status::kInvalidShape, "batch is 0", [](P& p, L&) { p.batch = 0; });
    refuse(Status::kInvalidShape, "height is -1", [](P& p, L&) { p.height = -1; });
    refuse(Status::kInvalidShape, "channels is 0", [](P& p, L&) { p.channels = 0; });
    refuse(Status::kInvalidShape, "pad is -1", [](P& p, L&) { p.pad = -1; });
    refuse(Status::kInvalidShape, "without indices", [](P& p, L&) { p.batch = 3; });
    refuse(Status::kUnsupported, "channels is 5000", [](P& p, L&) { p.channels = 5000; });
    refuse(Status::kResourceLimit, "blocks", [](P&, L& l) { l.gridX = 0; });
}
