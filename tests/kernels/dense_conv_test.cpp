// Dense and grouped convolution against fp64, over chosen and drawn shapes, three thread orders, fp32 and bf16.
#include "effconv/kernels/dense_conv.h"

#include "conv_check.h"

using namespace effconv;
using namespace effconv::test;

namespace {

ConvShape denseShape(int batch, int height, int width, int in, int out, int groups, int kernel, int stride) {
    ConvShape s;
    s.batch = batch;
    s.height = height;
    s.width = width;
    s.inChannels = in;
    s.outChannels = out;
    s.groups = groups;
    s.kernel = kernel;
    s.stride = stride;
    s.setContiguousStrides();
    return s;
}

DeviceLimits turing() {
    DeviceLimits limits;
    limits.sharedBytesPerBlock = 64 * 1024;
    limits.multiprocessors = 40;
    return limits;
}

void checkPass(const ConvShape& s, ConvPass pass, bool bf16, bool gradientBf16, Random& random,
               const DeviceLimits& limits = deviceLimits()) {
    checkConvPass<DenseConvParams>(planDenseConv, s, pass, bf16, gradientBf16, random, limits);
}

void checkAllPasses(const ConvShape& s, Random& random) {
    for (const bool bf16 : {false, true}) {
        for (const ConvPass pass : kPasses) checkPass(s, pass, bf16, false, random);
    }
}

/// The forward pass with every part of the epilogue.
void checkEpilogue(const ConvShape& s, bool bf16, Random& random) {
    const std::vector<float> x = randomValues(xCount(s), random, bf16);
    const std::vector<float> w = randomValues(wCount(s), random, bf16);
    const std::vector<float> residual = randomValues(yCount(s), random, bf16);
    const std::vector<float> scale = randomValues(s.outChannels, random, false);
    const std::vector<float> bias = randomValues(s.outChannels, random, false);
    const TypedBuffer xBuffer(x, bf16), wBuffer(w, bf16), residualBuffer(residual, bf16);
    const DeviceBuffer<float> scaleBuffer(scale), biasBuffer(bias);
    TypedBuffer yBuffer(yCount(s), bf16);
    DeviceBuffer<float> sums(2 * static_cast<std::size_t>(s.outChannels));

    DenseConvParams p;
    p.shape = s;
    p.x = xBuffer.data();
    p.w = wBuffer.data();
    p.y = yBuffer.data();
    p.scale = scaleBuffer.data();
    p.bias = biasBuffer.data();
    p.residual = residualBuffer.data();
    p.channelSums = sums.data();
    p.relu = 1;
    p.bf16 = bf16;
    const LaunchSequence sequence = planDenseConv(p, ConvPass::kForward, deviceLimits());
    DeviceBuffer<float> workspace(static_cast<std::size_t>(sequence.workspaceBytes / 4));
    p.workspace = workspace.data();

    Reference want = referenceConv(s, ConvPass::kForward, x, w, {});
    Reference wantSums(2 * static_cast<std::size_t>(s.outChannels));
    for (std::size_t i = 0; i < want.value.size(); ++i) {
        const std::size_t channel = i % s.outChannels;
        const double v = want.value[i] * scale[channel] + bias[channel];
        const double magnitude = want.magnitude[i] * std::fabs(scale[channel]) + std::fabs(bias[channel]);
        wantSums.value[channel] += v;
        wantSums.magnitude[channel] += magnitude;
        wantSums.value[s.outChannels + channel] += v * v;
        wantSums.magnitude[s.outChannels + channel] += magnitude * magnitude;
        want.value[i] = std::max(0.0, v + residual[i]);
        want.magnitude[i] = magnitude + std::fabs(residual[i]);
    }
    const std::string what = describe(s, ConvPass::kForward, bf16) + " with epilogue";
    std::vector<float> firstY, firstSums;
    forEachThreadOrder([&](int order) {
        yBuffer.poison();
        sums.poison();
        workspace.poison();
        launchAll(sequence, p);
        if (order == 0) {
            firstY = yBuffer.download();
            firstSums = sums.download();
        }
        checkSameBits(what, firstY, yBuffer.download());
        checkSameBits(what + ", sums", firstSums, sums.download());
    });
    checkClose(what, firstY, want.value, want.magnitude, bf16 ? kBf16Tolerance : kFp32Tolerance);
    checkClose(what + ", sums", firstSums, wantSums.value, wantSums.magnitude, kFp32Tolerance);
}

}  // namespace

