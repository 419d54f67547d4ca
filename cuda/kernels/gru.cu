// Bidirectional GRU over a sequence, fp32, and its gradients.
//
//   ec_gru_inputs     W x + b of every step, direction and gate: a warp per sum
//   ec_gru_forward    the recurrence, one block a direction -> h, tape
//   ec_gru_backward   the recurrence backwards, one block a direction -> gradients of the gates' arguments
//   ec_gru_gradients  from those: dW, dU, db, dc (one block a row) and dx (one block a step)
//
// Arithmetic of a unit: effconv/gru.h. In the recurrence four threads share a unit, each with a quarter of its three
// rows of U, which stand in shared memory where they fit (H up to 128 on a card with 227 KB) and come from the L2 cache
// otherwise. Backwards the threads walk over columns of U instead, four parts of the rows each. Sums have a fixed
// order. size_predictor fuses this with its head, for H up to 128 and weights in registers; this family serves any
// width, and a caller who keeps h and the tape.
//
// Floor: latency. A step forward is H / 4 shared reads of a unit's row times three, then one barrier: about 1 us at H =
// 128, so 20 us for the layers of a ResNet-20; the backward step about twice as much. Measured: not yet on a card.

#include "effconv/kernel_table.h"
#include "effconv/kernels/gru.h"
#include "warp_sum.cuh"

namespace effconv {
namespace {

constexpr int kParts = 4;                    // threads that share a unit (forward), parts of the rows (backward)
constexpr int kTile = kGruThreads / kParts;  // units or columns at a time

struct Sequence {
    const GruParams& p;
    int direction;

