// Mean softmax cross entropy with label smoothing, its gradient, and the count of right answers.
//
//   ec_softmax_loss_rows_*   logits, labels -> loss and correctness of every row, dlogits
//   ec_softmax_loss_sum      rows -> mean loss, correct count
//
// loss of a row = log sum exp(z) - (1 - e) z[label] - e mean(z), with z the logits less their largest; its gradient is
// (softmax - target) / rows, target = (1 - e) onehot + e / classes. A warp owns a row and reads it up to three times
// (the second and third time from the cache). Sums are fp32 in a fixed order (lane by lane, then a butterfly), those
// over rows fp64. A label outside 0..classes - 1 makes the loss NaN, and the row's gradient too, for a kernel cannot
// refuse.
//
// Floor: launch latency; the data of 512 x 10 logits is 20 KB.
// Measured: not yet on a card.

#include "block_sum.cuh"
#include "effconv/kernel_table.h"
#include "effconv/kernels/softmax_loss.h"
#include "element.cuh"
#include "warp_sum.cuh"

namespace effconv {
namespace {

constexpr unsigned kWholeWarp = 0xffffffffu;

/// Largest logit of a row and its first place.
struct Largest {
    float value;
    int place;
};

__device__ __forceinline__ Largest larger(const Largest& a, const Largest& b) {
    const bool second = b.value > a.value || (b.value == a.value && b.place < a.place);
    return second ? b : a;
}

template <typename T>
__device__ __forceinline__ void rowLoss(const SoftmaxLossParams& p) {
    const int lane = static_cast<int>(threadIdx.x) & 31;
    const std::int64_t row =
        static_cast<std::int64_t>(blockIdx.x) * (kSoftmaxThreads / 32) + static_cast<int>(threadIdx.x) / 32;
    if (row >= p.rows) return;  // a whole warp
    const T* logits = static_cast<const T*>(p.logits) + row * p.rowStride;
    Largest largest = {-INFINITY, p.classes};
    for (int i = lane; i < p.classes; i += 32) largest = larger(largest, {toFloat(logits[i]), i});
#pragma unroll
    for (int distance = 16; distance > 0; distance /= 2) {
        const Largest other = {__shfl_xor_sync(kWholeWarp, largest.value, distance),
                               __shfl_xor_sync(kWholeWarp, largest.place, distance)};
        largest = larger(largest, other);
    }
#ifdef EC_FAULT_skipped_maximum
    largest.value = 0.0f;
#endif
    float total = 0.0f, sum = 0.0f;
    for (int i = lane; i < p.classes; i += 32) {
        const float value = toFloat(logits[i]) - largest.value;
        total += expf(value);
        sum += value;
    }
    total = warpSum(total);
    sum = warpSum(sum);

    const int label = p.labels[row];
    const bool known = label >= 0 && label < p.classes;
    const float inverseClasses = 1.0f / static_cast<float>(p.classes);
    if (p.dlogits != nullptr) {
        T* gradient = static_cast<T*>(p.dlogits) + row * p.rowStride;
#ifdef EC_FAULT_wrong_smoothing
        const float floor = 0.0f;
#else
        const float floor = p.smoothing * inverseClasses;
#endif
        const float share = known ? 1.0f / static_cast<float>(p.rows) : NAN;
        const float inverseTotal = 1.0f / total;
        for (int i = lane; i < p.classes; i += 32) {
            const float target = i == label ? 1.0f - p.smoothing + floor : floor;
            const float probability = expf(toFloat(logits[i]) - largest.value) * inverseTotal;
            gradient[i] = fromFloat<T>((probability - target) * share);
        }
    }
    if (lane != 0) return;
    float loss = NAN;
    if (known) {
        loss = logf(total) - (1.0f - p.smoothing) * (toFloat(logits[label]) - largest.value);
        // Without smoothing, 0 times the infinite distance of a -infinity would be NaN.
        if (p.smoothing > 0.0f) loss -= p.smoothing * sum * inverseClasses;
    }
    p.workspace[row] = loss;
    p.workspace[p.rows + row] = largest.place == label && total == total ? 1.0f : 0.0f;  // none is right beside a NaN
}

}  // namespace

extern "C" __global__ void __launch_bounds__(kSoftmaxThreads) ec_softmax_loss_rows_f32(const SoftmaxLossParams p) {
    rowLoss<float>(p);
}
extern "C" __global__ void __launch_bounds__(kSoftmaxThreads) ec_softmax_loss_rows_bf16(const SoftmaxLossParams p) {
    rowLoss<std::uint16_t>(p);
}
extern "C" __global__ void __launch_bounds__(kSoftmaxThreads) ec_softmax_loss_sum(const SoftmaxLossParams p) {
    EC_DYN_SHARED(double, scratch);
    double loss = 0.0, correct = 0.0;
    for (std::int64_t row = threadIdx.x; row < p.rows; row += kSoftmaxThreads) {
        loss += p.workspace[row];
        correct += p.workspace[p.rows + row];
    }
    loss = blockSum<kSoftmaxThreads>(loss, scratch);
    correct = blockSum<kSoftmaxThreads>(correct, scratch);
    if (threadIdx.x == 0) {
        *p.loss = static_cast<float>(loss / static_cast<double>(p.rows));
        *p.correct = static_cast<std::int32_t>(correct);
    }
}

EC_KERNEL_TABLE(softmax_loss)

}  // namespace effconv
