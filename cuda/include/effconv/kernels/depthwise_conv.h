// Host side of the depthwise convolution: parameters, checks, launches. See cuda/kernels/depthwise_conv.cu.
#pragma once

#include "effconv/kernels/convolution.h"

namespace effconv {

/// Passed to every kernel of the family by value. The caller fills what stands above the line, planDepthwiseConv the
/// rest.
struct DepthwiseConvParams {
    ConvShape shape;                      ///< inChannels == outChannels == groups
    void* x = nullptr;                    ///< fp32 or bf16
    void* w = nullptr;                    ///< [channels][k][k]: weights, or the weight gradient to be written
    void* y = nullptr;                    ///< type of x
    const float* bias = nullptr;          ///< [channels], forward; null: 0
    float* workspace = nullptr;           ///< weight gradient: LaunchSequence::workspaceBytes
    std::int32_t bf16 = 0;                ///< type of x, y and, forward and data gradient, of w
    std::int32_t weightGradientBf16 = 0;  ///< type of the weight gradient
    // -----------------------------------------------------------------------------------------------------------------
    std::int32_t pairs = 0;       ///< channel pairs of a block, a power of two
    std::int32_t tileHeight = 0;  ///< output rows of a block
    std::int32_t strips = 0;      ///< forward: strips of 8 outputs in a row of a block
    std::int32_t haloWidth = 0;   ///< columns of the resident tile
    std::int32_t haloRows = 0;    ///< rows of the resident tile at most
    std::int32_t weightRows = 0;  ///< forward: kernel rows in shared memory at a time
    std::int32_t tapRows = 0;     ///< weight gradient: kernel rows of a block
    std::int32_t rowParts = 0;    ///< weight gradient: shares that the rows of a tile are dealt to
    std::int32_t tileWidth = 0;   ///< weight gradient: output columns of a block, a multiple of 4
    std::int32_t splits = 0;      ///< weight gradient: partial sums
};

#define EC_KERNELS_depthwise_conv(X)                          \
    X(ec_depthwise_forward_f32, DepthwiseConvParams)          \
    X(ec_depthwise_forward_bf16, DepthwiseConvParams)         \
    X(ec_depthwise_data_gradient_f32, DepthwiseConvParams)    \
    X(ec_depthwise_data_gradient_bf16, DepthwiseConvParams)   \
    X(ec_depthwise_weight_gradient_f32, DepthwiseConvParams)  \
    X(ec_depthwise_weight_gradient_bf16, DepthwiseConvParams) \
    X(ec_depthwise_weight_gradient_sum, DepthwiseConvParams)

constexpr int kDepthwiseStrip = 8;  ///< outputs (forward) of one thread, along x
constexpr int kDepthwiseThreads = 256;
constexpr int kDepthwiseWeightBytes = 16 * 1024;

/// Taps of a row that one thread of the weight gradient sums.
EC_HD int depthwiseTapStrip(int kernel) {
    return kernel <= 3 ? 4 : 8;
}

/// Bytes of shared memory for the weights of a forward block.
EC_HD int depthwiseWeightBytes(const DepthwiseConvParams& p) {
    return p.weightRows * roundUp(p.shape.kernel, 4) * p.pairs * 2 * 4;
}

namespace depthwise_detail {

inline constexpr const char* kFamily = "depthwise_conv";

inline std::int64_t elementBytes(const DepthwiseConvParams& p) {
    return p.bf16 ? 2 : 4;
}

/// Fills the tile of a forward or data-gradient block with that many pairs and at most that many rows of outputs;
/// returns its bytes of shared memory.
inline std::int64_t fillForwardTile(DepthwiseConvParams& p, const TapWalk& walk, int pairs, int mostRows) {
    const int k = p.shape.kernel;
    p.pairs = pairs;
    p.strips = std::min(4, powerOfTwoFrom(ceilDivide(walk.outWidth, kDepthwiseStrip)));
    p.tileHeight = std::min({walk.outHeight, mostRows, kDepthwiseThreads / (pairs * p.strips)});
    p.weightRows = std::clamp(kDepthwiseWeightBytes / (roundUp(k, 4) * pairs * 8), 1, k);
    const int tileWidth = p.strips * kDepthwiseStrip;
    p.haloRows = 1;
    for (int y = 0; y < walk.outHeight; y += p.tileHeight) {
        const int last = std::min(y + p.tileHeight, walk.outHeight) - 1;
        const Range taps = insideTaps(y, last, walk.stride, walk.padding, k, walk.extentY);
        const Range rows = insideInputs(y, last, walk.stride, walk.padding, taps, walk.extentY, walk.dilation);
        p.haloRows = std::max(p.haloRows, rows.high - rows.low);
    }
    p.haloWidth = 1;
    for (int x = 0; x < walk.outWidth; x += tileWidth) {
        const int last = std::min(x + tileWidth, walk.outWidth) - 1;
        const Range taps = insideTaps(x, last, walk.stride, walk.padding, k, walk.extentX);
        p.haloWidth = std::max(p.haloWidth, (tileWidth - 1) * walk.stride + roundUp(taps.high - taps.low, 4) + 1);
    }
    p.haloWidth |= 1;  // odd: rows of one warp then fall on different banks
    return depthwiseWeightBytes(p) + std::int64_t(p.haloRows) * p.haloWidth * pairs * 2 * elementBytes(p);
}

inline LaunchSequence planForward(DepthwiseConvParams& p, bool dataGradient, const DeviceLimits& limits) {
    const TapWalk walk = tapWalk(p.shape, dataGradient);
    const int channels = p.shape.inChannels;
    int pairs = std::min(p.bf16 ? 16 : 8, powerOfTwoFrom((channels + 1) / 2));
    std::int64_t bytes = fillForwardTile(p, walk, pairs, kDepthwiseThreads);
    while (bytes > limits.sharedBytesPerBlock && pairs > 1) {
        bytes = fillForwardTile(p, walk, pairs /= 2, kDepthwiseThreads);
    }
    while (bytes > limits.sharedBytesPerBlock && p.tileHeight > 1) {
        bytes = fillForwardTile(p, walk, pairs, p.tileHeight / 2);
    }
    LaunchPlan plan;
    plan.threads = roundUp(p.pairs * p.strips * p.tileHeight, 32);
    plan.sharedBytes = bytes;
    plan.blocks = std::int64_t(p.shape.batch) * ceilDivide(walk.outHeight, p.tileHeight) *
                  ceilDivide(walk.outWidth, p.strips * kDepthwiseStrip) * ceilDivide(channels, 2 * p.pairs);
    LaunchSequence sequence;
    const char* const names[2][2] = {{"ec_depthwise_forward_f32", "ec_depthwise_forward_bf16"},
                                     {"ec_depthwise_data_gradient_f32", "ec_depthwise_data_gradient_bf16"}};
    sequence.add(kFamily, names[dataGradient][p.bf16 != 0], plan, limits);
    return sequence;
}

/// Fills the tile of a weight-gradient block with that many pairs, output rows and output columns; returns its bytes of
/// shared memory.
inline std::int64_t fillGradientTile(DepthwiseConvParams& p, int pairs, int tileHeight, int tileWidth) {
    const ConvShape& s = p.shape;
    const int tapStrip = depthwiseTapStrip(s.kernel);
    const int tapStrips = ceilDivide(s.kernel, tapStrip);
    p.pairs = pairs;
    p.tileHeight = tileHeight;
    p.tileWidth = tileWidth;
    p.tapRows = std::clamp(kDepthwiseThreads / (pairs * tapStrips), 1, s.kernel);
    p.rowParts = std::clamp(kDepthwiseThreads / (pairs * tapStrips * p.tapRows), 1, tileHeight);
    p.haloRows = std::min(s.height, (tileHeight - 1) * s.stride + p.tapRows);
    p.haloWidth = ((tileWidth - 1) * s.stride + tapStrips * tapStrip) | 1;
    const std::int64_t tile =
        (std::int64_t(p.haloRows) * p.haloWidth + std::int64_t(tileHeight) * tileWidth) * pairs * 2 * elementBytes(p);
    const std::int64_t reduction =
        p.rowParts > 1 ? std::int64_t(p.rowParts) * pairs * tapStrips * p.tapRows * tapStrip * 2 * 4 : 0;
    return std::max(tile, reduction);
}

inline LaunchSequence planWeightGradient(DepthwiseConvParams& p, const DeviceLimits& limits) {
    const ConvShape& s = p.shape;
    int pairs = std::min(p.bf16 ? 16 : 8, powerOfTwoFrom((s.inChannels + 1) / 2));
    int tileHeight = std::min(s.outHeight(), 16);
    int tileWidth = roundUp(s.outWidth(), 4);
    const auto fill = [&] { return fillGradientTile(p, pairs, tileHeight, tileWidth); };
    std::int64_t bytes = fill();
    // Half of what the device offers, so that two blocks share a multiprocessor, as long as a tile keeps four rows.
    while (bytes > limits.sharedBytesPerBlock / 2 && tileHeight > 4) tileHeight /= 2, bytes = fill();
    // Columns first, whose halo the next tile reads again, since with few channels a warp reads little at a time.
    const auto halveColumns = [&] { tileWidth = roundUp(tileWidth / 2, 4), bytes = fill(); };
    while (bytes > limits.sharedBytesPerBlock && tileWidth > 64) halveColumns();
    while (bytes > limits.sharedBytesPerBlock && pairs > 1) pairs /= 2, bytes = fill();
    while (bytes > limits.sharedBytesPerBlock && tileHeight > 1) tileHeight /= 2, bytes = fill();
    while (bytes > limits.sharedBytesPerBlock && tileWidth > 4) halveColumns();
    const int channelBlocks = ceilDivide(s.inChannels, 2 * p.pairs);
    const int rowGroups = ceilDivide(s.kernel, p.tapRows);
    const std::int64_t units =
        std::int64_t(s.batch) * ceilDivide(s.outHeight(), p.tileHeight) * ceilDivide(s.outWidth(), p.tileWidth);
    const std::int64_t wanted = std::int64_t(4) * limits.multiprocessors / (std::int64_t(channelBlocks) * rowGroups);
    p.splits = static_cast<std::int32_t>(std::clamp<std::int64_t>(wanted, 1, std::min<std::int64_t>(units, 256)));
    const std::int64_t weights = std::int64_t(s.inChannels) * s.kernel * s.kernel;

    LaunchSequence sequence;
    sequence.workspaceBytes = weights * p.splits * 4;
    LaunchPlan partial;
    partial.threads = roundUp(p.pairs * ceilDivide(s.kernel, depthwiseTapStrip(s.kernel)) * p.tapRows * p.rowParts, 32);
    partial.sharedBytes = bytes;
    partial.blocks = std::int64_t(channelBlocks) * rowGroups * p.splits;
    sequence.add(kFamily, p.bf16 ? "ec_depthwise_weight_gradient_bf16" : "ec_depthwise_weight_gradient_f32", partial,
                 limits);
    LaunchPlan sum;
    sum.threads = kDepthwiseThreads;
    sum.blocks = std::min<std::int64_t>((weights + sum.threads - 1) / sum.threads, 4096);
    sequence.add(kFamily, "ec_depthwise_weight_gradient_sum", sum, limits);
    return sequence;
}

}  // namespace depthwise_detail

/// Checks the request, fills the lower part of the parameters and returns the launches. The weight gradient's workspace
/// may still be null (a caller learns its size here); its pointer must be set before the launch.
inline LaunchSequence planDepthwiseConv(DepthwiseConvParams& p, ConvPass pass, const DeviceLimits& limits) {
    const char* family = depthwise_detail::kFamily;
    Result result = checkConvShape(family, p.shape);
    if (result.ok() && (p.shape.groups != p.shape.inChannels || p.shape.groups != p.shape.outChannels)) {
        result = Result::fail(Status::kUnsupported,
                              "%s: %d input channels, %d output channels, %d groups; expected three equal numbers",
                              family, p.shape.inChannels, p.shape.outChannels, p.shape.groups);
    }
    if (result.ok()) result = checkBase(family, "x", p.x);
    if (result.ok()) result = checkBase(family, "w", p.w);
    if (result.ok()) result = checkBase(family, "y", p.y);
    if (result.ok() && p.bias != nullptr) result = checkBase(family, "bias", p.bias);
    if (result.ok() && p.bias != nullptr && pass != ConvPass::kForward) {
        result = Result::fail(Status::kUnsupported, "%s: bias belongs to the forward pass", family);
    }
    if (result.ok() && p.workspace != nullptr) result = checkBase(family, "workspace", p.workspace);
    if (!result.ok()) return LaunchSequence::refused(result);
    switch (pass) {
        case ConvPass::kForward: return depthwise_detail::planForward(p, false, limits);
        case ConvPass::kDataGradient: return depthwise_detail::planForward(p, true, limits);
        case ConvPass::kWeightGradient: return depthwise_detail::planWeightGradient(p, limits);
    }
    return LaunchSequence::refused(Result::fail(Status::kUnsupported, "%s: unknown pass", family));
}

}  // namespace effconv