    __device__ int position(int step) const { return direction == 0 ? step : p.steps - 1 - step; }
    /// The state before `position` is that of this position; outside [0, steps) there is none.
    __device__ int before(int position) const { return direction == 0 ? position - 1 : position + 1; }
    __device__ std::int64_t row(int position) const { return 2 * static_cast<std::int64_t>(position) + direction; }
    __device__ float* state(int position) const { return p.h + row(position) * p.hidden; }
    __device__ float* tape(int position) const { return p.tape + row(position) * 4 * p.hidden; }
    /// Input parts [3][H] forward, gradients of xr, xz, xn, hn [4][H] backward.
    __device__ float* work(int position, int rows) const { return p.workspace + row(position) * rows * p.hidden; }
};

/// U, from shared memory where it is resident; `pitch` floats from row to row.
struct Matrix {
    const float* rows;
    int pitch;
};

__device__ Matrix recurrentMatrix(const GruParams& p, int direction, float* shared) {
    const float* U = p.weights[direction].U;
    if (!p.resident) return {U, p.hidden};
    const int pitch = gruPitch(p.hidden);
    for (int row = static_cast<int>(threadIdx.x) / 32; row < 3 * p.hidden; row += kGruThreads / 32) {
        for (int column = static_cast<int>(threadIdx.x) % 32; column < p.hidden; column += 32) {
            shared[row * pitch + column] = U[static_cast<std::int64_t>(row) * p.hidden + column];
        }
    }
    return {shared, pitch};
}

__device__ __forceinline__ float sumOfUnit(float value) {
    value += __shfl_xor_sync(0xffffffffu, value, 1);
    return value + __shfl_xor_sync(0xffffffffu, value, 2);
}

__device__ void forward(const GruParams& p) {
    EC_DYN_SHARED(float, shared);
    const Sequence sequence = {p, static_cast<int>(blockIdx.x)};
    const int H = p.hidden;
    const int part = static_cast<int>(threadIdx.x) % kParts;
    const int padded = gruStateFloats(H, false) / 2;
    const Matrix U = recurrentMatrix(p, sequence.direction, shared + 2 * padded);
    const float* c = p.weights[sequence.direction].c;
    for (int i = static_cast<int>(threadIdx.x); i < H; i += kGruThreads) shared[i] = 0.0f;
    __syncthreads();
    for (int step = 0; step < p.steps; ++step) {
        const int position = sequence.position(step);
        const float* previous = shared + step % 2 * padded;
        float* next = shared + (step + 1) % 2 * padded;
        const float* inputs = sequence.work(position, 3);
        for (int first = 0; first < H; first += kTile) {
            const int unit = first + static_cast<int>(threadIdx.x) / kParts;
            const bool live = unit < H;
            float sums[3] = {0.0f, 0.0f, 0.0f};
            for (int i = part; live && i < H; i += kParts) {
                const float state = previous[i];
#pragma unroll
                for (int gate = 0; gate < 3; ++gate) {
                    sums[gate] += U.rows[static_cast<std::int64_t>(gate * H + unit) * U.pitch + i] * state;
                }
            }
#pragma unroll
            for (int gate = 0; gate < 3; ++gate) sums[gate] = sumOfUnit(sums[gate]);
            if (!live) continue;
            GruGates<float> gates;
            const float value = gruUnitForward(inputs[unit], inputs[H + unit], inputs[2 * H + unit], sums[0] + c[unit],
                                               sums[1] + c[H + unit], sums[2] + c[2 * H + unit], previous[unit], gates);
            const float kept = part == 0 ? gates.r : part == 1 ? gates.z : part == 2 ? gates.n : gates.hn;
            sequence.tape(position)[part * H + unit] = kept;
            if (part == 0) {
                sequence.state(position)[unit] = value;
                next[unit] = value;
            }
        }
#ifndef EC_FAULT_dropped_barrier
        __syncthreads();
#endif
    }
}

/// Shared memory of the backward pass, in rows of `padded` floats.
struct BackwardRows {
    float* gates;   ///< [3]: gradients of the recurrent parts r, z, n of the step
    float* direct;  ///< share of the state's gradient that passes by the gates
    float* parts;   ///< [kParts]: the product of `gates` with U, by parts of the rows
    int padded;
};

/// Gradients of the gates' arguments at `position`, from dh and what the step after left in the rows.
__device__ void unitGradients(const Sequence& sequence, int position, bool last, const BackwardRows& rows) {
    const GruParams& p = sequence.p;
    const int H = p.hidden;
    const int before = sequence.before(position);
    const bool hasBefore = before >= 0 && before < p.steps;
    const float* dh = p.dh + sequence.row(position) * H;
    const float* tape = sequence.tape(position);
    float* out = sequence.work(position, 4);
    for (int unit = static_cast<int>(threadIdx.x); unit < H; unit += kGruThreads) {
        float gradient = dh[unit];
        if (!last) {
            gradient += rows.direct[unit];
#pragma unroll
            for (int part = 0; part < kParts; ++part) gradient += rows.parts[part * rows.padded + unit];
        }
        const GruGates<float> gates = {tape[unit], tape[H + unit], tape[2 * H + unit], tape[3 * H + unit]};
        const float previous = hasBefore ? sequence.state(before)[unit] : 0.0f;
        const GruUnitGradient<float> g = gruUnitBackward(gradient, previous, gates);
        out[unit] = g.xr;
        out[H + unit] = g.xz;
        out[2 * H + unit] = g.xn;
        out[3 * H + unit] = g.hn;
        rows.gates[unit] = g.xr;
        rows.gates[rows.padded + unit] = g.xz;
        rows.gates[2 * rows.padded + unit] = g.hn;
        rows.direct[unit] = g.previous;
    }
}

__device__ void backward(const GruParams& p) {
    EC_DYN_SHARED(float, shared);
    const Sequence sequence = {p, static_cast<int>(blockIdx.x)};
    const int H = p.hidden;
    const int padded = gruStateFloats(H, true) / 8;
    const BackwardRows rows = {shared, shared + 3 * padded, shared + 4 * padded, padded};
    const Matrix U = recurrentMatrix(p, sequence.direction, shared + 8 * padded);
    const int part = static_cast<int>(threadIdx.x) / kTile;
    for (int step = p.steps - 1; step >= 0; --step) {
        __syncthreads();
        unitGradients(sequence, sequence.position(step), step == p.steps - 1, rows);
        __syncthreads();
        for (int column = static_cast<int>(threadIdx.x) % kTile; column < H; column += kTile) {
            float sum = 0.0f;
#pragma unroll
            for (int gate = 0; gate < 3; ++gate) {
                for (int unit = part; unit < H; unit += kParts) {
                    sum += U.rows[static_cast<std::int64_t>(gate * H + unit) * U.pitch + column] *
                           rows.gates[gate * padded + unit];
                }
            }
            rows.parts[part * padded + column] = sum;
        }
    }
}

/// Row `row` of dW, dU, db and dc of a direction: sums over the steps, in order.
__device__ void rowGradients(const Sequence& sequence, int row) {
    const GruParams& p = sequence.p;
    const GruArrays& out = p.gradients[sequence.direction];
    const int H = p.hidden;
    const int gate = row / H;
    const int unit = row - gate * H;
    // The recurrent part of n has its own gradient, in the fourth row.
    const int recurrent = gate == 2 ? 3 : gate;
    for (int column = static_cast<int>(threadIdx.x); column < p.inputs; column += kGruRowThreads) {
        float sum = 0.0f;
        for (int position = 0; position < p.steps; ++position) {
            sum += sequence.work(position, 4)[gate * H + unit] *
                   p.x[static_cast<std::int64_t>(position) * p.inputs + column];
        }
        out.W[static_cast<std::int64_t>(row) * p.inputs + column] = sum;
    }
    for (int column = static_cast<int>(threadIdx.x); column < H; column += kGruRowThreads) {
        float sum = 0.0f;
        for (int position = 0; position < p.steps; ++position) {
#ifdef EC_FAULT_wrong_step
            const int before = position;
#else
            const int before = sequence.before(position);
#endif
            if (before < 0 || before >= p.steps) continue;
            sum += sequence.work(position, 4)[recurrent * H + unit] * sequence.state(before)[column];
        }
        out.U[static_cast<std::int64_t>(row) * H + column] = sum;
    }
    if (threadIdx.x >= 2) return;
    const int slot = threadIdx.x == 0 ? gate : recurrent;
    float sum = 0.0f;
    for (int position = 0; position < p.steps; ++position) sum += sequence.work(position, 4)[slot * H + unit];
    (threadIdx.x == 0 ? out.b : out.c)[row] = sum;
}

/// dx of one position: direction 0's share, then direction 1's.
__device__ void inputGradients(const GruParams& p, int position) {
    for (int column = static_cast<int>(threadIdx.x); column < p.inputs; column += kGruRowThreads) {
        float total = 0.0f;
        for (int direction = 0; direction < 2; ++direction) {
            const float* gradients = Sequence{p, direction}.work(position, 4);
            const float* W = p.weights[direction].W + column;
            float sum = 0.0f;
            for (int row = 0; row < 3 * p.hidden; ++row)
                sum += gradients[row] * W[static_cast<std::int64_t>(row) * p.inputs];
            total += sum;
        }
        p.dx[static_cast<std::int64_t>(position) * p.inputs + column] = total;
    }
}

}  // namespace

extern "C" __global__ void __launch_bounds__(kGruRowThreads) ec_gru_inputs(const GruParams p) {
    const std::int64_t index =
        static_cast<std::int64_t>(blockIdx.x) * (kGruRowThreads / 32) + static_cast<int>(threadIdx.x) / 32;
    const int rows = 3 * p.hidden;
    if (index >= static_cast<std::int64_t>(2) * p.steps * rows) return;  // a whole warp
    const int row = static_cast<int>(index % rows);
    const int direction = static_cast<int>(index / rows % 2);
    const std::int64_t position = index / rows / 2;
    const float* W = p.weights[direction].W + static_cast<std::int64_t>(row) * p.inputs;
    const float* x = p.x + position * p.inputs;
    const int lane = static_cast<int>(threadIdx.x) % 32;
    float sum = 0.0f;
    for (int i = lane; i < p.inputs; i += 32) sum += W[i] * x[i];
    sum = warpSum(sum);
    // The index runs over [steps][2][3 H], which is the workspace's layout.
    if (lane == 0) p.workspace[index] = sum + p.weights[direction].b[row];
}

extern "C" __global__ void __launch_bounds__(kGruThreads, 1) ec_gru_forward(const GruParams p) {
    forward(p);
}
extern "C" __global__ void __launch_bounds__(kGruThreads, 1) ec_gru_backward(const GruParams p) {
    backward(p);
}

extern "C" __global__ void __launch_bounds__(kGruRowThreads) ec_gru_gradients(const GruParams p) {
    const int rows = 3 * p.hidden;
    const int block = static_cast<int>(blockIdx.x);
    if (block < 2 * rows) {
        rowGradients(Sequence{p, block / rows}, block % rows);
    } else {
        inputGradients(p, block - 2 * rows);
    }
}

EC_KERNEL_TABLE(gru)

}  // namespace effconv
