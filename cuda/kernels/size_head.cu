// The size predictor's head: u = ReLU(LayerNorm(h)), v = kmin + (kmax - kmin) sigma(g <w, u> / |w| + b), and its
// gradients.
//
//   ec_size_head_forward        h -> u, v
//   ec_size_head_gradient       dv -> dh, dw, dg, db
//   ec_size_head_norm_gradient  dgain, dshift: sums over the layers, in order
//
// Formulas: effconv/gru.h. A warp owns a layer and reads its rows of h and w up to three times, the later ones from the
// cache; the gradient computes mean, deviation and projection anew instead of keeping them. Any width.
//
// Floor: launch latency; 20 layers of width 256 are 40 KB.
// Measured: not yet on a card.

#include "effconv/kernel_table.h"
#include "effconv/kernels/size_head.h"
#include "warp_sum.cuh"

namespace effconv {
namespace {

/// What a warp knows of its layer after the forward arithmetic.
struct Layer {
    const float* h;
    const float* w;
    SizeHeadState<float> state;
};

__device__ __forceinline__ float normalised(const Layer& layer, int j) {
    return (layer.h[j] - layer.state.mean) * layer.state.inverseDeviation;
}

/// The layer norm's output before the ReLU.
__device__ __forceinline__ float normValue(const SizeHeadParams& p, const Layer& layer, int j) {
    return normalised(layer, j) * p.gain[j] + p.shift[j];
}

/// Forward arithmetic of one layer by one warp; u is written unless it is null.
__device__ Layer headOfLayer(const SizeHeadParams& p, int index, int lane, float* u) {
    const std::int64_t row = static_cast<std::int64_t>(index) * p.width;
    Layer layer = {p.h + row, p.w + row, {}};
    SizeHeadState<float>& state = layer.state;
    const float width = static_cast<float>(p.width);
    float sum = 0.0f;
    for (int j = lane; j < p.width; j += 32) sum += layer.h[j];
    state.mean = warpSum(sum) / width;
    float squares = 0.0f;
    for (int j = lane; j < p.width; j += 32) squares += (layer.h[j] - state.mean) * (layer.h[j] - state.mean);
    state.inverseDeviation = 1.0f / sqrtf(warpSum(squares) / width + layerNormEpsilon<float>());
    float dot = 0.0f, length = 0.0f;
    for (int j = lane; j < p.width; j += 32) {
        const float value = normValue(p, layer, j);
        const float result = rectified(value);
        if (u != nullptr) u[row + j] = result;
        dot += layer.w[j] * result;
        length += layer.w[j] * layer.w[j];
    }
    state.dot = warpSum(dot);
    state.inverseLength = 1.0f / sqrtf(warpSum(length));
    state.sigma = logistic(p.g[index] * state.dot * state.inverseLength + p.b[index]);
    return layer;
}

__device__ __forceinline__ int layerOfWarp() {
    return static_cast<int>(blockIdx.x) * (kSizeHeadThreads / 32) + static_cast<int>(threadIdx.x) / 32;
}

/// What the sums over the layers need of a layer: mean, 1 / deviation, gradient of <w, u>.
__device__ __forceinline__ float* scalarsOf(const SizeHeadParams& p, int index) {
    return p.workspace + 3 * index;
}

}  // namespace

extern "C" __global__ void __launch_bounds__(kSizeHeadThreads) ec_size_head_forward(const SizeHeadParams p) {
    const int index = layerOfWarp();
    if (index >= p.layers) return;  // a whole warp
    const int lane = static_cast<int>(threadIdx.x) % 32;
    const Layer layer = headOfLayer(p, index, lane, p.u);
    if (lane == 0) p.v[index] = p.kmin[index] + (p.kmax[index] - p.kmin[index]) * layer.state.sigma;
}

extern "C" __global__ void __launch_bounds__(kSizeHeadThreads) ec_size_head_gradient(const SizeHeadParams p) {
    const int index = layerOfWarp();
    if (index >= p.layers) return;  // a whole warp
    const int lane = static_cast<int>(threadIdx.x) % 32;
    const Layer layer = headOfLayer(p, index, lane, nullptr);
    const SizeHeadState<float>& state = layer.state;
    const float logit = p.dv[index] * (p.kmax[index] - p.kmin[index]) * state.sigma * (1.0f - state.sigma);
    const float along = logit * p.g[index] * state.inverseLength;
#ifdef EC_FAULT_unbound_length
    const float radial = 0.0f;
#else
    const float radial = along * state.dot * state.inverseLength * state.inverseLength;
#endif
    const std::int64_t row = static_cast<std::int64_t>(index) * p.width;
    float sum = 0.0f, product = 0.0f;
    for (int j = lane; j < p.width; j += 32) {
        const float value = normValue(p, layer, j);
        const float gradient = rectifiedGradient(value, along * layer.w[j] * p.gain[j]);
        sum += gradient;
        product += gradient * normalised(layer, j);
        p.dw[row + j] = along * rectified(value) - radial * layer.w[j];
    }
    sum = warpSum(sum) / static_cast<float>(p.width);
    product = warpSum(product) / static_cast<float>(p.width);
    for (int j = lane; j < p.width; j += 32) {
        const float gradient = rectifiedGradient(normValue(p, layer, j), along * layer.w[j] * p.gain[j]);
        p.dh[row + j] = state.inverseDeviation * (gradient - sum - normalised(layer, j) * product);
    }
    if (lane != 0) return;
    p.db[index] = logit;
    p.dg[index] = logit * state.dot * state.inverseLength;
    scalarsOf(p, index)[0] = state.mean;
    scalarsOf(p, index)[1] = state.inverseDeviation;
    scalarsOf(p, index)[2] = along;
}

extern "C" __global__ void __launch_bounds__(kSizeHeadThreads) ec_size_head_norm_gradient(const SizeHeadParams p) {
    const int j = static_cast<int>(blockIdx.x) * kSizeHeadThreads + static_cast<int>(threadIdx.x);
    if (j >= p.width) return;
    float gain = 0.0f, shift = 0.0f;
    for (int index = 0; index < p.layers; ++index) {
        const float* scalars = scalarsOf(p, index);
        const std::int64_t at = static_cast<std::int64_t>(index) * p.width + j;
        const float x = (p.h[at] - scalars[0]) * scalars[1];
        const float gradient = rectifiedGradient(x * p.gain[j] + p.shift[j], scalars[2] * p.w[at]);
        gain += gradient * x;
        shift += gradient;
    }
    p.dgain[j] = gain;
    p.dshift[j] = shift;
}

EC_KERNEL_TABLE(size_head)

}  // namespace effconv
