// Element-by-element operations against fp64 (conversions and dropout: against the exact bits), over chosen and drawn
// counts, types and alignments, three thread orders. What stands before and behind an output must stay as it is.
#include "effconv/kernels/elementwise.h"

#include <cmath>
#include <tuple>
#include <utility>

#include "device.h"
#include "effconv/random.h"

using namespace effconv;
using namespace effconv::test;

namespace {

using Op = ElementwiseOperation;
using Floats = std::vector<float>;
using Doubles = std::vector<double>;

/// `count` elements of any type, `offset` elements behind an aligned address, between bytes of poison.
class Elements {
public:
    Elements(const Doubles& values, std::int32_t type, int offset) : Elements(values.size(), type, offset) {
        set(values);
    }
    Elements(std::size_t count, std::int32_t type, int offset)
        : type_(type),
          bytes_(elementwise_detail::bytesOf(type)),
          count_(count),
          offset_(offset),
          buffer_((offset + count) * bytes_ + 64) {}

    void* data() const { return buffer_.data() + std::size_t(offset_) * bytes_; }
    void set(const Doubles& values) {
        std::vector<unsigned char> bytes(buffer_.size(), 0xff);
        for (std::size_t i = 0; i < count_; ++i) {
            unsigned char* at = &bytes[(offset_ + i) * bytes_];
            const float real = static_cast<float>(values[i]);
            const std::int32_t whole = type_ == kI32 || type_ == kU8 ? static_cast<std::int32_t>(values[i]) : 0;
            const std::uint16_t half = bf16FromFloat(real);
            const std::uint8_t byte = static_cast<std::uint8_t>(whole);
            const void* from = type_ == kF32    ? static_cast<const void*>(&real)
                               : type_ == kBf16 ? &half
                               : type_ == kI32  ? static_cast<const void*>(&whole)
                                                : &byte;
            std::memcpy(at, from, bytes_);
        }
        copyToDevice(buffer_.data(), bytes.data(), bytes.size());
    }
    void poison() { buffer_.poison(); }
    /// The elements; fails when a byte outside them is no longer poison.
    Doubles get() const {
        const std::vector<unsigned char> bytes = buffer_.download();
        for (std::size_t i = 0; i < bytes.size(); ++i) {
            const bool inside = i >= offset_ * bytes_ && i < (offset_ + count_) * bytes_;
            if (!inside && bytes[i] != 0xff) throw Failure(text("byte %zu outside the output was written", i));
        }
        Doubles values(count_);
        for (std::size_t i = 0; i < count_; ++i) {
            const unsigned char* at = &bytes[(offset_ + i) * bytes_];
            float real;
            std::int32_t whole;
            std::uint16_t half;
            if (type_ == kF32) std::memcpy(&real, at, 4), values[i] = real;
            if (type_ == kBf16) std::memcpy(&half, at, 2), values[i] = floatFromBf16(half);
            if (type_ == kI32) std::memcpy(&whole, at, 4), values[i] = whole;
            if (type_ == kU8) values[i] = *at;
        }
        return values;
    }

private:
    std::int32_t type_;
    std::size_t bytes_, count_, offset_;
    DeviceBuffer<unsigned char> buffer_;
};

struct Request {
    Op operation = Op::kActivation;
    std::int64_t count = 1;
    std::int32_t aType = kF32, yType = kF32, activation = kNoActivation;
    int offset = 0;  ///< elements behind an aligned address
    double value = 0;
    std::uint64_t seed = 0;
    bool seedInMemory = false, inPlace = false;
    bool valueInMemory = false;
    float norm = 0;  ///< accumulate: in memory, unless 0
};

std::string describe(const Request& r) {
    return text("operation %d, %lld elements, types %d -> %d, activation %d, offset %d%s",
                static_cast<int>(r.operation), static_cast<long long>(r.count), r.aType, r.yType, r.activation,
                r.offset, r.inPlace ? ", in place" : "");
}

/// Runs the request under all thread orders, checks that they agree, returns y.
Doubles run(const Request& r, const Doubles& a, const Doubles& b, const Doubles& before) {
    Elements left(a, r.aType, r.offset), right(b, r.yType, r.offset), out(r.count, r.yType, r.offset);
    DeviceBuffer<std::uint64_t> seed(std::vector<std::uint64_t>{r.seed});
    ElementwiseParams p;
    p.a = left.data();
    p.b = right.data();
    p.y = r.inPlace ? left.data() : out.data();
    p.count = r.count;
    p.aType = r.aType;
    p.yType = r.yType;
    p.activation = r.activation;
    p.value = r.value;
    p.seed = r.seedInMemory ? ~r.seed : r.seed;
    if (r.seedInMemory) p.seedPointer = seed.data();
    DeviceBuffer<double> value(std::vector<double>{r.value});
    DeviceBuffer<float> norm(std::vector<float>{r.norm});
    if (r.valueInMemory) {
        p.valuePointer = value.data();
        p.value = NAN;
    }
    if (r.norm != 0) p.normPointer = norm.data();
    const LaunchSequence sequence = planElementwise(p, r.operation, deviceLimits());
    Doubles first;
    forEachThreadOrder([&](int order) {
        left.set(a);
        r.operation == Op::kAccumulate ? out.set(before) : out.poison();
        launchAll(sequence, p);
        const Doubles got = (r.inPlace ? left : out).get();
        if (order == 0) first = got;
        EC_CHECK(std::memcmp(got.data(), first.data(), got.size() * sizeof(double)) == 0);
    });
    return first;
}

double rounded(double value, std::int32_t type) {
    return type == kBf16 ? floatFromBf16(bf16FromFloat(static_cast<float>(value))) : static_cast<float>(value);
}

Doubles drawn(std::int64_t count, std::int32_t type, Random& random, double spread) {
    Doubles values(count);
    for (double& value : values) {
        if (type == kU8)
            value = random.integer(0, 255);
        else if (type == kI32)
            value = random.integer(-1000000000, 1000000000);
        else
            value = rounded(spread * random.symmetric(), type);
    }
    return values;
}

double activated(std::int32_t kind, double x) {
    if (kind == kRelu) return x > 0 ? x : 0;
    return kind == kGelu ? 0.5 * x * std::erfc(-x / std::sqrt(2.0)) : x;
}

double slope(std::int32_t kind, double x) {
    if (kind == kRelu) return x > 0 ? 1 : 0;
    if (kind == kNoActivation) return 1;
    return 0.5 * std::erfc(-x / std::sqrt(2.0)) + x * std::exp(-0.5 * x * x) / std::sqrt(2 * 3.14159265358979323846);
}

/// Sums and activations, with a bound on the error that scales with the terms.
void checkReal(const Request& r, Random& random) {
    const Doubles a = drawn(r.count, r.aType, random, 3), b = drawn(r.count, r.yType, random, 3);
    const Doubles before = drawn(r.count, r.yType, random, 3);
    const Doubles got = run(r, a, b, before);
    Doubles want(r.count), magnitude(r.count);
    for (std::int64_t i = 0; i < r.count; ++i) {
        if (r.operation == Op::kAccumulate) {
            const double factor = r.norm != 0 ? r.value / (static_cast<double>(r.norm) * r.norm) : r.value;
            want[i] = before[i] + static_cast<float>(factor) * a[i];
            magnitude[i] = std::fabs(before[i]) + std::fabs(factor * a[i]);
        } else if (r.operation == Op::kAdd) {
            want[i] = activated(r.activation, a[i] + b[i]);
            magnitude[i] = std::fabs(a[i]) + std::fabs(b[i]);
        } else if (r.operation == Op::kActivation) {
            want[i] = activated(r.activation, a[i]);
            magnitude[i] = std::fabs(a[i]);
        } else {
            want[i] = b[i] * slope(r.activation, a[i]);
            magnitude[i] = std::fabs(b[i]);
        }
    }
    checkClose(describe(r), Floats(got.begin(), got.end()), want, magnitude,
               r.yType == kBf16 ? kBf16Tolerance : kFp32Tolerance);
}

void checkExact(const Request& r, const Doubles& got, const Doubles& want) {
    for (std::int64_t i = 0; i < r.count; ++i) {
        if (got[i] != want[i]) {
            throw Failure(text("%s: element %lld is %.9g, expected %.9g", describe(r).c_str(),
                               static_cast<long long>(i), got[i], want[i]));
        }
    }
}

void checkCopy(const Request& r, Random& random) {
    const Doubles a = drawn(r.count, r.aType, random, 300);
    Doubles want = a;
    if (r.yType == kF32 || r.yType == kBf16) {
        for (double& value : want) value = rounded(value, r.yType);
    }
    checkExact(r, run(r, a, Doubles(r.count, 0.0), {}), want);
}

void checkFill(const Request& r) {
    const bool real = r.yType == kF32 || r.yType == kBf16;
    checkExact(r, run(r, Doubles(r.count, 0.0), Doubles(r.count, 0.0), {}),
               Doubles(r.count, real ? rounded(r.value, r.yType) : r.value));
}

void checkDropout(const Request& r, Random& random) {
    const Doubles a = drawn(r.count, r.yType, random, 3);
    Doubles want(r.count);
    const float kept = static_cast<float>(1 / (1 - r.value));
    for (std::int64_t i = 0; i < r.count; ++i) {
        const bool keep = randomUniform(r.seed, 0, static_cast<std::uint64_t>(i)) >= static_cast<float>(r.value);
        want[i] = rounded(static_cast<float>(a[i]) * (keep ? kept : 0.0f), r.yType);
    }
    checkExact(r, run(r, a, Doubles(r.count, 0.0), {}), want);
}

void check(const Request& r, Random& random) {
    switch (r.operation) {
        case Op::kFill: return checkFill(r);
        case Op::kCopy: return checkCopy(r, random);
        case Op::kDropout: return checkDropout(r, random);
        default: return checkReal(r, random);
    }
}

const std::pair<std::int32_t, std::int32_t> kCopies[] = {
    {kF32, kF32}, {kF32, kBf16}, {kBf16, kF32}, {kBf16, kBf16}, {kI32, kF32}, {kI32, kBf16},
    {kU8, kF32},  {kU8, kBf16},  {kI32, kI32},  {kU8, kI32},    {kU8, kU8},
};

}  // namespace