EC_TEST(small_and_awkward_shapes) {
    Random random(21);
    checkAllPasses(denseShape(1, 1, 1, 1, 1, 1, 1, 1), random);
    checkAllPasses(denseShape(3, 1, 1, 3, 17, 1, 33, 1), random);
    checkAllPasses(denseShape(1, 1, 1, 17, 3, 1, 3, 2), random);
    checkAllPasses(denseShape(1, 2, 5, 3, 16, 1, 7, 2), random);
    checkAllPasses(denseShape(5, 4, 4, 8, 8, 1, 9, 1), random);
    checkAllPasses(denseShape(1, 9, 20, 17, 33, 1, 5, 1), random);
    checkAllPasses(denseShape(1, 3, 35, 16, 4, 1, 3, 2), random);
    checkAllPasses(denseShape(1, 18, 3, 40, 24, 1, 3, 1), random);
    checkAllPasses(denseShape(1, 4, 6, 64, 64, 1, 3, 1), random);
    checkAllPasses(denseShape(1, 8, 8, 16, 16, 1, 15, 1), random);
    checkAllPasses(denseShape(1, 18, 9, 1, 2, 1, 33, 1), random);
    checkAllPasses(denseShape(1, 5, 7, 2, 3, 1, 33, 2), random);
}

EC_TEST(wide_and_grouped_shapes) {
    Random random(22);
    checkAllPasses(denseShape(1, 3, 4, 130, 8, 1, 3, 1), random);
    checkAllPasses(denseShape(1, 3, 3, 8, 130, 1, 3, 1), random);
    checkAllPasses(denseShape(2, 4, 4, 12, 12, 3, 5, 1), random);
    checkAllPasses(denseShape(1, 5, 3, 32, 16, 2, 3, 2), random);
    checkAllPasses(denseShape(1, 4, 4, 6, 9, 3, 3, 1), random);
}

/// 50 shapes for one width of kernel (16, 32 or 64 channels a block, for outputs, inputs and weight gradients) and
/// type.
void checkDrawnShapes(std::initializer_list<int> channels, int largest, bool bf16, std::uint64_t seed) {
    Random random(seed);
    for (int draw = 0; draw < 50; ++draw) {
        ConvShape s = denseShape(random.integer(1, 3), random.integer(1, largest), random.integer(1, largest),
                                 random.pick(channels), random.pick(channels), 1, random.pick({1, 3, 3, 5, 7, 11}),
                                 random.integer(1, 2));
        if (random.integer(0, 2) == 0) {
            setGappedStrides(s, random.pick({0, 1, 8}), random.pick({0, 3, 8}), random.pick({0, 5, 16}));
        }
        for (const ConvPass pass : kPasses) checkPass(s, pass, bf16, random.integer(0, 1) == 1, random);
    }
}

EC_TEST(drawn_shapes_16_channels_fp32) {
    checkDrawnShapes({1, 3, 8, 10, 16}, 12, false, 31);
}
EC_TEST(drawn_shapes_16_channels_bf16) {
    checkDrawnShapes({1, 3, 8, 10, 16}, 12, true, 32);
}
EC_TEST(drawn_shapes_32_channels_fp32) {
    checkDrawnShapes({17, 24, 31, 32}, 5, false, 33);
}
EC_TEST(drawn_shapes_32_channels_bf16) {
    checkDrawnShapes({17, 24, 31, 32}, 5, true, 34);
}
EC_TEST(drawn_shapes_64_channels_fp32) {
    checkDrawnShapes({33, 40, 64}, 3, false, 35);
}
EC_TEST(drawn_shapes_64_channels_bf16) {
    checkDrawnShapes({33, 40, 64}, 3, true, 36);
}

EC_TEST(drawn_shapes_large_kernels) {
    Random random(24);
    for (int draw = 0; draw < 12; ++draw) {
        const ConvShape s = denseShape(1, random.integer(1, 12), random.integer(1, 20), random.integer(1, 5),
                                       random.integer(1, 5), 1, 2 * random.integer(9, 16) + 1, random.integer(1, 2));
        for (const ConvPass pass : kPasses) checkPass(s, pass, draw % 2 == 1, false, random);
    }
}

/// A linear layer is the convolution of one pixel: batch N, inChannels D, outChannels O, kernel 1.
EC_TEST(linear_layers) {
    Random random(27);
    for (int draw = 0; draw < 60; ++draw) {
        const ConvShape s = denseShape(random.pick({random.integer(1, 9), random.integer(1, 300)}), 1, 1,
                                       random.pick({random.integer(1, 20), random.integer(1, 200)}),
                                       random.pick({1, 2, 10, 16, 17, 40, 100}), 1, 1, 1);
        for (const ConvPass pass : kPasses) checkPass(s, pass, draw % 2 == 1, false, random);
    }
    for (const bool bf16 : {false, true}) checkEpilogue(denseShape(130, 1, 1, 70, 10, 1, 1, 1), bf16, random);
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
                for (const int in : {1, 3, 16, 64, 512})
                    for (const int out : {1, 10, 32, 512})
                        for (const bool bf16 : {false, true})
                            for (const ConvPass pass : kPasses) {
                                DenseConvParams p;
                                p.shape = denseShape(256, extent, extent, in, out, 1, kernel, stride);
                                p.x = p.w = p.y = memory.data();
                                p.bf16 = bf16;
                                const LaunchSequence sequence = planDenseConv(p, pass, ampere);
                                if (!sequence.result.ok()) {
                                    throw Failure(describe(p.shape, pass, bf16) + ": " + sequence.result.message);
                                }
                            }
}

