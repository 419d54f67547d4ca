// Common ground of the operations: element types, dispatch, parallel ranges, scratch memory.
//
// A file that includes this one is compiled once per instruction set, each time with EC_VARIANT set to the suffix of
// its entry functions and with the namespace renamed, so that no inline function of one variant can be linked into
// another. Such files therefore use nothing of the standard library that could be emitted out of line. dispatch.cpp
// picks the variant when the library is loaded.
#pragma once

#include <omp.h>

#include <cstdlib>

#include "effconv.h"
#include "effconv/types.h"
#include "error.h"

#ifdef EC_VARIANT
#define EC_PASTE_(a, b) a##b
#define EC_PASTE(a, b) EC_PASTE_(a, b)
#define EC_ENTRY(name) extern "C" ec_status EC_PASTE(name, EC_VARIANT)
#else
#define EC_ENTRY(name) extern "C" ec_status name
#endif

#define EC_REQUIRE_POINTER(operation, pointer) \
    if ((pointer) == nullptr) return ec_fail(EC_INVALID_ARGUMENT, "%s: %s is null", operation, #pointer)
#define EC_REQUIRE_SIZE(operation, size, least)                                                   \
    if ((size) < (least))                                                                         \
    return ec_fail(EC_INVALID_ARGUMENT, "%s: %s is %lld; expected at least %d", operation, #size, \
                   static_cast<long long>(size), least)

/// The iterations of the next loop do not depend on each other, although its pointers may be equal.
#define EC_INDEPENDENT _Pragma("GCC ivdep")

namespace effconv {

/// bfloat16 as stored.
struct Bf16 {
    std::uint16_t bits;
};

/// What values of an element type are computed in, and what parameters beside it are kept in.
template <typename T>
struct Element {
    using Compute = T;
    using Parameter = T;
};
template <>
struct Element<Bf16> {
    using Compute = float;
    using Parameter = float;
};
template <typename T>
using ComputeOf = typename Element<T>::Compute;
template <typename T>
using ParameterOf = typename Element<T>::Parameter;

inline float load(float value) {
    return value;
}
inline double load(double value) {
    return value;
}
inline float load(Bf16 value) {
    return floatFromBf16(value.bits);
}

template <typename T, typename Real>
inline T store(Real value) {
    if constexpr (sizeof(T) == sizeof(Bf16)) {
        return T{bf16FromFloat(static_cast<float>(value))};
    } else {
        return static_cast<T>(value);
    }
}

/// Calls `body` with a value of the activation type, which only names the type.
template <typename Body>
ec_status forType(const char* operation, ec_type type, Body&& body) {
    switch (type) {
        case EC_F32: return body(float());
        case EC_BF16: return body(Bf16());
        case EC_F64: return body(double());
        default: return ec_fail(EC_INVALID_ARGUMENT, "%s: type %d is not a floating type", operation, type);
    }
}

/// The same for operations on parameters only.
template <typename Body>
ec_status forParameterType(const char* operation, ec_type type, Body&& body) {
    if (type == EC_BF16) return ec_fail(EC_INVALID_ARGUMENT, "%s: parameters are not kept in bf16", operation);
    return type == EC_F64 ? body(double()) : forType(operation, type, [&](auto) { return body(float()); });
}

/// Elements below which a further thread costs more than it brings.
constexpr std::int64_t kParallelGrain = 32768;

/// Into how many parts to split work over `elements` elements: a function of the size and the thread count alone.
inline int partsFor(std::int64_t elements, std::int64_t grain = kParallelGrain) {
    const std::int64_t useful = elements / grain;
    const int threads = omp_get_max_threads();
    return useful < 1 ? 1 : useful < threads ? static_cast<int>(useful) : threads;
}

/// Calls body(part) for every part, in parallel if there are several.
template <typename Body>
void inParts(int parts, Body&& body) {
    if (parts == 1) {
        body(0);
        return;
    }
#pragma omp parallel num_threads(parts)
    for (int part = omp_get_thread_num(); part < parts; part += omp_get_num_threads()) body(part);
}

struct Range {
    std::int64_t begin;
    std::int64_t end;
};

/// The part's share of 0..count-1, cut at multiples of `unit`.
inline Range share(std::int64_t count, int parts, int part, std::int64_t unit = 1) {
    const std::int64_t units = (count + unit - 1) / unit;
    const std::int64_t begin = units * part / parts * unit;
    const std::int64_t end = units * (part + 1) / parts * unit;
    return {begin, end < count ? end : count};
}

/// Splits 0..count-1 over threads; every index weighs `weight` elements.
template <typename Body>
void inRanges(std::int64_t count, std::int64_t weight, Body&& body) {
    const int parts = partsFor(count * weight);
    inParts(parts, [&](int part) {
        const Range range = share(count, parts, part);
        body(range.begin, range.end);
    });
}

/// Uninitialised memory of one call, 64-byte aligned; null after a failed allocation.
template <typename T>
class Scratch {
public:
    explicit Scratch(std::int64_t count)
        : memory_(static_cast<T*>(std::aligned_alloc(64, (count * sizeof(T) + 64) / 64 * 64))) {}
    ~Scratch() { std::free(memory_); }
    Scratch(const Scratch&) = delete;
    Scratch& operator=(const Scratch&) = delete;
    T* get() const { return memory_; }
    T& operator[](std::int64_t index) const { return memory_[index]; }

private:
    T* memory_;
};

inline ec_status outOfScratch(const char* operation) {
    return ec_fail(EC_OUT_OF_MEMORY, "%s: no memory for partial sums", operation);
}

}  // namespace effconv