EC_TEST(elementwise_chosen_shapes) {
    Random random(51);
    for (const std::int64_t count : {1, 7, 8, 9, 2049}) {
        for (const auto& [from, to] : kCopies) {
            Request r;
            r.operation = Op::kCopy;
            r.count = count;
            r.aType = from;
            r.yType = to;
            check(r, random);
            r.offset = 1;
            check(r, random);
        }
        for (const std::int32_t type : {kF32, kBf16, kI32, kU8}) {
            Request r;
            r.operation = Op::kFill;
            r.count = count;
            r.yType = type;
            r.value = type == kI32 ? -70000 : type == kU8 ? 200 : -0.3;
            check(r, random);
            r.offset = 3;
            check(r, random);
        }
        for (const std::int32_t type : {kF32, kBf16}) {
            for (const Op operation :
                 {Op::kAccumulate, Op::kActivation, Op::kActivationGradient, Op::kAdd, Op::kDropout}) {
                Request r;
                r.operation = operation;
                r.count = count;
                r.aType = r.yType = type;
                r.activation = kRelu;
                r.value = 0.25;
                r.seed = 12345678901234567ull;
                check(r, random);
            }
        }
    }
}

EC_TEST(elementwise_drawn_shapes) {
    Random random(52);
    for (int draw = 0; draw < 150; ++draw) {
        Request r;
        r.operation = static_cast<Op>(draw % 7);
        r.count = random.pick({random.integer(1, 40), random.integer(1, 600), random.integer(1, 9000)});
        r.yType = random.pick({kF32, kBf16});
        r.aType = r.operation == Op::kAccumulate ? random.pick({kF32, kBf16}) : r.yType;
        r.activation = random.integer(0, r.operation == Op::kAdd ? 1 : 2);
        r.offset = random.pick({0, 0, 1, 2, 3, 4, 8});
        r.value = r.operation == Op::kDropout ? random.pick({0.0, 0.1, 0.5, 0.99}) : random.symmetric() * 2;
        r.seed = random.bits();
        r.seedInMemory = random.integer(0, 1) == 1;
        r.inPlace = r.operation >= Op::kActivation && random.integer(0, 1) == 1;
        r.valueInMemory = r.operation == Op::kAccumulate && random.integer(0, 1) == 1;
        if (r.operation == Op::kAccumulate) r.norm = random.pick({0.0f, 0.3f, 7.0f});
        if (r.operation == Op::kCopy) std::tie(r.aType, r.yType) = kCopies[random.integer(0, 10)];
        check(r, random);
    }
}

