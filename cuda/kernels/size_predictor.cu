// The size predictor: a bidirectional GRU over the layer codes with its head, and its gradients; one launch each.
//
//   ec_size_predictor_forward    codes, parameters -> v [L], u [L][2 H], states
//   ec_size_predictor_backward   dv -> gradients of every parameter (and of the codes)
//
// Formulas: effconv/gru.h. One block per direction. A recurrence cannot be spread over the device, so it is made short:
// four threads share a hidden unit, each holds its quarter of the three gate rows of U in registers (96 floats), and a
// step is 8 16-byte reads of h, 96 FMA, six shuffles and one barrier. The backward pass does the same with columns of
// U. The head needs both directions: the block that finishes last (integer counter) computes it for all layers, a warp
// each. Everything is fp32; every sum has a fixed order.
//
// Floor on an H200: 384 clocks of FMA a step (H = 128), about 0.3 us with the barrier: 6 us at L = 20, 40 us at L =
// 128; the backward pass adds the parameter gradients, 2 * 3 H (H + inputs) L flops on one multiprocessor per
// direction. Measured: not yet on a card.

#include "effconv/kernel_table.h"
#include "effconv/kernels/size_predictor.h"
#include "size_predictor_head.cuh"

namespace effconv {
namespace {

constexpr int kQuads = kWidth / 16;  // each of a unit's four threads holds this many groups of four columns
constexpr int kWarps = kSizePredictorThreads / 32;
static_assert(kSizePredictorThreads == 4 * kWidth, "four threads per unit");

/// One thread's quarter of three rows (or columns) of a matrix: columns 4 (slice + 4 q) + e. Interleaved by groups of
/// four, so that the four threads of a unit read 64 neighbouring bytes of the vector.
struct MatrixSlice {
    float value[3][kQuads][4];
};

/// element(gate, column): zero outside the matrix.
template <typename Element>
__device__ __forceinline__ void loadSlice(MatrixSlice& slice, Element element) {
    const int first = 4 * (threadIdx.x % 4);
#pragma unroll
    for (int gate = 0; gate < 3; ++gate) {
#pragma unroll
        for (int q = 0; q < kQuads; ++q) {
#pragma unroll
            for (int e = 0; e < 4; ++e) slice.value[gate][q][e] = element(gate, first + 16 * q + e);
        }
    }
}

__device__ __forceinline__ float sumOfUnit(float value) {
    value += __shfl_xor_sync(kAllLanes, value, 1);
    return value + __shfl_xor_sync(kAllLanes, value, 2);
}

/// <row of gate, vector> for the three gates of the thread's unit; all four threads get the sums.
__device__ __forceinline__ void multiplyRows(const MatrixSlice& slice, const float* vector, float (&sums)[3]) {
    const float4* quads = reinterpret_cast<const float4*>(vector) + threadIdx.x % 4;
    sums[0] = sums[1] = sums[2] = 0.0f;
#pragma unroll
    for (int q = 0; q < kQuads; ++q) {
        const float4 x = quads[4 * q];
#pragma unroll
        for (int gate = 0; gate < 3; ++gate) {
            const float(&w)[4] = slice.value[gate][q];
            sums[gate] += w[0] * x.x + w[1] * x.y + w[2] * x.z + w[3] * x.w;
        }
    }
#pragma unroll
    for (int gate = 0; gate < 3; ++gate) sums[gate] = sumOfUnit(sums[gate]);
}

/// <columns of the three gates, vectors> for the thread's unit: sum over gates and rows.
__device__ __forceinline__ float multiplyColumns(const MatrixSlice& slice, const float* vectors) {
    float sum = 0.0f;
#pragma unroll
    for (int gate = 0; gate < 3; ++gate) {
        const float4* quads = reinterpret_cast<const float4*>(vectors + gate * kWidth) + threadIdx.x % 4;
#pragma unroll
        for (int q = 0; q < kQuads; ++q) {
            const float4 x = quads[4 * q];
            const float(&w)[4] = slice.value[gate][q];
            sum += w[0] * x.x + w[1] * x.y + w[2] * x.z + w[3] * x.w;
        }
    }
    return sumOfUnit(sum);
}

__device__ __forceinline__ int layerOfStep(const SizePredictorParams& p, int direction, int step) {
    return direction == 0 ? step : p.layers - 1 - step;
}

/// W x + b for every layer, into the states. `batch` holds kSizePredictorBatch codes, padded with zeros.
__device__ void inputParts(const SizePredictorParams& p, int direction, float* batch) {
    const int unit = threadIdx.x / 4;
    const int gateOfThread = threadIdx.x % 4;
    const int rows = direction * 3 * p.hidden;
    MatrixSlice slice;
    loadSlice(slice, [&](int gate, int column) {
        const bool inside = unit < p.hidden && column < p.inputs;
        return inside ? p.inputWeights[(rows + gate * p.hidden + unit) * p.inputs + column] : 0.0f;
    });
    const bool live = gateOfThread < 3 && unit < p.hidden;
    const float bias = live ? p.inputBiases[rows + gateOfThread * p.hidden + unit] : 0.0f;
    for (int first = 0; first < p.layers; first += kSizePredictorBatch) {
        const int count = min(kSizePredictorBatch, p.layers - first);
        for (int e = threadIdx.x; e < count * kWidth; e += kSizePredictorThreads) {
            const int column = e % kWidth;
            batch[e] = column < p.inputs ? p.codes[(first + e / kWidth) * p.inputs + column] : 0.0f;
        }
        __syncthreads();
        for (int index = 0; index < count; ++index) {
            float sums[3];
            multiplyRows(slice, batch + index * kWidth, sums);
            if (gateOfThread < 3) {
                const float sum = gateOfThread == 0 ? sums[0] : gateOfThread == 1 ? sums[1] : sums[2];
                stateRow(p, direction, first + index, kRowInput + gateOfThread)[unit] = sum + bias;
            }
        }
        __syncthreads();
    }
}

/// The recurrence. `hidden` [2][kWidth] holds h of the step before and of this one by turns: one barrier a step.
__device__ void recurrence(const SizePredictorParams& p, int direction, float* hidden) {
    const int unit = threadIdx.x / 4;
    const int part = threadIdx.x % 4;
    const int rows = direction * 3 * p.hidden;
    MatrixSlice slice;
    loadSlice(slice, [&](int gate, int column) {
        const bool inside = unit < p.hidden && column < p.hidden;
        return inside ? p.recurrentWeights[(rows + gate * p.hidden + unit) * p.hidden + column] : 0.0f;
    });
    float biases[3] = {0.0f, 0.0f, 0.0f};
    for (int gate = 0; unit < p.hidden && gate < 3; ++gate)
        biases[gate] = p.recurrentBiases[rows + gate * p.hidden + unit];
    if (threadIdx.x < kWidth) hidden[threadIdx.x] = 0.0f;
    __syncthreads();
    float previous = 0.0f;
    for (int step = 0; step < p.layers; ++step) {
        const int layer = layerOfStep(p, direction, step);
        const float* input = stateRow(p, direction, layer, kRowInput) + unit;
        float sums[3];
        multiplyRows(slice, hidden + (step % 2) * kWidth, sums);
        GruGates<float> gates;
        const float next = gruUnitForward(input[0], input[kWidth], input[2 * kWidth], sums[0] + biases[0],
                                          sums[1] + biases[1], sums[2] + biases[2], previous, gates);
        const float kept = part == 0 ? gates.r : part == 1 ? gates.z : part == 2 ? gates.n : gates.hn;
        stateRow(p, direction, layer, kRowReset + part)[unit] = kept;
        if (part == 0) {
            stateRow(p, direction, layer, kRowHidden)[unit] = next;
            hidden[((step + 1) % 2) * kWidth + unit] = next;
        }
        previous = next;
#ifndef EC_FAULT_dropped_barrier
        __syncthreads();
#endif
    }
}

/// The recurrence backwards; leaves the gradients of the gates' arguments in the workspace. `gradients` [2][3][kWidth].
__device__ void recurrenceBackward(const SizePredictorParams& p, int direction, float* gradients) {
    const int unit = threadIdx.x / 4;
    const int part = threadIdx.x % 4;
    const int rows = direction * 3 * p.hidden;
    MatrixSlice slice;
    loadSlice(slice, [&](int gate, int row) {
        const bool inside = unit < p.hidden && row < p.hidden;
        return inside ? p.recurrentWeights[(rows + gate * p.hidden + row) * p.hidden + unit] : 0.0f;
    });
    float carry = 0.0f;
    for (int step = p.layers - 1; step >= 0; --step) {
        const int layer = layerOfStep(p, direction, step);
        const float previous =
            step > 0 ? stateRow(p, direction, layerOfStep(p, direction, step - 1), kRowHidden)[unit] : 0.0f;
        const float* kept = stateRow(p, direction, layer, kRowReset) + unit;
        const GruGates<float> gates = {kept[0], kept[kWidth], kept[2 * kWidth], kept[3 * kWidth]};
        const float dh = workspaceRow(p, direction, layer, kRowHeadGradient)[unit] + carry;
        const GruUnitGradient<float> gradient = gruUnitBackward(dh, previous, gates);
        const float own = part == 0 ? gradient.xr : part == 1 ? gradient.xz : part == 2 ? gradient.xn : gradient.hn;
        workspaceRow(p, direction, layer, part)[unit] = own;
        float* recurrent = gradients + (step % 2) * 3 * kWidth;
        if (part != 2) recurrent[(part == 3 ? 2 : part) * kWidth + unit] = own;
        __syncthreads();
        carry = gradient.previous + multiplyColumns(slice, recurrent);
    }
    __syncthreads();
}

/// target[gate H + row][column] = sum over layers of gradient row times source(layer, column), for the three gates.
/// `slot` names the workspace row of the n gate: 2 for the input part, 3 for the recurrent part.
template <typename Source>
__device__ void outerProducts(const SizePredictorParams& p, int direction, int slot, int columns, float* target,
                              Source source) {
    constexpr int kRows = 32;
    const int column = threadIdx.x % kWidth;
    const int firstRow = (threadIdx.x / kWidth) * kRows;
    for (int gate = 0; gate < 3; ++gate) {
        float acc[kRows];
#pragma unroll
        for (int r = 0; r < kRows; ++r) acc[r] = 0.0f;
        for (int layer = 0; layer < p.layers; ++layer) {
            const float x = column < columns ? source(layer, column) : 0.0f;
            const float4* gradient =
                reinterpret_cast<const float4*>(workspaceRow(p, direction, layer, gate == 2 ? slot : gate) + firstRow);
#pragma unroll
            for (int r = 0; r < kRows / 4; ++r) {
                const float4 g = gradient[r];
                acc[4 * r] += g.x * x;
                acc[4 * r + 1] += g.y * x;
                acc[4 * r + 2] += g.z * x;
                acc[4 * r + 3] += g.w * x;
            }
        }
        if (column >= columns) continue;
        const int base = direction * 3 * p.hidden + gate * p.hidden + firstRow;
#pragma unroll
        for (int r = 0; r < kRows; ++r) {
            if (firstRow + r < p.hidden) target[(base + r) * columns + column] = acc[r];
        }
    }
}

__device__ void biasGradients(const SizePredictorParams& p, int direction) {
    const int unit = threadIdx.x % kWidth;
    const int slot = threadIdx.x / kWidth;
    if (unit >= p.hidden) return;
    float sum = 0.0f;
    for (int layer = 0; layer < p.layers; ++layer) sum += workspaceRow(p, direction, layer, slot)[unit];
    const int base = direction * 3 * p.hidden + unit;
    if (slot < 3) p.inputBiasGradients[base + slot * p.hidden] = sum;
    if (slot != 2) p.recurrentBiasGradients[base + min(slot, 2) * p.hidden] = sum;
}

__device__ void codeGradients(const SizePredictorParams& p, int direction) {
    const float* weights = p.inputWeights + direction * 3 * p.hidden * p.inputs;
    for (int e = threadIdx.x; e < p.layers * p.inputs; e += kSizePredictorThreads) {
        const int layer = e / p.inputs;
        const int column = e % p.inputs;
        float sum = 0.0f;
        for (int gate = 0; gate < 3; ++gate) {
            const float* gradient = workspaceRow(p, direction, layer, gate);
            for (int unit = 0; unit < p.hidden; ++unit) {
                sum += gradient[unit] * weights[(gate * p.hidden + unit) * p.inputs + column];
            }
        }
        p.codeGradients[direction * p.layers * p.inputs + e] = sum;
    }
}

}  // namespace
}  // namespace effconv

