// Host side of the softmax cross entropy: parameters, checks, launches. See cuda/kernels/softmax_loss.cu.
#pragma once

#include "effconv/launch_sequence.h"

namespace effconv {

constexpr int kSoftmaxThreads = 256;  ///< a warp per row

/// Parameters of both kernels.
struct SoftmaxLossParams {
    const void* logits = nullptr;          ///< [rows][classes], fp32 or bf16
    const std::int32_t* labels = nullptr;  ///< [rows], 0 to classes - 1; another label makes the loss and its row NaN
    void* dlogits = nullptr;          ///< out: gradient of the mean loss, type and stride of logits; null: not wanted
    float* loss = nullptr;            ///< out: one number, the mean over the rows
    std::int32_t* correct = nullptr;  ///< out: one number, rows whose first largest logit is the label
    float* workspace = nullptr;       ///< LaunchSequence::workspaceBytes: loss and correctness of every row
    std::int64_t rows = 0;
    std::int64_t rowStride = 0;  ///< elements from row to row
    std::int32_t classes = 0;
    float smoothing = 0;  ///< e in target = (1 - e) onehot + e / classes
    std::int32_t bf16 = 0;
    std::int32_t reserved = 0;
};

#define EC_KERNELS_softmax_loss(X)                  \
    X(ec_softmax_loss_rows_f32, SoftmaxLossParams)  \
    X(ec_softmax_loss_rows_bf16, SoftmaxLossParams) \
    X(ec_softmax_loss_sum, SoftmaxLossParams)

/// Checks the request and returns the launches. The workspace may still be null (a caller learns its size here).
inline LaunchSequence planSoftmaxLoss(const SoftmaxLossParams& p, const DeviceLimits& limits) {
    const char* family = "softmax_loss";
    Result result = checkCount(family, "rows", p.rows);
    if (result.ok()) result = checkCount(family, "classes", p.classes, 1 << 24);
    if (result.ok() && p.rowStride < p.classes) {
        result = Result::fail(Status::kInvalidShape, "%s: rowStride is %lld; expected at least the %d classes", family,
                              static_cast<long long>(p.rowStride), p.classes);
    }
    if (result.ok() && !(p.smoothing >= 0 && p.smoothing <= 1)) {
        result = Result::fail(Status::kInvalidShape, "%s: smoothing is %g; expected 0 to 1", family,
                              static_cast<double>(p.smoothing));
    }
    const ArrayBase bases[] = {
        {"logits", p.logits, true}, {"labels", p.labels, true},   {"dlogits", p.dlogits, false},
        {"loss", p.loss, true},     {"correct", p.correct, true}, {"workspace", p.workspace, false},
    };
    if (result.ok()) result = checkBases(family, bases);
    if (!result.ok()) return LaunchSequence::refused(result);
    LaunchSequence sequence;
    sequence.workspaceBytes = p.rows * 8;
    constexpr int kRowsPerBlock = kSoftmaxThreads / 32;
    const LaunchPlan rows = {(p.rows + kRowsPerBlock - 1) / kRowsPerBlock, kSoftmaxThreads, 0};
    sequence.add(family, p.bf16 ? "ec_softmax_loss_rows_bf16" : "ec_softmax_loss_rows_f32", rows, limits);
    sequence.add(family, "ec_softmax_loss_sum", {1, kSoftmaxThreads, kSoftmaxThreads * 8}, limits);
    return sequence;
}

}  // namespace effconv