EC_TEST(elementwise_activations_at_the_edges) {
    for (const std::int32_t type : {kF32, kBf16}) {
        const Doubles x = {0.0, -0.0, NAN, INFINITY, -INFINITY, -9.0, 9.0, 1e-20};
        Request r;
        r.count = 8;
        r.aType = r.yType = type;
        r.activation = kRelu;
        const Doubles y = run(r, x, x, {});
        EC_CHECK(y[0] == 0 && y[1] == 0 && std::isnan(y[2]) && std::isinf(y[3]) && y[4] == 0);
        r.operation = Op::kActivationGradient;
        const Doubles ones(8, 1.0);
        const Doubles dx = run(r, x, ones, {});
        EC_CHECK(dx[0] == 0 && dx[1] == 0 && dx[2] == 1 && dx[3] == 1 && dx[4] == 0 && dx[7] == 1);
        r.activation = kGelu;
        const Doubles slopes = run(r, x, ones, {});
        EC_CHECK(slopes[0] == 0.5 && std::isnan(slopes[2]) && std::fabs(slopes[6] - 1) < 1e-5 &&
                 std::fabs(slopes[5]) < 1e-5);
        r.operation = Op::kDropout;
        r.value = 0.5;
        const Doubles dropped = run(r, Doubles(8, NAN), ones, {});
        for (const double value : dropped) EC_CHECK(std::isnan(value));
    }
}

