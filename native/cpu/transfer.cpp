// Moving data: fill, copies with conversion of the type, scaled accumulation, and the batch from bytes to activations.

#include "kernel.h"

namespace effconv {
namespace {

inline std::int32_t load(std::int32_t value) {
    return value;
}
inline std::int32_t load(std::uint8_t value) {
    return value;
}
using effconv::load;

template <typename T>
constexpr bool isInteger = false;
template <>
constexpr bool isInteger<std::int32_t> = true;
template <>
constexpr bool isInteger<std::uint8_t> = true;

template <typename From, typename To>
ec_status convert(const char* operation, const From* from, To* to, std::int64_t count) {
    if constexpr (isInteger<To> && !isInteger<From>) {
        return ec_fail(EC_INVALID_ARGUMENT, "%s: floating values do not go into an integer tensor", operation);
    } else {
        if constexpr (sizeof(To) == 1 && sizeof(From) > 1) {
            for (std::int64_t i = 0; i < count; ++i) {
                const std::int32_t value = load(from[i]);
                if (value < 0 || value > 255) {
                    return ec_fail(EC_INVALID_ARGUMENT, "%s: value %d at %lld; expected 0..255", operation, value,
                                   static_cast<long long>(i));
                }
            }
        }
        inRanges(count, 1, [=](std::int64_t begin, std::int64_t end) {
            for (std::int64_t i = begin; i < end; ++i) {
                if constexpr (isInteger<To>) {
                    to[i] = static_cast<To>(load(from[i]));
                } else {
                    to[i] = store<To>(load(from[i]));
                }
            }
        });
        return EC_OK;
    }
}

/// Calls body with a value of any element type, integers included.
template <typename Body>
ec_status forAnyType(const char* operation, ec_type type, Body&& body) {
    if (type == EC_I32) return body(std::int32_t());
    if (type == EC_U8) return body(std::uint8_t());
    return forType(operation, type, body);
}

ec_status copyAny(const char* operation, ec_type fromType, const void* from, ec_type toType, void* to,
                  std::int64_t count) {
    EC_REQUIRE_POINTER(operation, from);
    EC_REQUIRE_POINTER(operation, to);
    EC_REQUIRE_SIZE(operation, count, 0);
    return forAnyType(operation, fromType, [&](auto source) {
        return forAnyType(operation, toType, [&](auto target) {
            return convert(operation, static_cast<const decltype(source)*>(from), static_cast<decltype(target)*>(to),
                           count);
        });
    });
}

}  // namespace
}  // namespace effconv

using namespace effconv;

EC_ENTRY(ec_write_floats)(ec_type type, const float* values, int64_t count, void* to) {
    return copyAny("ec_write_floats", EC_F32, values, type, to, count);
}
EC_ENTRY(ec_write_doubles)(ec_type type, const double* values, int64_t count, void* to) {
    return copyAny("ec_write_doubles", EC_F64, values, type, to, count);
}
EC_ENTRY(ec_write_ints)(ec_type type, const int32_t* values, int64_t count, void* to) {
    return copyAny("ec_write_ints", EC_I32, values, type, to, count);
}
EC_ENTRY(ec_read_floats)(ec_type type, const void* from, int64_t count, float* values) {
    return copyAny("ec_read_floats", type, from, EC_F32, values, count);
}
EC_ENTRY(ec_read_doubles)(ec_type type, const void* from, int64_t count, double* values) {
    return copyAny("ec_read_doubles", type, from, EC_F64, values, count);
}
EC_ENTRY(ec_read_ints)(ec_type type, const void* from, int64_t count, int32_t* values) {
    return copyAny("ec_read_ints", type, from, EC_I32, values, count);
}
EC_ENTRY(ec_copy)(ec_type from_type, const void* from, ec_type to_type, void* to, int64_t count) {
    return copyAny("ec_copy", from_type, from, to_type, to, count);
}

EC_ENTRY(ec_fill)(ec_type type, double value, int64_t count, void* to) {
    EC_REQUIRE_POINTER("ec_fill", to);
    EC_REQUIRE_SIZE("ec_fill", count, 0);
    return forAnyType("ec_fill", type, [&](auto tag) -> ec_status {
        using T = decltype(tag);
        T element;
        if constexpr (isInteger<T>) {
            if (value != static_cast<double>(static_cast<T>(value))) {
                return ec_fail(EC_INVALID_ARGUMENT, "ec_fill: %g does not go into an integer tensor", value);
            }
            element = static_cast<T>(value);
        } else {
            element = store<T>(value);
        }
        T* target = static_cast<T*>(to);
        inRanges(count, 1, [=](std::int64_t begin, std::int64_t end) {
            for (std::int64_t i = begin; i < end; ++i) target[i] = element;
        });
        return EC_OK;
    });
}