using namespace effconv;

extern "C" __global__ void __launch_bounds__(kSizePredictorThreads)
    ec_size_predictor_forward(const SizePredictorParams p) {
    EC_DYN_SHARED(float, shared);
    const int direction = blockIdx.x;
    inputParts(p, direction, shared);
    recurrence(p, direction, shared);
    int* ticket = reinterpret_cast<int*>(shared + kSizePredictorBatch * kWidth);
    __threadfence();
    __syncthreads();
    if (threadIdx.x == 0) *ticket = atomicAdd(p.counter, 1);
    __syncthreads();
    if (*ticket != 1) return;
    __threadfence();
    for (int layer = threadIdx.x / 32; layer < p.layers; layer += kWarps) headForward(p, layer);
    if (threadIdx.x == 0) *p.counter = 0;
}

extern "C" __global__ void __launch_bounds__(kSizePredictorThreads)
    ec_size_predictor_backward(const SizePredictorParams p) {
    EC_DYN_SHARED(float, shared);
    const int direction = blockIdx.x;
    for (int layer = threadIdx.x / 32; layer < p.layers; layer += kWarps) headBackward(p, direction, layer);
    normGradients(p, direction);
    __syncthreads();
    recurrenceBackward(p, direction, shared);
    outerProducts(p, direction, 2, p.inputs, p.inputWeightGradients,
                  [&](int layer, int column) { return p.codes[layer * p.inputs + column]; });
    outerProducts(p, direction, 3, p.hidden, p.recurrentWeightGradients, [&](int layer, int column) {
#ifdef EC_FAULT_wrong_step
        const int before = layer;
#else
        const int before = direction == 0 ? layer - 1 : layer + 1;
#endif
        return before < 0 || before >= p.layers ? 0.0f : stateRow(p, direction, before, kRowHidden)[column];
    });
    biasGradients(p, direction);
    if (p.codeGradients != nullptr) codeGradients(p, direction);
}

namespace effconv {
EC_KERNEL_TABLE(size_predictor)
}
