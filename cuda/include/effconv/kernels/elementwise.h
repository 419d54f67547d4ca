// Host side of the element-by-element operations: parameters, checks, launch. See cuda/kernels/elementwise.cu.
#pragma once

#include <algorithm>

#include "effconv/launch_sequence.h"

namespace effconv {

constexpr int kElementwiseThreads = 256;
constexpr int kElementwisePerThread = 8;  ///< neighbouring elements: 16 bytes of bf16, 32 of fp32

/// Element types, numbered as ec_type of native/effconv.h (2, fp64, is not served).
enum ElementType : std::int32_t { kF32 = 0, kBf16 = 1, kI32 = 3, kU8 = 4 };

/// Activations, numbered as ec_activation.
enum ActivationKind : std::int32_t { kNoActivation = 0, kRelu = 1, kGelu = 2 };

enum class ElementwiseOperation : std::int32_t {
    kFill = 0,                ///< y = value
    kCopy = 1,                ///< y = a, converted
    kAccumulate = 2,          ///< y = y + factor * a, fp32 or bf16 each; factor = value, or value / norm^2
    kActivation = 3,          ///< y = act(a)
    kActivationGradient = 4,  ///< y = b * act'(a): a the forward input, b the gradient of the output
    kAdd = 5,                 ///< y = act(a + b), none or ReLU
    kDropout = 6,             ///< y = a * keep / (1 - value), keep drawn from (seed, element index)
};

/// Passed to every kernel of the family by value. The caller fills what stands above the line, planElementwise the
/// rest. Arrays are dense and aligned to their elements; 16 bytes make them fast. y may be a or b, element for element.
struct ElementwiseParams {
    const void* a = nullptr;
    const void* b = nullptr;
    void* y = nullptr;
    const std::uint64_t* seedPointer = nullptr;  ///< dropout: where the seed stands when the kernel runs; null: `seed`
    const double* valuePointer = nullptr;  ///< accumulate: where the value stands when the kernel runs; null: `value`
    const float* normPointer = nullptr;    ///< accumulate: where the norm stands then; null: the value is not divided
    std::uint64_t seed = 0;
    std::int64_t count = 0;
    double value = 0;           ///< fill: the value; accumulate: see there; dropout: the rate, 0 to below 1
    std::int32_t aType = kF32;  ///< copy and accumulate; other operations take yType throughout
    std::int32_t yType = kF32;
    std::int32_t activation = kNoActivation;
    // -----------------------------------------------------------------------------------------------------------------
    std::int32_t wide = 0;      ///< whether every array is aligned to 16 bytes
    std::uint32_t pattern = 0;  ///< fill: four bytes of the value, repeated where it has fewer
    float factor = 0;           ///< dropout: 1 / (1 - rate)
    float threshold = 0;        ///< dropout: draws below it are dropped
    std::int32_t reserved = 0;
};

#define EC_KERNELS_elementwise(X)                     \
    X(ec_fill, ElementwiseParams)                     \
    X(ec_copy_to_f32, ElementwiseParams)              \
    X(ec_copy_to_bf16, ElementwiseParams)             \
    X(ec_copy_to_i32, ElementwiseParams)              \
    X(ec_copy_to_u8, ElementwiseParams)               \
    X(ec_accumulate_f32, ElementwiseParams)           \
    X(ec_accumulate_bf16, ElementwiseParams)          \
    X(ec_activation_f32, ElementwiseParams)           \
    X(ec_activation_bf16, ElementwiseParams)          \
    X(ec_activation_gradient_f32, ElementwiseParams)  \
    X(ec_activation_gradient_bf16, ElementwiseParams) \
    X(ec_add_f32, ElementwiseParams)                  \
    X(ec_add_bf16, ElementwiseParams)                 \
    X(ec_dropout_f32, ElementwiseParams)              \
    X(ec_dropout_bf16, ElementwiseParams)

namespace elementwise_detail {

inline constexpr const char* kFamily = "elementwise";

inline int bytesOf(std::int32_t type) {
    return type == kBf16 ? 2 : type == kU8 ? 1 : 4;
}
inline bool isFloating(std::int32_t type) {
    return type == kF32 || type == kBf16;
}
inline const char* nameOf(std::int32_t type) {
    return type == kF32 ? "f32" : type == kBf16 ? "bf16" : type == kI32 ? "i32" : "u8";
}

inline Result checkArray(const char* name, const void* pointer, int bytes) {
    if (pointer == nullptr) return Result::fail(Status::kNullPointer, "%s: %s is null", kFamily, name);
    if (reinterpret_cast<std::uintptr_t>(pointer) % bytes != 0) {
        return Result::fail(Status::kMisaligned, "%s: %s must be aligned to its elements of %d bytes", kFamily, name,
                            bytes);
    }
    return {};
}

inline Result checkType(const char* name, std::int32_t type, bool integersToo) {
    const bool integer = type == kI32 || type == kU8;
    if (isFloating(type) || (integersToo && integer)) return {};
    return Result::fail(Status::kUnsupported, "%s: %s is %d; expected fp32 (0)%s bf16 (1)%s", kFamily, name, type,
                        integersToo ? "," : " or", integersToo ? ", i32 (3) or u8 (4)" : "");
}

/// Sets the pattern of a fill; refuses a value that the type does not hold.
inline Result setPattern(ElementwiseParams& p) {
    const auto refuse = [&] {
        return Result::fail(Status::kInvalidShape, "%s: %g does not go into %s elements", kFamily, p.value,
                            nameOf(p.yType));
    };
    if (p.yType == kF32) {
        const float value = static_cast<float>(p.value);
        std::memcpy(&p.pattern, &value, sizeof value);
    } else if (p.yType == kBf16) {
        p.pattern = bf16FromFloat(static_cast<float>(p.value)) * 0x10001u;
    } else {
        const double low = p.yType == kU8 ? 0.0 : -2147483648.0;
        const double high = p.yType == kU8 ? 255.0 : 2147483647.0;
        if (!(p.value >= low && p.value <= high) || p.value != std::floor(p.value)) return refuse();
        p.pattern =
            static_cast<std::uint32_t>(static_cast<std::int32_t>(p.value)) * (p.yType == kU8 ? 0x01010101u : 1u);
    }
    return {};
}

inline Result checkCopy(const ElementwiseParams& p) {
    if (isFloating(p.yType) || p.aType == p.yType || (p.aType == kU8 && p.yType == kI32)) return {};
    if (isFloating(p.aType)) {
        return Result::fail(Status::kUnsupported, "%s: floating values do not go into integer elements", kFamily);
    }
    return Result::fail(Status::kUnsupported,
                        "%s: i32 values do not go into u8 elements, for a kernel cannot refuse one "
                        "outside 0 to 255",
                        kFamily);
}

inline Result checkRequest(ElementwiseParams& p, ElementwiseOperation operation) {
    using Op = ElementwiseOperation;
    if (operation < Op::kFill || operation > Op::kDropout) {
        return Result::fail(Status::kUnsupported, "%s: operation %d is unknown", kFamily, static_cast<int>(operation));
    }
    Result result = checkCount(kFamily, "count", p.count, std::int64_t(1) << 50);
    const bool copies = operation == Op::kCopy;
    if (result.ok()) result = checkType("yType", p.yType, operation == Op::kFill || copies);
    if (operation != Op::kFill) {
        const bool ownType = copies || operation == Op::kAccumulate;
        if (!ownType) p.aType = p.yType;
        if (result.ok() && ownType) result = checkType("aType", p.aType, copies);
        if (result.ok()) result = checkArray("a", p.a, bytesOf(p.aType));
    }
    if (operation == Op::kActivationGradient || operation == Op::kAdd) {
        if (result.ok()) result = checkArray("b", p.b, bytesOf(p.yType));
    }
    if (result.ok()) result = checkArray("y", p.y, bytesOf(p.yType));
    if (!result.ok()) return result;
    const int lastActivation = operation == Op::kAdd ? kRelu : kGelu;
    if (p.activation < kNoActivation || p.activation > lastActivation) {
        return Result::fail(Status::kUnsupported, "%s: activation is %d; expected 0 (none)%s", kFamily, p.activation,
                            operation == Op::kAdd ? " or 1 (ReLU)" : ", 1 (ReLU) or 2 (GELU)");
    }
    if (operation == Op::kDropout) {
        if (!(p.value >= 0 && p.value < 1)) {
            return Result::fail(Status::kInvalidShape, "%s: the rate is %g; expected 0 to below 1", kFamily, p.value);
        }
        if (reinterpret_cast<std::uintptr_t>(p.seedPointer) % 8 != 0) {
            return Result::fail(Status::kMisaligned, "%s: seedPointer must be aligned to 8 bytes", kFamily);
        }
    }
    if (operation == Op::kAccumulate) {
        if (reinterpret_cast<std::uintptr_t>(p.valuePointer) % 8 != 0 ||
            reinterpret_cast<std::uintptr_t>(p.normPointer) % 4 != 0) {
            return Result::fail(Status::kMisaligned,
                                "%s: valuePointer and normPointer must be aligned to their numbers", kFamily);
        }
    }
    if (operation == Op::kFill) return setPattern(p);
    return copies ? checkCopy(p) : Result();
}

inline const char* kernelOf(ElementwiseOperation operation, std::int32_t yType) {
    static constexpr const char* const kNames[][2] = {
        {"ec_fill", "ec_fill"},
        {"ec_copy_to_f32", "ec_copy_to_bf16"},
        {"ec_accumulate_f32", "ec_accumulate_bf16"},
        {"ec_activation_f32", "ec_activation_bf16"},
        {"ec_activation_gradient_f32", "ec_activation_gradient_bf16"},
        {"ec_add_f32", "ec_add_bf16"},
        {"ec_dropout_f32", "ec_dropout_bf16"},
    };
    if (operation == ElementwiseOperation::kCopy && yType == kI32) return "ec_copy_to_i32";
    if (operation == ElementwiseOperation::kCopy && yType == kU8) return "ec_copy_to_u8";
    return kNames[static_cast<int>(operation)][yType == kBf16];
}

}  // namespace elementwise_detail

/// Checks the request, fills the lower part of the parameters and returns the launch.
inline LaunchSequence planElementwise(ElementwiseParams& p, ElementwiseOperation operation,
                                      const DeviceLimits& limits) {
    const Result result = elementwise_detail::checkRequest(p, operation);
    if (!result.ok()) return LaunchSequence::refused(result);
    p.wide = isAligned(p.a) && isAligned(p.b) && isAligned(p.y);
    p.factor = operation == ElementwiseOperation::kDropout ? static_cast<float>(1 / (1 - p.value)) : 0.0f;
    p.threshold = static_cast<float>(p.value);
    constexpr std::int64_t kPerBlock = std::int64_t(kElementwiseThreads) * kElementwisePerThread;
    LaunchSequence sequence;
    sequence.add(elementwise_detail::kFamily, elementwise_detail::kernelOf(operation, p.yType),
                 {std::min((p.count + kPerBlock - 1) / kPerBlock, std::int64_t(32) * limits.multiprocessors),
                  kElementwiseThreads, 0},
                 limits);
    return sequence;
}

}  // namespace effconv
