// Depthwise convolution against fp64, over chosen and drawn shapes, three thread orders, fp32 and bf16.
#include "effconv/kernels/depthwise_conv.h"

#include <array>

#include "conv_check.h"

using namespace effconv;
using namespace effconv::test;

namespace {

ConvShape depthwiseShape(int batch, int height, int width, int channels, int kernel, int stride) {
    ConvShape s;
    s.batch = batch;
    s.height = height;
    s.width = width;
    s.inChannels = s.outChannels = s.groups = channels;
    s.kernel = kernel;
    s.stride = stride;
    s.setContiguousStrides();
    return s;
}

void checkPass(const ConvShape& s, ConvPass pass, bool bf16, bool gradientBf16, Random& random,
               const DeviceLimits& limits) {
    checkConvPass<DepthwiseConvParams>(planDepthwiseConv, s, pass, bf16, gradientBf16, random, limits);
}

void checkAllPasses(const ConvShape& s, Random& random) {
    for (const bool bf16 : {false, true}) {
        for (const ConvPass pass : kPasses) checkPass(s, pass, bf16, bf16, random, deviceLimits());
    }
}

}  // namespace

EC_TEST(small_and_awkward_shapes) {
    Random random(11);
    checkAllPasses(depthwiseShape(1, 1, 1, 1, 1, 1), random);
    checkAllPasses(depthwiseShape(2, 1, 1, 3, 33, 1), random);
    checkAllPasses(depthwiseShape(1, 1, 1, 17, 3, 2), random);
    checkAllPasses(depthwiseShape(1, 2, 5, 3, 7, 2), random);
    checkAllPasses(depthwiseShape(1, 9, 4, 17, 15, 1), random);
    checkAllPasses(depthwiseShape(2, 5, 33, 1, 5, 1), random);
    checkAllPasses(depthwiseShape(1, 35, 3, 2, 9, 2), random);
    checkAllPasses(depthwiseShape(1, 3, 70, 8, 3, 1), random);
    checkAllPasses(depthwiseShape(1, 4, 37, 40, 7, 1), random);
    checkAllPasses(depthwiseShape(1, 12, 12, 8, 33, 1), random);
    checkAllPasses(depthwiseShape(1, 7, 6, 16, 33, 2), random);
    checkAllPasses(depthwiseShape(1, 40, 36, 2, 31, 1), random);
}

EC_TEST(drawn_shapes) {
    Random random(12);
    for (int draw = 0; draw < 120; ++draw) {
        const int channels = random.pick({1, 2, 3, 4, 8, 16, 17, 24, 33});
        const int largest = channels > 8 ? 12 : 40;
        const int kernel = random.pick({1, 3, 3, 5, 7, 9, 11, 13, 17});
        ConvShape s = depthwiseShape(random.integer(1, 3), random.integer(1, largest), random.integer(1, largest),
                                     channels, kernel, random.integer(1, 2));
        if (random.integer(0, 2) == 0) {
            setGappedStrides(s, random.pick({0, 1, 8}), random.pick({0, 3, 8}), random.pick({0, 5, 16}));
        }
        const bool bf16 = draw % 2 == 1;
        for (const ConvPass pass : kPasses) checkPass(s, pass, bf16, random.integer(0, 1) == 1, random, deviceLimits());
    }
}

EC_TEST(drawn_shapes_large_kernels) {
    Random random(13);
    for (int draw = 0; draw < 12; ++draw) {
        const ConvShape s = depthwiseShape(1, random.integer(1, 14), random.integer(1, 40), random.integer(1, 5),
                                           2 * random.integer(9, 16) + 1, random.integer(1, 2));
        for (const ConvPass pass : kPasses) checkPass(s, pass, draw % 2 == 1, false, random, deviceLimits());
    }
}

EC_TEST(small_shared_memory_still_serves_k33) {
    Random random(14);
    DeviceLimits turing;
    turing.sharedBytesPerBlock = 64 * 1024;
    turing.multiprocessors = 40;
    for (const ConvPass pass : kPasses) {
        checkPass(depthwiseShape(1, 20, 34, 4, 33, 1), pass, false, false, random, turing);
        checkPass(depthwiseShape(1, 90, 70, 1, 25, 2), pass, false, false, random, turing);  // fewer rows a tile
    }
}

/// Where whole rows do not fit, a block takes a part of the columns: half of them and less, with a narrower last tile,
/// and as few as four.
EC_TEST(weight_gradients_of_wide_images) {
    Random random(16);
    struct Case {
        int width, kernel, stride, channels, sharedBytes, columns;
    };
    for (const Case& c :
         {Case{300, 33, 1, 16, 64 * 1024, 76}, Case{301, 33, 2, 5, 32 * 1024, 40}, Case{150, 15, 1, 16, 32 * 1024, 40},
          Case{261, 7, 2, 1, 4 * 1024, 36}, Case{97, 3, 1, 16, 8 * 1024, 52}, Case{300, 33, 1, 16, 3000, 20},
          Case{300, 33, 1, 16, 2048, 8}, Case{45, 33, 1, 3, 1800, 4}}) {
        for (const bool bf16 : {false, true}) {
            DeviceLimits limits;
            limits.sharedBytesPerBlock = c.sharedBytes;
            limits.multiprocessors = 3;  // so that a split takes several tiles
            const ConvShape s = depthwiseShape(2, 5, c.width, c.channels, c.kernel, c.stride);
            if (!bf16) {
                DepthwiseConvParams p;
                const DeviceBuffer<float> memory(4);
                p.shape = s;
                p.x = p.w = p.y = memory.data();
                EC_CHECK(planDepthwiseConv(p, ConvPass::kWeightGradient, limits).result.ok());
                if (p.tileWidth != c.columns)
                    throw Failure(describe(s, ConvPass::kWeightGradient, bf16) + ": " + std::to_string(p.tileWidth) +
                                  " columns");
            }
            checkPass(s, ConvPass::kWeightGradient, bf16, bf16, random, limits);
        }
    }
}

