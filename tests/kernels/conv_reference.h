// fp64 convolution over contiguous NHWC / KRSC arrays, term by term: the plainest possible loops, nothing shared with
// the kernels but the meaning of ConvShape. Each product also returns the sum of the absolute values of its terms.
#pragma once

#include <cmath>
#include <vector>

#include "effconv/kernels/convolution.h"
#include "test.h"

namespace effconv::test {

struct Reference {
    std::vector<double> value;
    std::vector<double> magnitude;

    explicit Reference(std::size_t count) : value(count, 0.0), magnitude(count, 0.0) {}
    void add(std::size_t index, double term) {
        value[index] += term;
        magnitude[index] += std::fabs(term);
    }
};

/// Calls term(xIndex, wIndex, yIndex) for every product of the convolution.
template <typename Term>
void forEachTerm(const ConvShape& s, Term term) {
    const int groupIn = s.inChannels / s.groups, groupOut = s.outChannels / s.groups;
    for (int n = 0; n < s.batch; ++n)
        for (int oy = 0; oy < s.outHeight(); ++oy)
            for (int ox = 0; ox < s.outWidth(); ++ox)
                for (int r = 0; r < s.kernel; ++r) {
                    const int y = oy * s.stride + r - s.padding();
                    if (y < 0 || y >= s.height) continue;
                    for (int t = 0; t < s.kernel; ++t) {
                        const int x = ox * s.stride + t - s.padding();
                        if (x < 0 || x >= s.width) continue;
                        for (int o = 0; o < s.outChannels; ++o)
                            for (int i = 0; i < groupIn; ++i) {
                                const std::size_t pixel = (std::size_t(n) * s.height + y) * s.width + x;
                                const std::size_t out = (std::size_t(n) * s.outHeight() + oy) * s.outWidth() + ox;
                                term(pixel * s.inChannels + o / groupOut * groupIn + i,
                                     ((std::size_t(o) * s.kernel + r) * s.kernel + t) * groupIn + i,
                                     out * s.outChannels + o);
                            }
                    }
                }
}

inline std::size_t xCount(const ConvShape& s) {
    return std::size_t(s.batch) * s.height * s.width * s.inChannels;
}
inline std::size_t yCount(const ConvShape& s) {
    return std::size_t(s.batch) * s.outHeight() * s.outWidth() * s.outChannels;
}
inline std::size_t wCount(const ConvShape& s) {
    return std::size_t(s.outChannels) * s.kernel * s.kernel * (s.inChannels / s.groups);
}

/// The product that the pass writes: y from x, w; x from y, w; or w from x, y.
inline Reference referenceConv(const ConvShape& s, ConvPass pass, const std::vector<float>& x,
                               const std::vector<float>& w, const std::vector<float>& y) {
    Reference result(pass == ConvPass::kForward ? yCount(s) : pass == ConvPass::kDataGradient ? xCount(s) : wCount(s));
    forEachTerm(s, [&](std::size_t xi, std::size_t wi, std::size_t yi) {
        switch (pass) {
            case ConvPass::kForward: result.add(yi, double(x[xi]) * w[wi]); break;
            case ConvPass::kDataGradient: result.add(xi, double(y[yi]) * w[wi]); break;
            case ConvPass::kWeightGradient: result.add(wi, double(x[xi]) * y[yi]); break;
        }
    });
    return result;
}

inline const char* passName(ConvPass pass) {
    return pass == ConvPass::kForward        ? "forward"
           : pass == ConvPass::kDataGradient ? "data gradient"
                                             : "weight gradient";
}

/// A tensor inside a larger one: pixels, rows and images lie apart by the shape's strides. spread puts contiguous
/// values at those places of an array of NaN; gather takes them out again.
struct Placement {
    int batch, height, width, channels;
    std::int64_t imageStride, rowStride, pixelStride;

    std::size_t extent() const { return static_cast<std::size_t>(batch * imageStride); }
    template <typename Visit>
    void visit(Visit visit) const {
        std::size_t index = 0;
        for (int n = 0; n < batch; ++n)
            for (int y = 0; y < height; ++y)
                for (int x = 0; x < width; ++x)
                    for (int c = 0; c < channels; ++c)
                        visit(index++, static_cast<std::size_t>(n * imageStride + y * rowStride + x * pixelStride + c));
    }
    std::vector<float> spread(const std::vector<float>& values) const {
        std::vector<float> placed(extent(), std::nanf(""));
        visit([&](std::size_t from, std::size_t to) { placed[to] = values[from]; });
        return placed;
    }
    /// Fails when something other than poison stands between the tensor's elements.
    std::vector<float> gather(std::vector<float> placed) const {
        std::vector<float> values(std::size_t(batch) * height * width * channels);
        visit([&](std::size_t to, std::size_t from) {
            values[to] = placed[from];
            placed[from] = std::nanf("");
        });
        for (const float between : placed) {
            if (!std::isnan(between)) throw Failure("a kernel wrote between the elements of its output");
        }
        return values;
    }
};

inline Placement placementOfX(const ConvShape& s) {
    return {s.batch, s.height, s.width, s.inChannels, s.xImageStride, s.xRowStride, s.xPixelStride};
}
inline Placement placementOfY(const ConvShape& s) {
    return {s.batch, s.outHeight(), s.outWidth(), s.outChannels, s.yImageStride, s.yRowStride, s.yPixelStride};
}

/// Strides with gaps between pixels, rows and images.
inline void setGappedStrides(ConvShape& s, int pixelGap, int rowGap, int imageGap) {
    s.xPixelStride = s.inChannels + pixelGap;
    s.xRowStride = s.xPixelStride * s.width + rowGap;
    s.xImageStride = s.xRowStride * s.height + imageGap;
    s.yPixelStride = s.outChannels + pixelGap;
    s.yRowStride = s.yPixelStride * s.outWidth() + rowGap;
    s.yImageStride = s.yRowStride * s.outHeight() + imageGap;
}

inline std::string describe(const ConvShape& s, ConvPass pass, bool bf16) {
    return text("%s %s n%d %dx%d C%d K%d g%d k%d stride %d", passName(pass), bf16 ? "bf16" : "fp32", s.batch, s.height,
                s.width, s.inChannels, s.outChannels, s.groups, s.kernel, s.stride);
}

}  // namespace effconv::test
