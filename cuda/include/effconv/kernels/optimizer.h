// Host side of the optimiser kernels: parameters, work table, checks. See cuda/kernels/optimizer.cu.
#pragma once

#include "effconv/launch_sequence.h"
#include "effconv/optimizer.h"

namespace effconv {

constexpr int kOptimizerThreads = 256;
constexpr int kOptimizerChunk = 2048;  ///< elements of one block: two 16-byte accesses per thread and array

enum OptimizerKind : std::int32_t { kAdamW = 0, kSgd = 1 };

/// Settings of one group of tensors in one step. The groups live on the device, so that a captured launch can be
/// repeated with another learning rate: only this array is written anew.
struct OptimizerGroup {
    std::int32_t kind = kAdamW;
    std::int32_t nesterov = 0;  ///< SGD
    float learningRate = 0;
    float weightDecay = 0;  ///< decoupled for AdamW, L2 for SGD
    float beta1 = 0.9f;     ///< AdamW; the momentum of SGD
    float beta2 = 0.999f;
    float epsilon = 1e-8f;
    float correction1 = 1;  ///< 1 - beta1^t, see setStep
    float correction2 = 1;
    float reserved = 0;

    /// Bias corrections of step t, counted from 1; computed in double.
    void setStep(std::int64_t t) {
        correction1 = static_cast<float>(biasCorrection(beta1, t));
        correction2 = static_cast<float>(biasCorrection(beta2, t));
    }
};

/// One tensor: fp32 master, gradient (fp32 or bf16), moments, and the bf16 copy that the network computes with. All on
/// the device, dense, 16-byte aligned.
struct OptimizerTensor {
    float* parameter = nullptr;
    const void* gradient = nullptr;
    float* first = nullptr;         ///< first moment; the velocity of SGD
    float* second = nullptr;        ///< second moment; null for SGD
    std::uint16_t* copy = nullptr;  ///< bf16 copy, or null
    std::int64_t count = 0;
    std::int32_t group = 0;
    std::int32_t gradientIsBf16 = 0;
};

/// One row of the work table: elements [start, start + kOptimizerChunk) of a tensor, cut at its end.
struct OptimizerChunk {
    std::int64_t start = 0;
    std::int32_t tensor = 0;
    std::int32_t reserved = 0;
};

/// Parameters of both kernels; arrays are on the device, 16-byte aligned.
struct OptimizerParams {
    const OptimizerTensor* tensors = nullptr;
    const OptimizerGroup* groups = nullptr;
    const OptimizerChunk* chunks = nullptr;
    std::int64_t chunkCount = 0;
    float clipNorm = 0;  ///< largest global gradient norm; 0: no clipping
    std::int32_t reserved = 0;
    double* partials = nullptr;       ///< [chunkCount], where the norm is computed
    float* norm = nullptr;            ///< out: the global norm before clipping; without clipping null: not wanted
    std::int32_t* counter = nullptr;  ///< with the norm: one integer, zero before the first launch; left zero
};

/// Refuses settings that cannot be a step.
inline Result checkOptimizerGroup(const OptimizerGroup& group, int index) {
    const auto refuse = [&](const char* what, double value) {
        return Result::fail(Status::kInvalidShape, "optimizer, group %d: %s is %g", index, what, value);
    };
    if (group.kind != kAdamW && group.kind != kSgd) {
        return Result::fail(Status::kUnsupported, "optimizer, group %d: kind %d is unknown", index, group.kind);
    }
    if (!(group.learningRate >= 0)) return refuse("learningRate", group.learningRate);
    if (!(group.weightDecay >= 0)) return refuse("weightDecay", group.weightDecay);
    if (!(group.beta1 >= 0 && group.beta1 < 1)) return refuse("beta1", group.beta1);
    if (group.kind == kSgd) return {};
    if (!(group.beta2 >= 0 && group.beta2 < 1)) return refuse("beta2", group.beta2);
    if (!(group.epsilon > 0)) return refuse("epsilon", group.epsilon);
    if (!(group.correction1 > 0)) return refuse("correction1", group.correction1);
    if (!(group.correction2 > 0)) return refuse("correction2", group.correction2);
    return {};
}

/// Checks tensors and groups (host memory) and builds the work table; with a null table it only counts.
inline Result planOptimizerChunks(const OptimizerTensor* tensors, int tensorCount, const OptimizerGroup* groups,
                                  int groupCount, OptimizerChunk* chunks, std::int64_t& chunkCount) {
    chunkCount = 0;
    if (tensors == nullptr || groups == nullptr) {
        return Result::fail(Status::kNullPointer, "optimizer: %s is null", tensors == nullptr ? "tensors" : "groups");
    }
    Result result;
    if (!(result = checkCount("optimizer", "tensorCount", tensorCount)).ok()) return result;
    if (!(result = checkCount("optimizer", "groupCount", groupCount)).ok()) return result;
    for (int index = 0; index < groupCount; ++index) {
        if (!(result = checkOptimizerGroup(groups[index], index)).ok()) return result;
    }
    std::int64_t total = 0;
    for (int index = 0; index < tensorCount; ++index) {
        const OptimizerTensor& tensor = tensors[index];
        char family[40];
        std::snprintf(family, sizeof family, "optimizer, tensor %d", index);
        if (!(result = checkCount(family, "count", tensor.count)).ok()) return result;
        if (tensor.group < 0 || tensor.group >= groupCount) {
            return Result::fail(Status::kInvalidShape, "%s: group %d of %d", family, tensor.group, groupCount);
        }
        if (!(result = checkBase(family, "parameter", tensor.parameter)).ok()) return result;
        if (!(result = checkBase(family, "gradient", tensor.gradient)).ok()) return result;
        if (!(result = checkBase(family, "first", tensor.first)).ok()) return result;
        if (groups[tensor.group].kind == kAdamW && !(result = checkBase(family, "second", tensor.second)).ok())
            return result;
        if (tensor.copy != nullptr && !(result = checkBase(family, "copy", tensor.copy)).ok()) return result;
        for (std::int64_t start = 0; start < tensor.count; start += kOptimizerChunk) {
            if (chunks != nullptr) {
                chunks[total] = {};
                chunks[total].start = start;
                chunks[total].tensor = index;
            }
            ++total;
        }
    }
    chunkCount = total;
    return {};
}

/// Plans one step: the global norm first where clipping is on or the norm is wanted, then the update of every tensor in
/// one launch.
inline LaunchSequence planOptimizerStep(const OptimizerParams& params, const DeviceLimits& limits) {
    const char* family = "optimizer";
    Result result;
    if (!(params.clipNorm >= 0)) {
        return LaunchSequence::refused(
            Result::fail(Status::kInvalidShape, "optimizer: clipNorm is %g", static_cast<double>(params.clipNorm)));
    }
    const bool norms = params.clipNorm > 0 || params.norm != nullptr;
    const ArrayBase bases[] = {
        {"tensors", params.tensors, true},    {"groups", params.groups, true}, {"chunks", params.chunks, true},
        {"partials", params.partials, norms}, {"norm", params.norm, norms},    {"counter", params.counter, norms},
    };
    if (!(result = checkBases(family, bases)).ok()) return LaunchSequence::refused(result);
    if (!(result = checkCount(family, "chunkCount", params.chunkCount)).ok()) return LaunchSequence::refused(result);
    LaunchSequence sequence;
    if (norms) {
        sequence.add(family, "ec_optimizer_norm", {params.chunkCount, kOptimizerThreads, kOptimizerThreads * 8 + 16},
                     limits);
    }
    sequence.add(family, "ec_optimizer_step", {params.chunkCount, kOptimizerThreads, 0}, limits);
    return sequence;
}

/// The family's kernels, for the registry and the manifest.
#define EC_KERNELS_optimizer(X)           \
    X(ec_optimizer_norm, OptimizerParams) \
    X(ec_optimizer_step, OptimizerParams)

}  // namespace effconv