/// Whatever a network may ask for gets a plan on every card with 99 KB of shared memory a block or more.
EC_TEST(every_kernel_size_is_planned) {
    const DeviceBuffer<float> memory(4);
    DeviceLimits ampere;
    ampere.sharedBytesPerBlock = 99 * 1024;
    ampere.multiprocessors = 84;
    for (int kernel = 1; kernel <= 33; kernel += 2)
        for (const int stride : {1, 2})
            for (const int extent : {1, 2, 7, 32, 96, 225, 640, 4096})
                for (const int channels : {1, 3, 16, 64, 512})
                    for (const bool bf16 : {false, true})
                        for (const ConvPass pass : kPasses) {
                            DepthwiseConvParams p;
                            p.shape = depthwiseShape(256, extent, extent, channels, kernel, stride);
                            p.x = p.w = p.y = memory.data();
                            p.bf16 = bf16;
                            const LaunchSequence sequence = planDepthwiseConv(p, pass, ampere);
                            if (!sequence.result.ok()) {
                                throw Failure(describe(p.shape, pass, bf16) + ": " + sequence.result.message);
                            }
                        }
}

EC_TEST(forward_with_bias) {
    Random random(15);
    for (int draw = 0; draw < 50; ++draw) {
        const bool bf16 = draw % 2 == 1;
        const ConvShape s =
            depthwiseShape(random.integer(1, 2), random.integer(1, 9), random.integer(1, 20),
                           random.pick({1, 2, 3, 8, 17}), random.pick({1, 3, 5, 9}), random.integer(1, 2));
        const std::vector<float> x = randomValues(xCount(s), random, bf16), w = randomValues(wCount(s), random, bf16);
        const std::vector<float> bias = randomValues(s.inChannels, random, false);
        TypedBuffer xBuffer(x, bf16), wBuffer(w, bf16), yBuffer(yCount(s), bf16);
        DeviceBuffer<float> biasBuffer(bias);
        DepthwiseConvParams p;
        p.shape = s;
        p.x = xBuffer.data();
        p.w = wBuffer.data();
        p.y = yBuffer.data();
        p.bias = biasBuffer.data();
        p.bf16 = bf16;
        launchAll(planDepthwiseConv(p, ConvPass::kForward, deviceLimits()), p);
        Reference want = referenceConv(s, ConvPass::kForward, x, w, {});
        for (std::size_t i = 0; i < want.value.size(); ++i) want.add(i, bias[i % s.inChannels]);
        checkClose(describe(s, ConvPass::kForward, bf16) + " with bias", yBuffer.download(), want.value, want.magnitude,
                   bf16 ? kBf16Tolerance : kFp32Tolerance);
    }
}

EC_TEST(bad_requests_are_refused) {
    DeviceBuffer<float> buffer(4096);
    DepthwiseConvParams good;
    good.shape = depthwiseShape(1, 4, 4, 4, 3, 1);
    good.x = good.y = good.w = buffer.data();
    const auto refused = [&](auto change, ConvPass pass, Status status, const char* message) {
        DepthwiseConvParams p = good;
        DeviceLimits limits = deviceLimits();
        change(p, limits);
        const LaunchSequence sequence = planDepthwiseConv(p, pass, limits);
        checkRefused(sequence.result, status, message);
        EC_CHECK(sequence.count == 0);
    };
    using P = DepthwiseConvParams;
    using L = DeviceLimits;
    for (const ConvPass pass : kPasses) {
        refused([](P& p, L&) { p.x = nullptr; }, pass, Status::kNullPointer, "x is null");
        refused([](P& p, L&) { p.w = nullptr; }, pass, Status::kNullPointer, "w is null");
        refused([](P& p, L&) { p.y = static_cast<float*>(p.y) + 1; }, pass, Status::kMisaligned, "y must be aligned");
        refused([](P& p, L&) { p.shape.batch = 0; }, pass, Status::kInvalidShape, "batch is 0");
        refused([](P& p, L&) { p.shape.height = -3; }, pass, Status::kInvalidShape, "height is -3");
        refused([](P& p, L&) { p.shape.inChannels = 0; }, pass, Status::kInvalidShape, "inChannels is 0");
        refused([](P& p, L&) { p.shape.kernel = 4; }, pass, Status::kUnsupported, "kernel is 4");
        refused([](P& p, L&) { p.shape.kernel = 35; }, pass, Status::kUnsupported, "kernel is 35");
        refused([](P& p, L&) { p.shape.stride = 3; }, pass, Status::kUnsupported, "stride is 3");
        refused([](P& p, L&) { p.shape.groups = 2; }, pass, Status::kUnsupported, "2 groups");
        refused([](P& p, L&) { p.shape.xRowStride = 1; }, pass, Status::kInvalidShape, "strides of x");
        refused([](P& p, L& l) { l.sharedBytesPerBlock = 256, p.shape.kernel = 33; }, pass, Status::kResourceLimit,
                "shared memory");
        refused([](P&, L& l) { l.gridX = 0; }, pass, Status::kResourceLimit, "blocks");
    }
    refused([&](P& p, L&) { p.bias = buffer.data() + 1; }, ConvPass::kForward, Status::kMisaligned, "bias");
    refused([&](P& p, L&) { p.bias = buffer.data(); }, ConvPass::kDataGradient, Status::kUnsupported, "forward pass");
}
