// Pooling against fp64, over chosen and drawn shapes, three thread orders, fp32 and bf16.
#include "effconv/kernels/pool.h"

#include <cmath>

#include "conv_reference.h"
#include "device.h"

using namespace effconv;
using namespace effconv::test;

namespace {

using Floats = std::vector<float>;
using Doubles = std::vector<double>;

PoolParams poolShape(PoolKind kind, int batch, int height, int width, int channels, int size = 2, int stride = 2,
                     int padding = 0) {
    PoolParams p;
    p.kind = kind;
    p.batch = batch;
    p.height = height;
    p.width = width;
    p.channels = channels;
    p.size = size;
    p.stride = stride;
    p.padding = padding;
    p.setContiguousStrides();
    return p;
}

void setGaps(PoolParams& p, int pixelGap, int rowGap, int imageGap) {
    p.xPixelStride += pixelGap;
    p.xRowStride = p.xPixelStride * p.width + rowGap;
    p.xImageStride = p.xRowStride * p.height + imageGap;
    p.yPixelStride += pixelGap;
    p.yRowStride = p.yPixelStride * p.outWidth() + rowGap;
    p.yImageStride = p.yRowStride * p.outHeight() + imageGap;
}

/// Output and input gradient in fp64, contiguous.
struct PoolReference {
    Doubles y, dx, sizeOfY, sizeOfDx;

    PoolReference(const PoolParams& p, const Floats& x, const Floats& dy)
        : y(dy.size()), dx(x.size()), sizeOfY(dy.size()), sizeOfDx(x.size()) {
        const auto at = [&](int n, int row, int column, int c) {
            return ((std::size_t(n) * p.height + row) * p.width + column) * p.channels + c;
        };
        std::size_t out = 0;
        for (int n = 0; n < p.batch; ++n)
            for (int oy = 0; oy < p.outHeight(); ++oy)
                for (int ox = 0; ox < p.outWidth(); ++ox)
                    for (int c = 0; c < p.channels; ++c, ++out) {
                        std::vector<std::size_t> window;
                        const bool global = p.kind == kGlobalAverage;
                        for (int row = 0; row < p.height; ++row)
                            for (int column = 0; column < p.width; ++column) {
                                const int r = row - (oy * p.stride - p.padding),
                                          t = column - (ox * p.stride - p.padding);
                                if (global || (r >= 0 && r < p.size && t >= 0 && t < p.size))
                                    window.push_back(at(n, row, column, c));
                            }
                        visit(p, window, x, dy, out);
                    }
    }

private:
    void visit(const PoolParams& p, const std::vector<std::size_t>& window, const Floats& x, const Floats& dy,
               std::size_t out) {
        if (p.kind == kMaximum) {
            std::size_t winner = window[0];
            for (const std::size_t i : window) winner = x[i] > x[winner] ? i : winner;
            y[out] = x[winner];
            dx[winner] += dy[out];
            sizeOfDx[winner] += std::fabs(dy[out]);
            return;
        }
        for (const std::size_t i : window) {
            y[out] += double(x[i]) / window.size();
            sizeOfY[out] += std::fabs(x[i]) / window.size();
            dx[i] += double(dy[out]) / window.size();
            sizeOfDx[i] += std::fabs(dy[out]) / window.size();
        }
    }
};

/// Few different values, so that a maximum often has ties.
Floats steppedValues(std::size_t count, Random& random) {
    Floats values(count);
    for (float& value : values) value = static_cast<float>(random.integer(-3, 3)) / 4;
    return values;
}

void checkPool(PoolParams p, bool bf16, Random& random) {
    p.bf16 = bf16;
    const Placement px{p.batch, p.height, p.width, p.channels, p.xImageStride, p.xRowStride, p.xPixelStride};
    const Placement py{p.batch, p.outHeight(), p.outWidth(), p.channels, p.yImageStride, p.yRowStride, p.yPixelStride};
    const std::size_t xCount = std::size_t(p.batch) * p.height * p.width * p.channels;
    const std::size_t yCount = std::size_t(p.batch) * p.outHeight() * p.outWidth() * p.channels;
    const Floats x = steppedValues(xCount, random), dyValues = randomValues(yCount, random, bf16);
    TypedBuffer in(px.spread(x), bf16), dy(py.spread(dyValues), bf16), y(py.extent(), bf16), dx(px.extent(), bf16);
    p.x = in.data();
    p.y = y.data();
    p.dy = dy.data();
    p.dx = dx.data();
    const LaunchSequence forward = planPool(p, PoolPass::kForward, deviceLimits());
    const LaunchSequence gradient = planPool(p, PoolPass::kGradient, deviceLimits());
    const std::string what =
        text("pool kind %d %s n%d %dx%d C%d size %d stride %d padding %d", p.kind, bf16 ? "bf16" : "fp32", p.batch,
             p.height, p.width, p.channels, p.size, p.stride, p.padding);
    Floats firstY, firstDx;
    forEachThreadOrder([&](int order) {
        y.poison();
        dx.poison();
        launchAll(forward, p);
        launchAll(gradient, p);
        const Floats gotY = py.gather(y.download()), gotDx = px.gather(dx.download());
        if (order == 0) {
            firstY = gotY;
            firstDx = gotDx;
        }
        checkSameBits(what, firstY, gotY);
        checkSameBits(what, firstDx, gotDx);
    });
    const PoolReference want(p, x, dyValues);
    const Tolerance tolerance = bf16 ? kBf16Tolerance : kFp32Tolerance;
    checkClose(what + ", y", firstY, want.y, want.sizeOfY, tolerance);
    checkClose(what + ", dx", firstDx, want.dx, want.sizeOfDx, tolerance);
}

}  // namespace

