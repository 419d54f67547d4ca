// Sums over rows per channel against fp64, over chosen and drawn shapes, three thread orders, fp32 and bf16.
#include "effconv/kernels/channel_sums.h"

#include <cmath>

#include "conv_reference.h"
#include "device.h"

using namespace effconv;
using namespace effconv::test;

namespace {

void checkSums(int rows, int channels, int gap, bool bf16, Random& random,
               const DeviceLimits& limits = deviceLimits()) {
    const std::vector<float> x = randomValues(std::size_t(rows) * channels, random, bf16);
    const std::int64_t stride = channels + gap;
    const Placement place{1, 1, rows, channels, stride * rows, stride * rows, stride};
    TypedBuffer in(place.spread(x), bf16);
    DeviceBuffer<float> sums(channels);
    ChannelSumsParams p;
    p.x = in.data();
    p.sums = sums.data();
    p.rows = rows;
    p.rowStride = stride;
    p.channels = channels;
    p.bf16 = bf16;
    const LaunchSequence sequence = planChannelSums(p, limits);
    DeviceBuffer<float> workspace(static_cast<std::size_t>(sequence.workspaceBytes / 4));
    p.workspace = workspace.data();
    const std::string what = text("%s, %d rows, %d channels, gap %d", bf16 ? "bf16" : "fp32", rows, channels, gap);
    std::vector<float> first;
    forEachThreadOrder([&](int order) {
        sums.poison();
        workspace.poison();
        launchAll(sequence, p);
        const std::vector<float> got = sums.download();
        if (order == 0) first = got;
        checkSameBits(what, first, got);
    });
    Reference want(channels);
    for (std::size_t i = 0; i < x.size(); ++i) want.add(i % channels, x[i]);
    checkClose(what, first, want.value, want.magnitude, kFp32Tolerance);
}

}  // namespace

EC_TEST(channel_sums_chosen_shapes) {
    Random random(81);
    for (const bool bf16 : {false, true}) {
        for (const int channels : {1, 3, 8, 10, 33, 64, 520}) {
            checkSums(1, channels, 0, bf16, random);
            checkSums(19, channels, 0, bf16, random);
            checkSums(700, channels, 0, bf16, random);
        }
    }
}

EC_TEST(channel_sums_drawn_shapes) {
    Random random(82);
    DeviceLimits small = deviceLimits();
    small.multiprocessors = 2;
    for (int draw = 0; draw < 80; ++draw) {
        checkSums(random.pick({random.integer(1, 40), random.integer(1, 3000)}), random.integer(1, 90),
                  random.pick({0, 0, 1, 8}), draw % 2 == 1, random, draw % 3 == 0 ? small : deviceLimits());
    }
}

EC_TEST(channel_sums_bad_requests_are_refused) {
    DeviceBuffer<float> buffer(64);
    const auto refuse = [&](Status status, const char* message, auto change) {
        ChannelSumsParams p;
        p.x = p.sums = buffer.data();
        p.rows = p.channels = 4;
        p.rowStride = 4;
        DeviceLimits limits = deviceLimits();
        change(p, limits);
        const LaunchSequence sequence = planChannelSums(p, limits);
        checkRefused(sequence.result, status, message);
        EC_CHECK(sequence.count == 0);
    };
    using P = ChannelSumsParams;
    using L = DeviceLimits;
    refuse(Status::kNullPointer, "x is null", [](P& p, L&) { p.x = nullptr; });
    refuse(Status::kNullPointer, "sums is null", [](P& p, L&) { p.sums = nullptr; });
    refuse(Status::kMisaligned, "x must be aligned", [](P& p, L&) { p.x = static_cast<const float*>(p.x) + 1; });
    refuse(Status::kInvalidShape, "rows is 0", [](P& p, L&) { p.rows = 0; });
    refuse(Status::kInvalidShape, "channels is -1", [](P& p, L&) { p.channels = -1; });
    refuse(Status::kInvalidShape, "rowStride is 3", [](P& p, L&) { p.rowStride = 3; });
    refuse(Status::kResourceLimit, "blocks", [](P&, L& l) { l.gridX = 0; });
    refuse(Status::kResourceLimit, "shared memory", [](P&, L& l) { l.sharedBytesPerBlock = 64; });
}
