#include "sampled_reference.h"

#include <algorithm>
#include <cmath>

#include "effconv/random.h"

namespace effconv::bench {

namespace {

constexpr int kSamples = 128;
constexpr int kGradientSamples = 24;  // each one is a sum over all pixels of the batch

struct ErrorNorm {
    double difference = 0, size = 0;
    void add(double got, double want) {
        difference += (got - want) * (got - want);
        size += want * want;
    }
    double value() const { return std::sqrt(difference / size); }
};

/// Number of a sample below `bound`.
int draw(int sample, int word, int bound) {
    return static_cast<int>(randomBelow(randomBlock(2, 0, static_cast<std::uint64_t>(sample)).word[word],
                                        static_cast<std::uint32_t>(bound)));
}

/// Elements of one convolution's tensors by coordinates.
class ConvData {
public:
    ConvData(const Case& test) : s_(test.shape), bf16_(test.bf16), perGroup_(s_.inChannels / s_.groups) {}

    std::size_t xIndex(int n, int row, int column, int c) const {
        return static_cast<std::size_t>(n * s_.xImageStride + row * s_.xRowStride + column * s_.xPixelStride + c);
    }
    std::size_t yIndex(int n, int row, int column, int c) const {
        return static_cast<std::size_t>(n * s_.yImageStride + row * s_.yRowStride + column * s_.yPixelStride + c);
    }
    std::size_t wIndex(int o, int r, int t, int i) const {
        return ((std::size_t(o) * s_.kernel + r) * s_.kernel + t) * perGroup_ + i;
    }
    double x(int n, int row, int column, int c) const {
        if (row < 0 || row >= s_.height || column < 0 || column >= s_.width) return 0;
        return randomElement(xIndex(n, row, column, c), bf16_, kStreamX);
    }
    double y(int n, int row, int column, int c) const {
        return randomElement(yIndex(n, row, column, c), bf16_, kStreamY);
    }
    double w(int o, int r, int t, int i) const { return randomElement(wIndex(o, r, t, i), bf16_, kStreamW); }
    int perGroup() const { return perGroup_; }
    int firstInput(int o) const { return o / (s_.outChannels / s_.groups) * perGroup_; }

private:
    const ConvShape& s_;
    bool bf16_;
    int perGroup_;
};

double forwardAt(const ConvShape& s, const ConvData& data, int n, int oy, int ox, int o) {
    double sum = 0;
    for (int r = 0; r < s.kernel; ++r)
        for (int t = 0; t < s.kernel; ++t)
            for (int i = 0; i < data.perGroup(); ++i) {
                sum += data.x(n, oy * s.stride + r - s.padding(), ox * s.stride + t - s.padding(),
                              data.firstInput(o) + i) *
                       data.w(o, r, t, i);
            }
    return sum;
}

double dataGradientAt(const ConvShape& s, const ConvData& data, int n, int row, int column, int c) {
    const int outPerGroup = s.outChannels / s.groups;
    const int firstOut = c / data.perGroup() * outPerGroup;
    double sum = 0;
    for (int r = 0; r < s.kernel; ++r)
        for (int t = 0; t < s.kernel; ++t) {
            const int oy = row + s.padding() - r, ox = column + s.padding() - t;
            if (oy < 0 || ox < 0 || oy % s.stride != 0 || ox % s.stride != 0) continue;
            if (oy / s.stride >= s.outHeight() || ox / s.stride >= s.outWidth()) continue;
            for (int o = firstOut; o < firstOut + outPerGroup; ++o) {
                sum += data.y(n, oy / s.stride, ox / s.stride, o) * data.w(o, r, t, c % data.perGroup());
            }
        }
    return sum;
}

double weightGradientAt(const ConvShape& s, const ConvData& data, int o, int r, int t, int i) {
    double sum = 0;
    for (int n = 0; n < s.batch; ++n)
        for (int oy = 0; oy < s.outHeight(); ++oy)
            for (int ox = 0; ox < s.outWidth(); ++ox) {
                sum += data.x(n, oy * s.stride + r - s.padding(), ox * s.stride + t - s.padding(),
                              data.firstInput(o) + i) *
                       data.y(n, oy, ox, o);
            }
    return sum;
}

double randomFeature(std::size_t index) {
    return randomElement(index, false, kStreamX);
}
double randomCoefficient(std::size_t index) {
    return randomElement(index, false, kStreamY);
}

/// The last layer: the largest of its network.
const SynthesisLayer& sampledLayer(const Case& test) {
    return test.layers.back();
}

double scaledMask(const SynthesisLayer& layer, int tap) {
    return layer.scale * tapMask<double>(layer, tap, layer.kgrid - 0.5).m;
}

std::size_t weightIndex(const SynthesisLayer& layer, int tap, int column) {
    return static_cast<std::size_t>(layer.weightOffset + column / layer.cin * layer.weightStride +
                                    std::int64_t(tap) * layer.cin + column % layer.cin);
}

}  // namespace

double sampledConvError(const Case& test, const CudaMemory& out, bool bf16) {
    const ConvShape& s = test.shape;
    const ConvData data(test);
    ErrorNorm error;
    const int samples = test.pass == ConvPass::kWeightGradient ? kGradientSamples : kSamples;
    for (int sample = 0; sample < samples; ++sample) {
        const auto drawn = [&](int word, int bound) { return draw(sample, word, bound); };
        if (test.pass == ConvPass::kForward) {
            const int n = drawn(0, s.batch), oy = drawn(1, s.outHeight()), ox = drawn(2, s.outWidth()),
                      o = drawn(3, s.outChannels);
            error.add(out.at(data.yIndex(n, oy, ox, o), bf16), forwardAt(s, data, n, oy, ox, o));
        } else if (test.pass == ConvPass::kDataGradient) {
            const int n = drawn(0, s.batch), row = drawn(1, s.height), column = drawn(2, s.width),
                      c = drawn(3, s.inChannels);
            error.add(out.at(data.xIndex(n, row, column, c), bf16), dataGradientAt(s, data, n, row, column, c));
        } else {
            const int o = drawn(0, s.outChannels), r = drawn(1, s.kernel), t = drawn(2, s.kernel),
                      i = drawn(3, data.perGroup());
            error.add(out.at(data.wIndex(o, r, t, i), bf16), weightGradientAt(s, data, o, r, t, i));
        }
    }
    return error.value();
}

SynthesisSizes synthesisSizes(const Case& test) {
    SynthesisSizes sizes;
    for (const SynthesisLayer& layer : test.layers) {
        const std::int64_t taps = std::int64_t(layer.kgrid) * layer.kgrid;
        const auto grow = [](std::size_t& size, std::int64_t end) {
            size = std::max(size, static_cast<std::size_t>(end));
        };
        grow(sizes.features, layer.featureOffset + taps * layer.featureStride);
        grow(sizes.coefficients, layer.coefficientOffset + layer.features * layer.coefficientStride);
        grow(sizes.weights, layer.weightOffset + layer.cout * layer.weightStride);
        sizes.v.push_back(static_cast<float>(layer.kgrid) - 0.5f);
    }
    return sizes;
}

double sampledSynthesisError(const Case& test, const CudaMemory& weights) {
    const SynthesisLayer& layer = sampledLayer(test);
    ErrorNorm error;
    for (int sample = 0; sample < kSamples; ++sample) {
        const int tap = draw(sample, 0, layer.kgrid * layer.kgrid), column = draw(sample, 1, layer.cin * layer.cout);
        double sum = 0;
        for (int f = 0; f < layer.features; ++f) {
            sum += randomFeature(layer.featureOffset + tap * layer.featureStride + f) *
                   randomCoefficient(layer.coefficientOffset + f * layer.coefficientStride + column);
        }
        error.add(weights.at(weightIndex(layer, tap, column), test.bf16), scaledMask(layer, tap) * sum);
    }
    return error.value();
}

double sampledSynthesisGradientError(const Case& test, const CudaMemory& dH, const CudaMemory& dA) {
    const SynthesisLayer& layer = sampledLayer(test);
    const int taps = layer.kgrid * layer.kgrid, columns = layer.cin * layer.cout;
    const auto gradient = [&](int tap, int column) {
        return randomElement(weightIndex(layer, tap, column), test.bf16, kStreamW);
    };
    ErrorNorm features, coefficients;
    for (int sample = 0; sample < kSamples; ++sample) {
        const int tap = draw(sample, 0, taps), column = draw(sample, 1, columns), f = draw(sample, 2, layer.features);
        const std::size_t feature = layer.featureOffset + tap * layer.featureStride + f;
        const std::size_t coefficient = layer.coefficientOffset + f * layer.coefficientStride + column;
        double sumOverColumns = 0, sumOverTaps = 0;
        for (int other = 0; other < columns; ++other) {
            sumOverColumns +=
                gradient(tap, other) * randomCoefficient(layer.coefficientOffset + f * layer.coefficientStride + other);
        }
        for (int other = 0; other < taps; ++other) {
            sumOverTaps += scaledMask(layer, other) * gradient(other, column) *
                           randomFeature(layer.featureOffset + other * layer.featureStride + f);
        }
        features.add(dH.at(feature, false), scaledMask(layer, tap) * sumOverColumns);
        coefficients.add(dA.at(coefficient, false), sumOverTaps);
    }
    return std::max(features.value(), coefficients.value());
}

}  // namespace effconv::bench
