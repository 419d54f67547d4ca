// A small test registry for kernel tests. The same test sources run on the host shim and on a GPU.
//
//   EC_TEST(name) { ... }        a test; it fails by throwing (the checks below, KernelFault, anything std::exception)
//   program [--list] [--filter text] [--expect-failure]
//     --expect-failure  for builds with a planted fault: succeeds when at least one test fails, and names it
#pragma once

#include <cstdint>
#include <functional>
#include <stdexcept>
#include <string>
#include <vector>

namespace effconv::test {

class Failure : public std::runtime_error {
public:
    using std::runtime_error::runtime_error;
};

struct Registration {
    Registration(const char* name, void (*body)());
};

/// printf into a std::string.
#if defined(__GNUC__)
__attribute__((format(printf, 1, 2)))
#endif
std::string
text(const char* format, ...);

/// Deterministic random numbers (splitmix64): the same draws on every machine.
class Random {
public:
    explicit Random(std::uint64_t seed) : state_(seed) {}
    std::uint64_t bits() {
        std::uint64_t z = (state_ += 0x9e3779b97f4a7c15ull);
        z = (z ^ (z >> 30)) * 0xbf58476d1ce4e5b9ull;
        z = (z ^ (z >> 27)) * 0x94d049bb133111ebull;
        return z ^ (z >> 31);
    }
    /// Uniform integer in [low, high].
    int integer(int low, int high) {
        return low + static_cast<int>(bits() % static_cast<std::uint64_t>(high - low + 1));
    }
    /// Uniform in [-1, 1).
    float symmetric() { return static_cast<float>(static_cast<double>(bits() >> 11) / (1ull << 52)) - 1.0f; }
    template <typename T>
    T pick(std::initializer_list<T> values) {
        return values.begin()[integer(0, static_cast<int>(values.size()) - 1)];
    }

private:
    std::uint64_t state_;
};

/// Fails unless |got - want| <= accumulated * magnitude + rounded * |want| for every element; magnitude is the sum of
/// the absolute values of the terms that make up the element (an error bound that scales with the sum, not with its
/// result).
struct Tolerance {
    double accumulated;
    double rounded;
};
constexpr Tolerance kFp32Tolerance{2e-6, 1e-6};
constexpr Tolerance kBf16Tolerance{2e-6, 0.00391};  // fp32 sums, result rounded to 8 bits: half a unit is 2^-9
void checkClose(const std::string& what, const std::vector<float>& got, const std::vector<double>& want,
                const std::vector<double>& magnitude, Tolerance tolerance);

/// Fails unless both hold the same bits.
void checkSameBits(const std::string& what, const std::vector<float>& a, const std::vector<float>& b);

int runAll(int argc, char** argv);

}  // namespace effconv::test

#define EC_TEST(name)                                                                       \
    static void ecTest_##name();                                                            \
    static const ::effconv::test::Registration ecRegistration_##name(#name, ecTest_##name); \
    static void ecTest_##name()

#define EC_CHECK(condition)                                                                                         \
    do {                                                                                                            \
        if (!(condition)) {                                                                                         \
            throw ::effconv::test::Failure(std::string(__FILE__ ":") + std::to_string(__LINE__) + ": " #condition); \
        }                                                                                                           \
    } while (false)
