// Common ground of the arithmetic headers: function attributes, bf16, status codes.
//
// Everything under effconv/ is header-only C++17. A function marked EC_HD is one definition for the CUDA kernels, for
// the run of those kernels on a CPU and for the native CPU library; it is templated on Real so that gradient checks can
// run the same source in double precision.
#pragma once

#include <cmath>
#include <cstdarg>
#include <cstdint>
#include <cstdio>
#include <cstring>

#if defined(__CUDACC__)
#define EC_HD __host__ __device__ __forceinline__
#else
#define EC_HD inline
#endif

namespace effconv {

/// Largest kernel size k that any part of the library accepts.
constexpr int kMaxKernelSize = 33;

/// Why a call was refused. The numbers are part of the C interface: never renumber, only append.
enum class Status : std::int32_t {
    kOk = 0,
    kNullPointer = 1,    ///< a required pointer is null
    kInvalidShape = 2,   ///< a size is zero, negative, or contradicts another one
    kUnsupported = 3,    ///< a legal request that this library does not serve (even k, k > 33, unknown kind)
    kMisaligned = 4,     ///< a pointer or stride is not aligned as the kernel needs it
    kResourceLimit = 5,  ///< more shared memory or a larger grid than the device offers
    kDeviceError = 6,    ///< the driver refused or failed; the message carries its text
};

/// Outcome of a check or a launch: a status and, when it is not kOk, one readable sentence.
struct Result {
    Status status = Status::kOk;
    char message[256] = "";

    bool ok() const { return status == Status::kOk; }

    /// A refusal with a printf-formatted message (cut at 255 characters).
#if defined(__GNUC__)
    __attribute__((format(printf, 2, 3)))
#endif
    static Result
    fail(Status status, const char* format, ...) {
        Result result;
        result.status = status;
        va_list arguments;
        va_start(arguments, format);
        std::vsnprintf(result.message, sizeof result.message, format, arguments);
        va_end(arguments);
        return result;
    }
};

/// bf16 bits of a float, rounded to nearest, ties to even; NaN stays a (quiet) NaN.
EC_HD std::uint16_t bf16FromFloat(float value) {
    std::uint32_t bits;
    memcpy(&bits, &value, sizeof bits);
    if ((bits & 0x7fffffffu) > 0x7f800000u) {
        return static_cast<std::uint16_t>((bits >> 16) | 0x0040u);
    }
    bits += 0x7fffu + ((bits >> 16) & 1u);
    return static_cast<std::uint16_t>(bits >> 16);
}

/// The float that the bf16 bits stand for (exact).
EC_HD float floatFromBf16(std::uint16_t value) {
    const std::uint32_t bits = static_cast<std::uint32_t>(value) << 16;
    float result;
    memcpy(&result, &bits, sizeof result);
    return result;
}

/// Rectifier (ReLU) that lets NaN through, so that a broken step is seen.
template <typename Real>
EC_HD Real rectified(Real x) {
    return x < Real(0) ? Real(0) : x;
}

/// Gradient of its argument: dy where x, the argument or the result, is above 0 or NaN.
template <typename Real>
EC_HD Real rectifiedGradient(Real x, Real dy) {
    return x <= Real(0) ? Real(0) : dy;
}

/// Logistic function without overflow for either sign.
template <typename Real>
EC_HD Real logistic(Real x) {
    using std::exp;
    if (x >= Real(0)) {
        return Real(1) / (Real(1) + exp(-x));
    }
    const Real e = exp(x);
    return e / (Real(1) + e);
}

}  // namespace effconv