EC_TEST(pool_chosen_shapes) {
    Random random(31);
    for (const bool bf16 : {false, true}) {
        for (const PoolKind kind : {kMaximum, kAverage}) {
            checkPool(poolShape(kind, 1, 1, 1, 1, 1, 1, 0), bf16, random);
            checkPool(poolShape(kind, 1, 1, 1, 3, 3, 2, 1), bf16, random);
            checkPool(poolShape(kind, 2, 8, 8, 17, 2, 2, 0), bf16, random);
            checkPool(poolShape(kind, 1, 7, 9, 8, 3, 2, 1), bf16, random);
            checkPool(poolShape(kind, 1, 5, 4, 16, 3, 1, 1), bf16, random);
            checkPool(poolShape(kind, 1, 9, 9, 3, 2, 3, 0), bf16, random);  // pixels that no window holds
            checkPool(poolShape(kind, 1, 6, 6, 1, 6, 1, 5), bf16, random);
        }
        for (const int channels : {1, 3, 8, 17, 64, 264}) {
            checkPool(poolShape(kGlobalAverage, 1, 1, 1, channels), bf16, random);
            checkPool(poolShape(kGlobalAverage, 2, 7, 5, channels), bf16, random);
        }
        checkPool(poolShape(kGlobalAverage, 1, 32, 33, 4), bf16, random);
    }
}

EC_TEST(pool_drawn_shapes) {
    Random random(32);
    for (int draw = 0; draw < 70; ++draw) {
        const PoolKind kind = random.pick({kMaximum, kMaximum, kAverage, kGlobalAverage});
        const int size = random.integer(1, 5);
        PoolParams p = poolShape(kind, random.integer(1, 3), random.integer(size, 14), random.integer(size, 14),
                                 random.pick({1, 2, 3, 4, 8, 12, 16, 17, 24}), size, random.integer(1, 4),
                                 random.integer(0, size - 1));
        if (random.integer(0, 2) == 0)
            setGaps(p, random.pick({0, 1, 8}), random.pick({0, 3, 8}), random.pick({0, 5, 16}));
        checkPool(p, draw % 2 == 1, random);
    }
}

EC_TEST(pool_tie_goes_to_the_first_pixel) {
    PoolParams p = poolShape(kMaximum, 1, 2, 2, 1);
    DeviceBuffer<float> x(Floats{1, 2, 2, 2}), dy(Floats{5}), dx(4);
    p.x = x.data();
    p.dy = dy.data();
    p.dx = dx.data();
    launchAll(planPool(p, PoolPass::kGradient, deviceLimits()), p);
    checkSameBits("dx", dx.download(), {0, 5, 0, 0});
}

EC_TEST(pool_nan_is_seen) {
    PoolParams p = poolShape(kMaximum, 1, 2, 2, 1);
    DeviceBuffer<float> x(Floats{1, NAN, 3, 2}), y(1);
    p.x = x.data();
    p.y = y.data();
    launchAll(planPool(p, PoolPass::kForward, deviceLimits()), p);
    EC_CHECK(std::isnan(y.download()[0]));
}

EC_TEST(pool_refuses_bad_requests) {
    DeviceBuffer<float> memory(1024);
    PoolParams good = poolShape(kMaximum, 1, 4, 4, 4);
    good.x = good.y = good.dx = memory.data();
    good.dy = memory.data();
    const auto refuse = [&](PoolPass pass, Status status, const char* message, auto change) {
        PoolParams p = good;
        DeviceLimits limits = deviceLimits();
        change(p, limits);
        const LaunchSequence sequence = planPool(p, pass, limits);
        checkRefused(sequence.result, status, message);
        EC_CHECK(sequence.count == 0);
    };
    using P = PoolParams;
    using L = DeviceLimits;
    for (const PoolPass pass : {PoolPass::kForward, PoolPass::kGradient}) {
        refuse(pass, Status::kNullPointer, "x is null", [](P& p, L&) { p.x = nullptr; });
        refuse(pass, Status::kMisaligned, "x must be aligned", [](P& p, L&) { p.x = static_cast<float*>(p.x) + 1; });
        refuse(pass, Status::kInvalidShape, "batch is 0", [](P& p, L&) { p.batch = 0; });
        refuse(pass, Status::kInvalidShape, "channels is 0", [](P& p, L&) { p.channels = 0; });
        refuse(pass, Status::kInvalidShape, "size is -2", [](P& p, L&) { p.size = -2; });
        refuse(pass, Status::kInvalidShape, "stride is 0", [](P& p, L&) { p.stride = 0; });
        refuse(pass, Status::kInvalidShape, "padding is 2", [](P& p, L&) { p.padding = 2; });
        refuse(pass, Status::kInvalidShape, "does not fit", [](P& p, L&) { p.size = 5; });
        refuse(pass, Status::kInvalidShape, "strides of y", [](P& p, L&) { p.yRowStride = 1; });
        refuse(pass, Status::kUnsupported, "kind 7", [](P& p, L&) { p.kind = 7; });
        refuse(pass, Status::kResourceLimit, "blocks", [](P&, L& l) { l.gridX = 0; });
    }
    refuse(PoolPass::kForward, Status::kNullPointer, "y is null", [](P& p, L&) { p.y = nullptr; });
    refuse(PoolPass::kGradient, Status::kNullPointer, "dy is null", [](P& p, L&) { p.dy = nullptr; });
    refuse(PoolPass::kForward, Status::kResourceLimit, "shared memory",
           [](P& p, L& l) { p.kind = kGlobalAverage, l.sharedBytesPerBlock = 100; });
}
