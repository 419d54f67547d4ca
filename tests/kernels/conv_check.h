// The check that every convolution family passes through: a pass of a shape against the fp64 reference.
#pragma once

#include "conv_reference.h"
#include "device.h"

namespace effconv::test {

inline const ConvPass kPasses[] = {ConvPass::kForward, ConvPass::kDataGradient, ConvPass::kWeightGradient};

/// One pass of one shape, without an epilogue: all thread orders give the same bits, and those are right. Params is a
/// convolution family's parameter struct, plan its plan function.
template <typename Params>
void checkConvPass(LaunchSequence (*plan)(Params&, ConvPass, const DeviceLimits&), const ConvShape& s, ConvPass pass,
                   bool bf16, bool gradientBf16, Random& random, const DeviceLimits& limits) {
    const std::vector<float> x = randomValues(xCount(s), random, bf16);
    const std::vector<float> w = randomValues(wCount(s), random, bf16);
    const std::vector<float> y = randomValues(yCount(s), random, bf16);
    const Placement px = placementOfX(s), py = placementOfY(s);
    const bool writesW = pass == ConvPass::kWeightGradient;
    TypedBuffer xBuffer(px.spread(x), bf16), yBuffer(py.spread(y), bf16);
    TypedBuffer wBuffer = writesW ? TypedBuffer(w.size(), gradientBf16) : TypedBuffer(w, bf16);
    TypedBuffer& out = pass == ConvPass::kForward ? yBuffer : pass == ConvPass::kDataGradient ? xBuffer : wBuffer;

    Params p;
    p.shape = s;
    p.x = xBuffer.data();
    p.w = wBuffer.data();
    p.y = yBuffer.data();
    p.bf16 = bf16;
    p.weightGradientBf16 = gradientBf16;
    const LaunchSequence sequence = plan(p, pass, limits);
    DeviceBuffer<float> workspace(static_cast<std::size_t>(sequence.workspaceBytes / 4));
    p.workspace = workspace.data();

    const std::string what = describe(s, pass, bf16);
    std::vector<float> first;
    forEachThreadOrder([&](int order) {
        out.poison();
        workspace.poison();
        launchAll(sequence, p);
        std::vector<float> got = out.download();
        if (pass == ConvPass::kForward) got = py.gather(got);
        if (pass == ConvPass::kDataGradient) got = px.gather(got);
        if (order == 0) first = got;
        checkSameBits(what, first, got);
    });
    const Reference want = referenceConv(s, pass, x, w, y);
    checkClose(what, first, want.value, want.magnitude,
               (writesW ? gradientBf16 : bf16) ? kBf16Tolerance : kFp32Tolerance);
}

}  // namespace effconv::test