EC_ENTRY(ec_accumulate)(ec_type from_type, const void* from, double factor, ec_type to_type, void* to, int64_t count) {
    EC_REQUIRE_POINTER("ec_accumulate", from);
    EC_REQUIRE_POINTER("ec_accumulate", to);
    EC_REQUIRE_SIZE("ec_accumulate", count, 0);
    return forType("ec_accumulate", from_type, [&](auto source) {
        return forType("ec_accumulate", to_type, [&](auto target) -> ec_status {
            using From = decltype(source);
            using To = decltype(target);
            using Real = decltype(load(source) + load(target));
            const From* a = static_cast<const From*>(from);
            To* b = static_cast<To*>(to);
            const Real f = static_cast<Real>(factor);
            inRanges(count, 1, [=](std::int64_t begin, std::int64_t end) {
                EC_INDEPENDENT
                for (std::int64_t i = begin; i < end; ++i) b[i] = store<To>(Real(load(b[i])) + f * Real(load(a[i])));
            });
            return EC_OK;
        });
    });
}

EC_ENTRY(ec_augment)
(ec_type type, int64_t n, int64_t h, int64_t w, int64_t c, const void* images, const void* draws, const float* mean,
 const float* deviation, void* y) {
    const char* operation = "ec_augment";
    EC_REQUIRE_POINTER(operation, images);
    EC_REQUIRE_POINTER(operation, draws);
    EC_REQUIRE_POINTER(operation, mean);
    EC_REQUIRE_POINTER(operation, deviation);
    EC_REQUIRE_POINTER(operation, y);
    EC_REQUIRE_SIZE(operation, n, 0);
    EC_REQUIRE_SIZE(operation, h, 0);
    EC_REQUIRE_SIZE(operation, w, 0);
    EC_REQUIRE_SIZE(operation, c, 1);
    for (int64_t i = 0; i < c; ++i) {
        if (!(deviation[i] > 0)) {
            return ec_fail(EC_INVALID_ARGUMENT, "%s: deviation of channel %lld is %g; expected a positive number",
                           operation, static_cast<long long>(i), static_cast<double>(deviation[i]));
        }
    }
    return forType(operation, type, [&](auto tag) -> ec_status {
        using T = decltype(tag);
        using Real = ComputeOf<T>;
        const std::uint8_t* bytes = static_cast<const std::uint8_t*>(images);
        const std::int32_t* drawn = static_cast<const std::int32_t*>(draws);
        T* out = static_cast<T*>(y);
        // A byte has 256 values: one table a channel replaces the arithmetic, and both directions of the flip read it.
        Scratch<T> table(256 * c);
        if (!table.get()) return outOfScratch(operation);
        for (int64_t i = 0; i < c; ++i) {
            for (int v = 0; v < 256; ++v) {
                table[i * 256 + v] = store<T>((Real(v) / Real(255) - Real(mean[i])) / Real(deviation[i]));
            }
        }
        const T zero = store<T>(Real(0));
        const T* values = table.get();
        inRanges(n * h, w * c, [=](std::int64_t begin, std::int64_t end) {
            for (std::int64_t row = begin; row < end; ++row) {
                const std::int64_t image = row / h;
                const std::int64_t from = row % h + drawn[3 * image];
                const std::int64_t shift = drawn[3 * image + 1];
                const bool flipped = drawn[3 * image + 2] != 0;
                const std::uint8_t* source = bytes + (image * h + from) * w * c;
                T* target = out + row * w * c;
                for (std::int64_t column = 0; column < w; ++column) {
                    const std::int64_t at = (flipped ? w - 1 - column : column) + shift;
                    const bool inside = from >= 0 && from < h && at >= 0 && at < w;
                    for (std::int64_t i = 0; i < c; ++i) {
                        target[column * c + i] = inside ? values[i * 256 + source[at * c + i]] : zero;
                    }
                }
            }
        });
        return EC_OK;
    });
}
