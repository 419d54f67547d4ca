// What the tests of the predictors' kernels share: widening, and an error bound for sums that feed on each other.
#pragma once

#include <algorithm>
#include <cmath>

#include "device.h"

namespace effconv::test {

using Floats = std::vector<float>;
using Doubles = std::vector<double>;

inline Doubles inDouble(const Floats& values) {
    return Doubles(values.begin(), values.end());
}

/// count values in offset + spread * [-1, 1).
inline Floats drawAround(std::size_t count, float offset, float spread, Random& random) {
    Floats values = randomValues(count, random, false);
    for (float& value : values) value = offset + spread * value;
    return values;
}

inline double largestOf(const Doubles& values) {
    double largest = 0;
    for (const double value : values) largest = std::max(largest, std::fabs(value));
    return largest;
}

/// Errors of a chain of sums spread over the whole array: they are measured against its largest element, or against
/// `least` where an array is the small difference of large terms. `condition` is how much the chain magnifies an error.
inline void checkArray(const std::string& what, const Floats& got, const Doubles& want, double condition = 1,
                       double least = 0) {
    checkClose(what, got, want, Doubles(want.size(), std::max(largestOf(want), least)), {3e-6 * condition, 0});
}

/// The array behind an address that is aligned to a float only, as a part of a larger tensor is.
class OddBuffer {
public:
    explicit OddBuffer(const Floats& values) : OddBuffer(values.size()) {
        copyToDevice(data(), values.data(), values.size() * sizeof(float));
    }
    explicit OddBuffer(std::size_t count) : buffer_(count + 1) {}
    float* data() const { return buffer_.data() + 1; }
    void poison() { buffer_.poison(); }
    /// The elements; fails when the one before them was written.
    Floats download() const {
        Floats values = buffer_.download();
        if (!std::isnan(values.front())) throw Failure("a kernel wrote in front of its output");
        values.erase(values.begin());
        return values;
    }

private:
    DeviceBuffer<float> buffer_;
};

}  // namespace effconv::test
