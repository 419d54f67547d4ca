// What the convolution families share: the shape, its checks, and the arithmetic of taps that lie inside the image.
//
// Convolutions are "same": padding (k - 1) / 2 on every side, so outHeight = (height - 1) / stride + 1. Activations are
// NHWC with channel stride 1, weights KRSC: [outChannels][k][k][inChannels / groups], contiguous.
#pragma once

#include <algorithm>

#include "effconv/launch_sequence.h"

namespace effconv {

/// One convolution. x is [batch, height, width, inChannels], y is [batch, outHeight, outWidth, outChannels].
struct ConvShape {
    std::int32_t batch = 0;
    std::int32_t height = 0;
    std::int32_t width = 0;
    std::int32_t inChannels = 0;
    std::int32_t outChannels = 0;
    std::int32_t groups = 1;
    std::int32_t kernel = 0;                                          ///< k, odd, 1..33
    std::int32_t stride = 1;                                          ///< 1 or 2
    std::int64_t xImageStride = 0, xRowStride = 0, xPixelStride = 0;  ///< in elements
    std::int64_t yImageStride = 0, yRowStride = 0, yPixelStride = 0;  ///< in elements

    EC_HD int outHeight() const { return (height - 1) / stride + 1; }
    EC_HD int outWidth() const { return (width - 1) / stride + 1; }
    EC_HD int padding() const { return (kernel - 1) / 2; }

    /// Sets the strides of contiguous NHWC tensors.
    void setContiguousStrides() {
        xPixelStride = inChannels;
        xRowStride = xPixelStride * width;
        xImageStride = xRowStride * height;
        yPixelStride = outChannels;
        yRowStride = yPixelStride * outWidth();
        yImageStride = yRowStride * outHeight();
    }
};

/// Which of the three products of a convolution.
///   forward          reads x, w     writes y
///   data gradient    reads y (dL/dy), w    writes x (dL/dx)
///   weight gradient  reads x, y (dL/dy)    writes w (dL/dw)
enum class ConvPass : std::int32_t { kForward = 0, kDataGradient = 1, kWeightGradient = 2 };

/// Refuses shapes that no convolution kernel serves.
inline Result checkConvShape(const char* family, const ConvShape& shape) {
    Result result;
    if (!(result = checkCount(family, "batch", shape.batch)).ok()) return result;
    if (!(result = checkCount(family, "height", shape.height, 32768)).ok()) return result;
    if (!(result = checkCount(family, "width", shape.width, 32768)).ok()) return result;
    if (!(result = checkCount(family, "inChannels", shape.inChannels, 1 << 20)).ok()) return result;
    if (!(result = checkCount(family, "outChannels", shape.outChannels, 1 << 20)).ok()) return result;
    if (!(result = checkCount(family, "groups", shape.groups)).ok()) return result;
    if (!(result = checkKernelSize(family, "kernel", shape.kernel)).ok()) return result;
    if (!(result = checkCount(family, "stride", shape.stride, 2)).ok()) return result;
    if (shape.inChannels % shape.groups != 0 || shape.outChannels % shape.groups != 0) {
        return Result::fail(Status::kInvalidShape, "%s: %d groups do not divide %d input and %d output channels",
                            family, shape.groups, shape.inChannels, shape.outChannels);
    }
    result = checkStrides(family, "x", shape.xImageStride, shape.xRowStride, shape.xPixelStride, shape.inChannels,
                          shape.width, shape.height);
    if (!result.ok()) return result;
    return checkStrides(family, "y", shape.yImageStride, shape.yRowStride, shape.yPixelStride, shape.outChannels,
                        shape.outWidth(), shape.outHeight());
}

/// Half-open range of integers.
struct Range {
    int low;
    int high;
};

/// Taps t in [0, k) for which some output o in [first, last] reads inside: 0 <= o stride + t - padding < extent.
EC_HD Range insideTaps(int first, int last, int stride, int padding, int kernel, int extent) {
    int low = padding - last * stride;
    int high = extent + padding - first * stride;
    low = low < 0 ? 0 : low;
    high = high > kernel ? kernel : high;
    return {low, high < low ? low : high};
}

/// Input coordinates that the taps read for outputs [first, last], cut to the image and divided by the dilation: a data
/// gradient of stride 2 reads dy as if zeros stood between its elements, at extent dilation (n - 1) + 1.
EC_HD Range insideInputs(int first, int last, int stride, int padding, Range taps, int extent, int dilation) {
    int low = first * stride + taps.low - padding;
    int high = last * stride + taps.high - 1 - padding;
    low = low < 0 ? 0 : low;
    high = high > extent - 1 ? extent - 1 : high;
    if (taps.high <= taps.low || high < low) return {0, 0};
    return {(low + dilation - 1) / dilation, high / dilation + 1};
}

EC_HD int roundUp(int value, int multiple) {
    return (value + multiple - 1) / multiple * multiple;
}
EC_HD int ceilDivide(int value, int divisor) {
    return (value + divisor - 1) / divisor;
}

/// The smallest power of two that is at least value.
inline int powerOfTwoFrom(int value) {
    int power = 1;
    while (power < value) power *= 2;
    return power;
}

/// A convolution without its direction: "in" is walked over by the taps, "out" is written. A data gradient is the
/// forward product of dy with flipped taps, dilated by the stride.
struct TapWalk {
    int inHeight, inWidth;  ///< real size of what is read
    int extentY, extentX;   ///< its size with the dilation's zeros
    int outHeight, outWidth;
    int stride, dilation, padding;
    std::int64_t inImageStride, inRowStride, inPixelStride;
    std::int64_t outImageStride, outRowStride, outPixelStride;
};

EC_HD TapWalk tapWalk(const ConvShape& s, bool dataGradient) {
    TapWalk walk;
    walk.padding = s.padding();
    if (!dataGradient) {
        walk.inHeight = walk.extentY = s.height;
        walk.inWidth = walk.extentX = s.width;
        walk.outHeight = s.outHeight();
        walk.outWidth = s.outWidth();
        walk.stride = s.stride;
        walk.dilation = 1;
        walk.inImageStride = s.xImageStride, walk.inRowStride = s.xRowStride, walk.inPixelStride = s.xPixelStride;
        walk.outImageStride = s.yImageStride, walk.outRowStride = s.yRowStride, walk.outPixelStride = s.yPixelStride;
    } else {
        walk.inHeight = s.outHeight();
        walk.inWidth = s.outWidth();
        walk.dilation = s.stride;
        walk.extentY = (walk.inHeight - 1) * walk.dilation + 1;
        walk.extentX = (walk.inWidth - 1) * walk.dilation + 1;
        walk.outHeight = s.height;
        walk.outWidth = s.width;
        walk.stride = 1;
        walk.inImageStride = s.yImageStride, walk.inRowStride = s.yRowStride, walk.inPixelStride = s.yPixelStride;
        walk.outImageStride = s.xImageStride, walk.outRowStride = s.xRowStride, walk.outPixelStride = s.xPixelStride;
    }
    return walk;
}

}  // namespace effconv