EC_TEST(epilogue) {
    Random random(25);
    for (const bool bf16 : {false, true}) {
        checkEpilogue(denseShape(1, 1, 1, 1, 1, 1, 1, 1), bf16, random);
        checkEpilogue(denseShape(3, 5, 7, 8, 16, 1, 3, 1), bf16, random);
        checkEpilogue(denseShape(2, 9, 19, 3, 17, 1, 3, 1), bf16, random);
        checkEpilogue(denseShape(2, 6, 6, 17, 40, 1, 5, 2), bf16, random);
        checkEpilogue(denseShape(1, 4, 4, 8, 6, 2, 3, 1), bf16, random);
    }
}

EC_TEST(small_shared_memory_takes_smaller_chunks_and_tiles) {
    Random random(26);
    checkPass(denseShape(1, 20, 20, 20, 20, 1, 17, 1), ConvPass::kForward, true, false, random, turing());
    checkPass(denseShape(1, 24, 36, 5, 6, 1, 33, 1), ConvPass::kForward, false, false, random, turing());
    checkPass(denseShape(1, 16, 36, 5, 34, 1, 33, 1), ConvPass::kWeightGradient, false, false, random, turing());
    // Fewer images a tile: 128 of 2x2 pixels in 64 channels would take 136 KB.
    checkPass(denseShape(70, 2, 2, 3, 34, 1, 3, 2), ConvPass::kWeightGradient, false, false, random, turing());
    checkPass(denseShape(150, 2, 2, 34, 3, 1, 3, 2), ConvPass::kWeightGradient, true, false, random, turing());
}

EC_TEST(bad_requests_are_refused) {
    DeviceBuffer<float> buffer(4096);
    DenseConvParams good;
    good.shape = denseShape(1, 4, 4, 4, 4, 1, 3, 1);
    good.x = good.y = good.w = buffer.data();
    const auto refused = [&](auto change, ConvPass pass, Status status, const char* message) {
        DenseConvParams p = good;
        DeviceLimits limits = deviceLimits();
        change(p, limits);
        const LaunchSequence sequence = planDenseConv(p, pass, limits);
        checkRefused(sequence.result, status, message);
        EC_CHECK(sequence.count == 0);
    };
    using P = DenseConvParams;
    using L = DeviceLimits;
    for (const ConvPass pass : kPasses) {
        refused([](P& p, L&) { p.x = nullptr; }, pass, Status::kNullPointer, "x is null");
        refused([](P& p, L&) { p.w = nullptr; }, pass, Status::kNullPointer, "w is null");
        refused([](P& p, L&) { p.y = static_cast<float*>(p.y) + 1; }, pass, Status::kMisaligned, "y must be aligned");
        refused([&](P& p, L&) { p.workspace = buffer.data() + 1; }, pass, Status::kMisaligned, "workspace");
        refused([](P& p, L&) { p.shape.batch = -1; }, pass, Status::kInvalidShape, "batch is -1");
        refused([](P& p, L&) { p.shape.outChannels = 0; }, pass, Status::kInvalidShape, "outChannels is 0");
        refused([](P& p, L&) { p.shape.kernel = 2; }, pass, Status::kUnsupported, "kernel is 2");
        refused([](P& p, L&) { p.shape.kernel = 35; }, pass, Status::kUnsupported, "kernel is 35");
        refused([](P& p, L&) { p.shape.stride = 0; }, pass, Status::kInvalidShape, "stride is 0");
        refused([](P& p, L&) { p.shape.groups = 3; }, pass, Status::kInvalidShape, "3 groups");
        refused([](P& p, L&) { p.shape.yPixelStride = 2; }, pass, Status::kInvalidShape, "strides of y");
        refused([](P& p, L& l) { l.sharedBytesPerBlock = 4096, p.shape.kernel = 33; }, pass, Status::kResourceLimit,
                "shared memory");
        refused([](P&, L& l) { l.gridX = 0; }, pass, Status::kResourceLimit, "blocks");
    }
    refused([](P& p, L&) { p.relu = 1; }, ConvPass::kDataGradient, Status::kUnsupported, "forward pass");
    refused([&](P& p, L&) { p.bias = buffer.data() + 1; }, ConvPass::kForward, Status::kMisaligned, "bias");
}
