// The depthwise weight gradient, whose vectors are as wide as the instruction set's, in each variant that this
// processor runs, against sums in double.

#include <cmath>
#include <cstdint>
#include <cstdio>
#include <cstring>
#include <string>
#include <vector>

#include "cpu/level.h"
#include "effconv.h"
#include "test.h"

extern "C" decltype(ec_depthwise_weight_gradient) ec_depthwise_weight_gradient_v1, ec_depthwise_weight_gradient_v3,
    ec_depthwise_weight_gradient_v4;

namespace {

using namespace effconv::test;

struct Variant {
    const char* name;
    decltype(&ec_depthwise_weight_gradient) depthwise;
    bool runs;
};

__attribute__((no_sanitize("address"))) effconv::cpu::Level processor() {
    return effconv::cpu::level();
}

std::vector<Variant> variants() {
    using namespace effconv::cpu;
    return {{"x86-64", ec_depthwise_weight_gradient_v1, true},
            {"x86-64-v3", ec_depthwise_weight_gradient_v3, processor() >= kAvx2},
            {"x86-64-v4", ec_depthwise_weight_gradient_v4, processor() >= kAvx512}};
}

struct Case {
    int n, h, w, c, size, stride;
    bool bf16, bias;

    int outH() const { return (h - 1) / stride + 1; }
    int outW() const { return (w - 1) / stride + 1; }
    std::string text() const {
        return effconv::test::text("%d x %d x %d x %d, size %d, stride %d%s%s", n, h, w, c, size, stride,
                                   bf16 ? ", bf16" : "", bias ? ", bias" : "");
    }
};

/// Values as an operation reads them, and the same in float.
struct Values {
    std::vector<float> floats;
    std::vector<std::uint16_t> halves;

    Values(std::size_t count, bool bf16, Random& random) : floats(count), halves(bf16 ? count : 0) {
        for (std::size_t i = 0; i < count; ++i) {
            floats[i] = random.symmetric();
            if (bf16) {  // cut to the upper half, which is a bf16
                std::uint32_t bits;
                std::memcpy(&bits, &floats[i], 4);
                halves[i] = static_cast<std::uint16_t>(bits >> 16);
                bits &= 0xffff0000u;
                std::memcpy(&floats[i], &bits, 4);
            }
        }
    }
    const void* data() const { return halves.empty() ? static_cast<const void*>(floats.data()) : halves.data(); }
};

struct Sums {
    std::vector<double> values, magnitudes;
    explicit Sums(std::size_t count) : values(count), magnitudes(count) {}
    void add(std::size_t at, double term) {
        values[at] += term;
        magnitudes[at] += std::fabs(term);
    }
};

Sums filterSums(const Case& p, const Values& x, const Values& dy) {
    Sums sums(static_cast<std::size_t>(p.c) * p.size * p.size);
    const int pad = p.size / 2;
    for (int n = 0; n < p.n; ++n)
        for (int oh = 0; oh < p.outH(); ++oh)
            for (int ow = 0; ow < p.outW(); ++ow)
                for (int r = 0; r < p.size; ++r)
                    for (int s = 0; s < p.size; ++s) {
                        const int ih = oh * p.stride + r - pad, iw = ow * p.stride + s - pad;
                        if (ih < 0 || ih >= p.h || iw < 0 || iw >= p.w) continue;
                        for (int c = 0; c < p.c; ++c) {
                            const double a = x.floats[((static_cast<std::size_t>(n) * p.h + ih) * p.w + iw) * p.c + c];
                            const double b =
                                dy.floats[((static_cast<std::size_t>(n) * p.outH() + oh) * p.outW() + ow) * p.c + c];
                            sums.add((static_cast<std::size_t>(c) * p.size + r) * p.size + s, a * b);
                        }
                    }
    return sums;
}

Sums biasSums(const Case& p, const Values& dy) {
    Sums sums(p.c);
    for (std::size_t i = 0; i < dy.floats.size(); ++i) sums.add(i % p.c, dy.floats[i]);
    return sums;
}

void check(const Case& p, std::uint64_t seed) {
    Random random(seed);
    const Values x(static_cast<std::size_t>(p.n) * p.h * p.w * p.c, p.bf16, random);
    const Values dy(static_cast<std::size_t>(p.n) * p.outH() * p.outW() * p.c, p.bf16, random);
    const Sums filters = filterSums(p, x, dy);
    const Sums bias = biasSums(p, dy);
    for (const Variant& variant : variants()) {
        if (!variant.runs) continue;
        std::vector<float> dw(filters.values.size(), 7), db(p.c, 7);
        const ec_status status = variant.depthwise(p.bf16 ? EC_BF16 : EC_F32, p.n, p.h, p.w, p.c, p.size, p.stride,
                                                   x.data(), dy.data(), dw.data(), p.bias ? db.data() : nullptr);
        EC_CHECK(status == EC_OK);
        const std::string what = std::string(variant.name) + ", " + p.text();
        checkClose(what, dw, filters.values, filters.magnitudes, kFp32Tolerance);
        if (p.bias) checkClose(what + ", bias", db, bias.values, bias.magnitudes, kFp32Tolerance);
    }
}

EC_TEST(awkward_shapes) {
    std::uint64_t seed = 1;
    for (const int size : {1, 3, 5, 7, 9, 15, 17, 27})
        for (const int stride : {1, 2})
            for (const int c : {1, 4, 7, 8, 16, 17, 33})
                for (const bool bf16 : {false, true}) {
                    check({2, 9, 5, c, size, stride, bf16, c % 2 == 1}, seed++);  // narrower than most kernels
                    check({1, 4, 13, c, size, stride, bf16, c % 2 == 0}, seed++);
                }
}

EC_TEST(several_bands_of_an_image) {
    check({3, 70, 67, 19, 7, 1, true, true}, 1001);
}

EC_TEST(drawn_shapes) {
    Random random(77);
    for (int draw = 0; draw < 40; ++draw) {
        const Case p{random.integer(1, 5),      random.integer(1, 20),        random.integer(1, 20),
                     random.integer(1, 40),     2 * random.integer(0, 6) + 1, random.integer(1, 3),
                     random.integer(0, 1) == 1, random.integer(0, 1) == 1};
        check(p, 2000 + draw);
    }
}

EC_TEST(tells_what_this_processor_does_not_run) {
    for (const Variant& v : variants()) {
        if (!v.runs) std::printf("skipped: variant %s, which this processor does not run\n", v.name);
    }
}

}  // namespace
