// Coordinate networks of all layers in one launch: features H of the taps of every layer's grid, and their gradients.
//
//   ec_coordinate_features_forward    parameters -> H
//   ec_coordinate_features_gradient   dH -> a partial sum of every parameter's gradient per tile of taps
//   ec_coordinate_features_reduce     adds the tiles of a layer, in order
//
// Formulas: effconv/coordinate.h. A block takes up to 32 taps of one layer; their hidden vectors (and, backwards, what
// reaches them) stand in shared memory, so a tile reads W2 once or twice, from the L2 cache. Sums have a fixed order:
// over the hidden units, over the taps of a tile, over the tiles. Parameters are read one at a time: they may be parts
// of larger tensors.
//
// Floor: launch latency; 20 layers of 7 x 7 taps, hidden 64, 32 features are 4 million multiply-adds.
// Measured: not yet on a card.

#include "effconv/kernel_table.h"
#include "effconv/kernels/coordinate_features.h"
#include "sine.cuh"

namespace effconv {
namespace {

constexpr float kRootOfTwo = 1.41421356f;

struct Tile {
    const CoordinateFeatureLayer& layer;
    int first, count;  ///< taps

    __device__ float x(int tap) const {
        return tapCoordinate<float>((first + tap) % layer.grid, layer.grid, layer.kmax);
    }
    __device__ float y(int tap) const {
        return tapCoordinate<float>((first + tap) / layer.grid, layer.grid, layer.kmax);
    }

