// Host side of the dense (and grouped) convolution: parameters, checks, launches. See cuda/kernels/dense_conv.cu.
#pragma once

#include "effconv/kernels/convolution.h"

namespace effconv {

/// Passed to every kernel of the family by value. The caller fills what stands above the line, planDenseConv the rest.
struct DenseConvParams {
    ConvShape shape;
    void* x = nullptr;  ///< fp32 or bf16
    void* w = nullptr;  ///< KRSC: weights, or the weight gradient to be written
    void* y = nullptr;  ///< type of x
    // Epilogue of the forward pass: v = scale[o] * sum + bias[o];  y = relu(v + residual)
    const float* scale = nullptr;    ///< [outChannels], null: 1
    const float* bias = nullptr;     ///< [outChannels], null: 0
    const void* residual = nullptr;  ///< type and strides of y, null: 0
    float* channelSums = nullptr;  ///< [2][outChannels]: sums of v and of v * v over batch and pixels; null: not wanted
    float* workspace = nullptr;    ///< LaunchSequence::workspaceBytes (weight gradient, channelSums)
    std::int32_t relu = 0;
    std::int32_t bf16 = 0;                ///< type of x, y, residual and, forward and data gradient, of w
    std::int32_t weightGradientBf16 = 0;  ///< type of the weight gradient
    // -----------------------------------------------------------------------------------------------------------------
    std::int32_t widthShift = 0;   ///< a block's output tile: 2^widthShift columns,
    std::int32_t heightShift = 0;  ///< 2^heightShift rows,
    std::int32_t tileImages = 0;   ///< and this many images
    std::int32_t chunk = 0;        ///< channels in shared memory at a time
    std::int32_t ringTaps = 0;     ///< forward: taps of one stage of the weight ring
    std::int32_t outTile = 0;      ///< output channels of a block
    std::int32_t splits = 0;       ///< weight gradient: partial sums
    std::int64_t tiles = 0;        ///< output tiles
};

#define EC_KERNELS_dense_conv(X)                          \
    X(ec_dense_forward_f32_n16, DenseConvParams)          \
    X(ec_dense_forward_f32_n32, DenseConvParams)          \
    X(ec_dense_forward_f32_n64, DenseConvParams)          \
    X(ec_dense_forward_bf16_n16, DenseConvParams)         \
    X(ec_dense_forward_bf16_n32, DenseConvParams)         \
    X(ec_dense_forward_bf16_n64, DenseConvParams)         \
    X(ec_dense_data_gradient_f32_n16, DenseConvParams)    \
    X(ec_dense_data_gradient_f32_n32, DenseConvParams)    \
    X(ec_dense_data_gradient_f32_n64, DenseConvParams)    \
    X(ec_dense_data_gradient_bf16_n16, DenseConvParams)   \
    X(ec_dense_data_gradient_bf16_n32, DenseConvParams)   \
    X(ec_dense_data_gradient_bf16_n64, DenseConvParams)   \
    X(ec_dense_weight_gradient_f32, DenseConvParams)      \
    X(ec_dense_weight_gradient_bf16_c16, DenseConvParams) \
    X(ec_dense_weight_gradient_bf16_c32, DenseConvParams) \
    X(ec_dense_weight_gradient_bf16_c64, DenseConvParams) \
    X(ec_dense_weight_gradient_sum, DenseConvParams)      \
    X(ec_dense_channel_sums, DenseConvParams)

constexpr int kDensePixels = 128;  ///< output pixels of a block
constexpr int kDenseRingStages = 3;
constexpr int kDenseZeroBytes = 16;  ///< a block of zeros that taps outside the image read
constexpr int kDenseThreadsF32 = 256;
constexpr int kDenseThreadsBf16 = 128;

/// Elements between neighbouring rows of channels in shared memory: an odd number of 16-byte units where channels are
/// even.
EC_HD int densePitch(int channels, bool bf16) {
    return channels + (bf16 ? 8 : 4);
}

/// Elements of one tap of the weight ring: [outTile][chunk] forward, [chunk][outTile] in the data gradient.
EC_HD int denseTapElements(const DenseConvParams& p, bool dataGradient, bool bf16) {
    return dataGradient ? p.chunk * densePitch(p.outTile, bf16) : p.outTile * densePitch(p.chunk, bf16);
}

/// Taps that one block of the weight gradient sums: per warp 8, 2, 1 (bf16), per thread 4 (fp32).
EC_HD int denseGradientTaps(int chunk, bool bf16) {
    if (bf16) return 4 * (chunk == 16 ? 8 : chunk == 32 ? 2 : 1);
    return 4 * (kDenseThreadsF32 / (chunk / 4 * (chunk / 4)));
}

namespace dense_detail {

inline constexpr const char* kFamily = "dense_conv";

/// Largest halo in pixels of one image over the tiles of one axis, for taps in range (all taps inside when empty).
inline int haloExtent(int outputs, int tile, int stride, int padding, int kernel, int extent, int dilation,
                      int tapSpan) {
    int largest = 1;
    for (int o = 0; o < outputs; o += tile) {
        const int last = std::min(o + tile, outputs) - 1;
        const Range taps = insideTaps(o, last, stride, padding, kernel, extent);
        const Range inputs = insideInputs(o, last, stride, padding, taps, extent, dilation);
        largest = std::max(largest, inputs.high - inputs.low);
    }
    // A block that walks over tapSpan taps only reads as much less.
    return std::min(largest, (tile - 1) * stride + tapSpan);
}

/// Sets the tile to about 2^shifts pixels of one image and as many images as fill kDensePixels, at most mostImages.
inline void setTile(DenseConvParams& p, const TapWalk& walk, int widthShift, int heightShift,
                    int mostImages = kDensePixels) {
    p.widthShift = widthShift;
    p.heightShift = heightShift;
    const int pixels = 1 << (widthShift + heightShift);
    const bool wholeImage = (1 << widthShift) >= walk.outWidth && (1 << heightShift) >= walk.outHeight;
    p.tileImages = wholeImage ? std::min({p.shape.batch, kDensePixels / pixels, mostImages}) : 1;
    p.tiles = std::int64_t(ceilDivide(p.shape.batch, p.tileImages)) * ceilDivide(walk.outHeight, 1 << heightShift) *
              ceilDivide(walk.outWidth, 1 << widthShift);
}

inline int shiftFor(int value, int most) {
    int shift = 0;
    while (shift < most && (1 << shift) < value) ++shift;
    return shift;
}

inline std::int64_t haloBytes(const DenseConvParams& p, const TapWalk& walk, int tapSpanRows) {
    const int k = p.shape.kernel;
    const int rows = haloExtent(walk.outHeight, 1 << p.heightShift, walk.stride, walk.padding, k, walk.extentY,
                                walk.dilation, tapSpanRows);
    const int columns =
        haloExtent(walk.outWidth, 1 << p.widthShift, walk.stride, walk.padding, k, walk.extentX, walk.dilation, k);
    return std::int64_t(p.tileImages) * rows * columns * densePitch(p.chunk, p.bf16 != 0) * (p.bf16 ? 2 : 4);
}

inline std::int64_t forwardBytes(DenseConvParams& p, const TapWalk& walk, bool dataGradient, bool sums) {
    const int bytes = p.bf16 ? 2 : 4;
    const std::int64_t tap = std::int64_t(denseTapElements(p, dataGradient, p.bf16 != 0)) * bytes;
    p.ringTaps = static_cast<int>(std::clamp<std::int64_t>(8192 / tap, 1, p.shape.kernel * p.shape.kernel));
    const std::int64_t main = kDenseRingStages * p.ringTaps * tap + haloBytes(p, walk, p.shape.kernel);
    const std::int64_t partial = sums ? std::int64_t(16) * p.outTile * 2 * 4 : 0;
    return kDenseZeroBytes + std::max(main, partial);
}

inline LaunchSequence planForward(DenseConvParams& p, bool dataGradient, const DeviceLimits& limits) {
    const ConvShape& s = p.shape;
    const TapWalk walk = tapWalk(s, dataGradient);
    const int read = (dataGradient ? s.outChannels : s.inChannels) / s.groups;
    const int written = (dataGradient ? s.inChannels : s.outChannels) / s.groups;
    const bool sums = !dataGradient && p.channelSums != nullptr;
    const int unit = p.bf16 ? 16 : 4;
    p.outTile = written <= 16 ? 16 : written <= 32 ? 32 : 64;
    int widthShift = shiftFor(walk.outWidth, 4);
    int heightShift = shiftFor(walk.outHeight, 7 - widthShift);
    // The largest chunk of channels that leaves room for a second block; then any that fits; then smaller tiles.
    std::int64_t bytes = 0;
    const auto fits = [&](std::int64_t room) {
        setTile(p, walk, widthShift, heightShift);
        for (p.chunk = std::min(64, roundUp(read, unit)); p.chunk >= unit; p.chunk = p.chunk / 2 / unit * unit) {
            bytes = forwardBytes(p, walk, dataGradient, sums);
            if (bytes <= room) return true;
        }
        p.chunk = unit;
        return false;
    };
    bool found = fits(limits.sharedBytesPerBlock / 2) || fits(limits.sharedBytesPerBlock);
    while (!found && widthShift + heightShift > 3) {
        (heightShift > 0 ? heightShift : widthShift) -= 1;
        found = fits(limits.sharedBytesPerBlock);
    }
    LaunchPlan plan;
    plan.threads = p.bf16 ? kDenseThreadsBf16 : kDenseThreadsF32;
    plan.sharedBytes = bytes;
    plan.blocks = p.tiles * s.groups * ceilDivide(written, p.outTile);
    const char* const names[2][2][3] = {
        {{"ec_dense_forward_f32_n16", "ec_dense_forward_f32_n32", "ec_dense_forward_f32_n64"},
         {"ec_dense_forward_bf16_n16", "ec_dense_forward_bf16_n32", "ec_dense_forward_bf16_n64"}},
        {{"ec_dense_data_gradient_f32_n16", "ec_dense_data_gradient_f32_n32", "ec_dense_data_gradient_f32_n64"},
         {"ec_dense_data_gradient_bf16_n16", "ec_dense_data_gradient_bf16_n32", "ec_dense_data_gradient_bf16_n64"}}};
    LaunchSequence sequence;
    sequence.add(kFamily,
                 names[dataGradient][p.bf16 != 0][p.outTile == 16   ? 0
                                                  : p.outTile == 32 ? 1
                                                                    : 2],
                 plan, limits);
    if (sums) {
        sequence.workspaceBytes = p.tiles * 2 * s.outChannels * 4;
        LaunchPlan sum;
        sum.blocks = s.outChannels;
        sum.threads = 256;
        sum.sharedBytes = 2 * 256 * 4;
        sequence.add(kFamily, "ec_dense_channel_sums", sum, limits);
    }
    return sequence;
}

inline LaunchSequence planWeightGradient(DenseConvParams& p, const DeviceLimits& limits) {
    const ConvShape& s = p.shape;
    const TapWalk walk = tapWalk(s, false);
    const int in = s.inChannels / s.groups;
    const int out = s.outChannels / s.groups;
    const int wider = std::max(in, out);
    p.chunk = p.outTile = wider <= 16 ? 16 : wider <= 32 ? 32 : 64;
    const int taps = denseGradientTaps(p.chunk, p.bf16 != 0);
    const int tapGroups = ceilDivide(s.kernel * s.kernel, taps);
    const int tapRows = std::min(s.kernel, (taps - 2) / s.kernel + 2);
    int widthShift = shiftFor(walk.outWidth, 4);
    int heightShift = shiftFor(walk.outHeight, 7 - widthShift);
    const std::int64_t gradientBytes = std::int64_t(kDensePixels) * densePitch(p.chunk, p.bf16 != 0) * (p.bf16 ? 2 : 4);
    std::int64_t bytes = 0;
    // Where it does not fit: smaller tiles of one image, and fewer of the images that are too small to fill a tile.
    for (int images = kDensePixels;;) {
        setTile(p, walk, widthShift, heightShift, images);
        bytes = kDenseZeroBytes + gradientBytes + haloBytes(p, walk, tapRows);
        if (bytes <= limits.sharedBytesPerBlock) break;
        if (p.tileImages > 1) {
            images = p.tileImages / 2;
        } else if (widthShift + heightShift > 3) {
            (heightShift > 0 ? heightShift : widthShift) -= 1;
        } else {
            break;
        }
    }
    const std::int64_t parts = std::int64_t(tapGroups) * s.groups * ceilDivide(in, p.chunk) * ceilDivide(out, p.chunk);
    const std::int64_t weights = std::int64_t(s.outChannels) * s.kernel * s.kernel * in;
    const std::int64_t room = std::max<std::int64_t>(1, (std::int64_t(64) << 20) / (weights * 4));
    const std::int64_t wanted = 4 * std::int64_t(limits.multiprocessors) / parts;
    p.splits =
        static_cast<std::int32_t>(std::clamp<std::int64_t>(wanted, 1, std::min({p.tiles, room, std::int64_t(256)})));
    LaunchSequence sequence;
    sequence.workspaceBytes = weights * p.splits * 4;
    LaunchPlan partial;
    partial.threads = p.bf16 ? kDenseThreadsBf16 : kDenseThreadsF32;
    partial.sharedBytes = bytes;
    partial.blocks = parts * p.splits;
    const char* const bf16Names[3] = {"ec_dense_weight_gradient_bf16_c16", "ec_dense_weight_gradient_bf16_c32",
                                      "ec_dense_weight_gradient_bf16_c64"};
    sequence.add(kFamily,
                 p.bf16 ? bf16Names[p.chunk == 16   ? 0
                                    : p.chunk == 32 ? 1
                                                    : 2]
                        : "ec_dense_weight_gradient_f32",
                 partial, limits);
    LaunchPlan sum;
    sum.threads = 256;
    sum.blocks = std::min<std::int64_t>((weights + 255) / 256, 4096);
    sequence.add(kFamily, "ec_dense_weight_gradient_sum", sum, limits);
    return sequence;
}

}  // namespace dense_detail

/// Checks the request, fills the lower part of the parameters and returns the launches. The workspace may still be null
/// (a caller learns its size here); its pointer must be set before the launch.
inline LaunchSequence planDenseConv(DenseConvParams& p, ConvPass pass, const DeviceLimits& limits) {
    const char* family = dense_detail::kFamily;
    Result result = checkConvShape(family, p.shape);
    if (result.ok()) result = checkBase(family, "x", p.x);
    if (result.ok()) result = checkBase(family, "w", p.w);
    if (result.ok()) result = checkBase(family, "y", p.y);
    const struct {
        const char* name;
        const void* pointer;
    } optional[] = {{"scale", p.scale},
                    {"bias", p.bias},
                    {"residual", p.residual},
                    {"channelSums", p.channelSums},
                    {"workspace", p.workspace}};
    for (const auto& argument : optional) {
        if (result.ok() && argument.pointer != nullptr) result = checkBase(family, argument.name, argument.pointer);
    }
    const bool epilogue = p.scale || p.bias || p.residual || p.channelSums || p.relu;
    if (result.ok() && epilogue && pass != ConvPass::kForward) {
        result = Result::fail(Status::kUnsupported,
                              "%s: scale, bias, residual, relu and channelSums belong to the forward pass", family);
    }
    if (!result.ok()) return LaunchSequence::refused(result);
    switch (pass) {
        case ConvPass::kForward: return dense_detail::planForward(p, false, limits);
        case ConvPass::kDataGradient: return dense_detail::planForward(p, true, limits);
        case ConvPass::kWeightGradient: return dense_detail::planWeightGradient(p, limits);
    }
    return LaunchSequence::refused(Result::fail(Status::kUnsupported, "%s: unknown pass", family));
}

}  // namespace effconv