EC_TEST(elementwise_bf16_ties_go_to_even) {
    Request r;
    r.operation = Op::kCopy;
    r.yType = kBf16;
    r.count = 9;
    // 1 + 2^-8 lies between 1 and 1 + 2^-7, 1 + 3 2^-8 between 1 + 2^-7 and 1 + 2^-6.
    const Doubles got =
        run(r, {1.00390625, 1.01171875, -1.00390625, 1.0039063692, 0, 0, 0, 0, 1.01171875}, Doubles(9, 0.0), {});
    EC_CHECK(got[0] == 1.0 && got[1] == 1.015625 && got[2] == -1.0 && got[3] == 1.0078125 && got[8] == 1.015625);
}

EC_TEST(elementwise_bad_requests_are_refused) {
    DeviceBuffer<float> buffer(64);
    const auto refuse = [&](Op operation, Status status, const char* message, auto change) {
        ElementwiseParams p;
        p.a = p.b = p.y = buffer.data();
        p.count = 16;
        DeviceLimits limits = deviceLimits();
        change(p, limits);
        const LaunchSequence sequence = planElementwise(p, operation, limits);
        checkRefused(sequence.result, status, message);
        EC_CHECK(sequence.count == 0);
    };
    using P = ElementwiseParams;
    using L = DeviceLimits;
    refuse(Op::kAdd, Status::kNullPointer, "a is null", [](P& p, L&) { p.a = nullptr; });
    refuse(Op::kAdd, Status::kNullPointer, "b is null", [](P& p, L&) { p.b = nullptr; });
    refuse(Op::kFill, Status::kNullPointer, "y is null", [](P& p, L&) { p.y = nullptr; });
    refuse(Op::kAdd, Status::kMisaligned, "y must be aligned", [](P& p, L&) { p.y = static_cast<char*>(p.y) + 2; });
    refuse(Op::kAdd, Status::kInvalidShape, "count is 0", [](P& p, L&) { p.count = 0; });
    refuse(Op::kAdd, Status::kUnsupported, "activation is 2", [](P& p, L&) { p.activation = kGelu; });
    refuse(Op::kActivation, Status::kUnsupported, "activation is 3", [](P& p, L&) { p.activation = 3; });
    refuse(Op::kActivation, Status::kUnsupported, "yType is 3", [](P& p, L&) { p.yType = kI32; });
    refuse(Op::kAccumulate, Status::kUnsupported, "aType is 2", [](P& p, L&) { p.aType = 2; });
    refuse(Op::kAccumulate, Status::kMisaligned, "valuePointer",
           [](P& p, L&) { p.valuePointer = reinterpret_cast<const double*>(4); });
    refuse(Op::kCopy, Status::kUnsupported, "floating values", [](P& p, L&) { p.yType = kI32; });
    refuse(Op::kCopy, Status::kUnsupported, "i32 values", [](P& p, L&) { p.aType = kI32, p.yType = kU8; });
    refuse(Op::kFill, Status::kInvalidShape, "2.5 does not go into i32",
           [](P& p, L&) { p.yType = kI32, p.value = 2.5; });
    refuse(Op::kFill, Status::kInvalidShape, "256 does not go into u8", [](P& p, L&) { p.yType = kU8, p.value = 256; });
    refuse(Op::kFill, Status::kInvalidShape, "nan does not go", [](P& p, L&) { p.yType = kU8, p.value = NAN; });
    refuse(Op::kDropout, Status::kInvalidShape, "the rate is 1", [](P& p, L&) { p.value = 1; });
    refuse(Op::kDropout, Status::kInvalidShape, "the rate is nan", [](P& p, L&) { p.value = NAN; });
    refuse(Op::kDropout, Status::kMisaligned, "seedPointer",
           [](P& p, L&) { p.seedPointer = reinterpret_cast<const std::uint64_t*>(static_cast<const char*>(p.a) + 4); });
    refuse(static_cast<Op>(7), Status::kUnsupported, "operation 7", [](P&, L&) {});
    refuse(Op::kAdd, Status::kResourceLimit, "blocks", [](P&, L& l) { l.gridX = 0; });
}