    /// Sine and cosine of the first layer's phase.
    __device__ void firstSine(int tap, int unit, float& sine, float& cosine) const {
#ifdef EC_FAULT_swapped_axes
        const float across = y(tap), down = x(tap);
#else
        const float across = x(tap), down = y(tap);
#endif
        sineAndCosine(layer.omega * (layer.W1[2 * unit] * across + layer.W1[2 * unit + 1] * down + layer.b1[unit]),
                      sine, cosine);
    }
};

__device__ __forceinline__ Tile tileOf(const CoordinateFeaturesParams& p, const CoordinateItem& item,
                                       const CoordinateFeatureLayer& layer) {
    const int first = static_cast<int>(item.first);
    return {layer, first, min(p.taps, layer.grid * layer.grid - first)};
}

/// Hidden vectors z of the tile's taps, rows coordinatePitch(hidden) apart.
__device__ void hiddenVectors(const Tile& tile, float* z) {
    const int hidden = tile.layer.hidden;
    for (int e = static_cast<int>(threadIdx.x); e < tile.count * hidden; e += kCoordinateThreads) {
        const int tap = e / hidden;
        const int unit = e - tap * hidden;
        float sine, cosine;
        tile.firstSine(tap, unit, sine, cosine);
        z[tap * coordinatePitch(hidden) + unit] = sine * (1.0f + tile.layer.gamma[unit]) + tile.layer.beta[unit];
    }
}

/// Argument of the second sine, for feature f of the tap whose hidden vector is z.
__device__ __forceinline__ float secondPhase(const CoordinateFeatureLayer& layer, int f, const float* z) {
    float sum = layer.b2[f];
    const float* row = layer.W2 + static_cast<std::int64_t>(f) * layer.hidden;
    for (int unit = 0; unit < layer.hidden; ++unit) sum += row[unit] * z[unit];
    return sum;
}

__device__ void forward(const CoordinateFeaturesParams& p) {
    EC_DYN_SHARED(float, z);
    const CoordinateItem item = p.tiles[blockIdx.x];
    const CoordinateFeatureLayer layer = p.layers[item.layer];
    const Tile tile = tileOf(p, item, layer);
    hiddenVectors(tile, z);
#ifndef EC_FAULT_dropped_barrier
    __syncthreads();
#endif
    // Neighbouring threads take neighbouring taps: one row of W2 serves them all.
    for (int e = static_cast<int>(threadIdx.x); e < tile.count * layer.features; e += kCoordinateThreads) {
        const int f = e / tile.count;
        const int tap = e - f * tile.count;
        float sine, cosine;
        sineAndCosine(secondPhase(layer, f, z + tap * coordinatePitch(layer.hidden)), sine, cosine);
        layer.H[static_cast<std::int64_t>(tile.first + tap) * layer.features + f] = kRootOfTwo * sine;
    }
}

/// Rows of the tile's taps in shared memory: z; gradients of z, of the first sine's gamma and phase; of the second
/// phase.
struct GradientRows {
    float *z, *dz, *dgamma, *dfirst, *dsecond;
    int pitch, featurePitch;
};

__device__ void tapGradients(const Tile& tile, const GradientRows& rows) {
    const CoordinateFeatureLayer& layer = tile.layer;
    const int hidden = layer.hidden;
    for (int e = static_cast<int>(threadIdx.x); e < tile.count * layer.features; e += kCoordinateThreads) {
        const int f = e / tile.count;
        const int tap = e - f * tile.count;
        float sine, cosine;
        sineAndCosine(secondPhase(layer, f, rows.z + tap * rows.pitch), sine, cosine);
        const float dH = layer.H[static_cast<std::int64_t>(tile.first + tap) * layer.features + f];
        rows.dsecond[tap * rows.featurePitch + f] = dH * kRootOfTwo * cosine;
    }
    __syncthreads();
    for (int e = static_cast<int>(threadIdx.x); e < tile.count * hidden; e += kCoordinateThreads) {
        const int tap = e / hidden;
        const int unit = e - tap * hidden;
        float dz = 0.0f;
        for (int f = 0; f < layer.features; ++f) {
            dz += rows.dsecond[tap * rows.featurePitch + f] * layer.W2[static_cast<std::int64_t>(f) * hidden + unit];
        }
        float sine, cosine;
        tile.firstSine(tap, unit, sine, cosine);
        const int at = tap * rows.pitch + unit;
        rows.dz[at] = dz;
        rows.dgamma[at] = dz * sine;
        rows.dfirst[at] = dz * (1.0f + layer.gamma[unit]) * cosine * layer.omega;
    }
    __syncthreads();
}

/// Sums over the tile's taps, into the tile's partial sum.
__device__ void tileSums(const Tile& tile, const GradientRows& rows, float* out) {
    const CoordinateFeatureLayer& layer = tile.layer;
    const int hidden = layer.hidden;
    const std::int64_t products = static_cast<std::int64_t>(layer.features) * hidden;
    for (std::int64_t e = threadIdx.x; e < products; e += kCoordinateThreads) {
        const int f = static_cast<int>(e / hidden);
        const int unit = static_cast<int>(e - static_cast<std::int64_t>(f) * hidden);
        float sum = 0.0f;
        for (int tap = 0; tap < tile.count; ++tap) {
            sum += rows.dsecond[tap * rows.featurePitch + f] * rows.z[tap * rows.pitch + unit];
        }
        out[e] = sum;
    }
    out += products;
    for (int f = static_cast<int>(threadIdx.x); f < layer.features; f += kCoordinateThreads) {
        float sum = 0.0f;
        for (int tap = 0; tap < tile.count; ++tap) sum += rows.dsecond[tap * rows.featurePitch + f];
        out[f] = sum;
    }
    out += layer.features;
    for (int unit = static_cast<int>(threadIdx.x); unit < hidden; unit += kCoordinateThreads) {
        float across = 0.0f, down = 0.0f, first = 0.0f, gamma = 0.0f, beta = 0.0f;
        for (int tap = 0; tap < tile.count; ++tap) {
            const int at = tap * rows.pitch + unit;
            const float dfirst = rows.dfirst[at];
            across += dfirst * tile.x(tap);
            down += dfirst * tile.y(tap);
            first += dfirst;
            gamma += rows.dgamma[at];
            beta += rows.dz[at];
        }
        out[2 * unit] = across;
        out[2 * unit + 1] = down;
        out[2 * hidden + unit] = first;
        out[3 * hidden + unit] = gamma;
        out[4 * hidden + unit] = beta;
    }
}

__device__ void gradient(const CoordinateFeaturesParams& p) {
    EC_DYN_SHARED(float, shared);
    const CoordinateItem item = p.tiles[blockIdx.x];
    const CoordinateFeatureLayer layer = p.layers[item.layer];
    const Tile tile = tileOf(p, item, layer);
    const int pitch = coordinatePitch(layer.hidden);
    const int row = p.taps * pitch;
    const GradientRows rows = {shared,
                               shared + row,
                               shared + 2 * row,
                               shared + 3 * row,
                               shared + 4 * row,
                               pitch,
                               coordinatePitch(layer.features)};
    hiddenVectors(tile, rows.z);
    __syncthreads();
    tapGradients(tile, rows);
    tileSums(tile, rows, p.workspace + layer.partial + tile.first / p.taps * layer.parameters());
}

/// Where gradient element `e` of a layer goes.
__device__ float* targetOf(const CoordinateFeatureLayer& layer, std::int64_t e) {
    const std::int64_t products = static_cast<std::int64_t>(layer.features) * layer.hidden;
    if (e < products) return layer.dW2 + e;
    e -= products;
    if (e < layer.features) return layer.db2 + e;
    e -= layer.features;
    if (e < 2 * layer.hidden) return layer.dW1 + e;
    e -= 2 * layer.hidden;
    float* const last[3] = {layer.db1, layer.dgamma, layer.dbeta};
    return e < layer.hidden       ? last[0] + e
           : e < 2 * layer.hidden ? last[1] + e - layer.hidden
                                  : last[2] + e - 2 * layer.hidden;
}

}  // namespace

extern "C" __global__ void __launch_bounds__(kCoordinateThreads, 2)
    ec_coordinate_features_forward(const CoordinateFeaturesParams p) {
    forward(p);
}
extern "C" __global__ void __launch_bounds__(kCoordinateThreads, 2)
    ec_coordinate_features_gradient(const CoordinateFeaturesParams p) {
    gradient(p);
}
extern "C" __global__ void __launch_bounds__(kCoordinateThreads)
    ec_coordinate_features_reduce(const CoordinateFeaturesParams p) {
    const CoordinateItem item = p.reductions[blockIdx.x];
    const CoordinateFeatureLayer layer = p.layers[item.layer];
    const std::int64_t parameters = layer.parameters();
    const std::int64_t last = min(item.first + kCoordinateReduceElements, parameters);
    for (std::int64_t e = item.first + threadIdx.x; e < last; e += kCoordinateThreads) {
        float sum = 0.0f;
        for (int tile = 0; tile < layer.tiles; ++tile) sum += p.workspace[layer.partial + tile * parameters + e];
        *targetOf(layer, e) = sum;
    }
}

EC_KERNEL_TABLE(coordinate_features)

}  // namespace effconv
