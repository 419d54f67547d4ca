#include "cuda_memory.h"

#include <algorithm>

#include "effconv/random.h"

namespace effconv::bench {

namespace {

constexpr std::size_t kPeriod = 1000003;

const std::vector<float>& table(bool bf16) {
    const auto make = [](bool rounded) {
        std::vector<float> values(kPeriod);
        for (std::size_t i = 0; i < kPeriod; ++i) {
            values[i] = 2.0f * randomUniform(1, 0, i) - 1.0f;
            if (rounded) values[i] = floatFromBf16(bf16FromFloat(values[i]));
        }
        return values;
    };
    static const std::vector<float> exact = make(false), rounded = make(true);
    return bf16 ? rounded : exact;
}

/// The table from `stream` on, repeated to `count` elements, converted by `convert`.
template <typename T, typename Convert>
CudaMemory upload(std::size_t count, bool bf16, Stream stream, Convert convert) {
    std::vector<T> values(count);
    const std::vector<float>& source = table(bf16);
    for (std::size_t i = 0; i < std::min(count, kPeriod); ++i) values[i] = convert(source[(i + stream) % kPeriod]);
    for (std::size_t i = kPeriod; i < count; i += kPeriod) {
        std::copy_n(values.begin(), std::min(kPeriod, count - i), values.begin() + static_cast<std::ptrdiff_t>(i));
    }
    return CudaMemory(values);
}

}  // namespace

double randomElement(std::size_t index, bool bf16, Stream stream) {
    return table(bf16)[(index % kPeriod + stream) % kPeriod];
}

CudaMemory randomMemory(std::size_t count, bool bf16, Stream stream) {
    if (bf16) return upload<std::uint16_t>(count, true, stream, bf16FromFloat);
    return upload<float>(count, false, stream, [](float value) { return value; });
}

}  // namespace effconv::bench
