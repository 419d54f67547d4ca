// Weight synthesis on a CPU: the formulas of effconv/synthesis.h as small matrix products over tiles of output
// channels.
//
// A task is a range of output channels of one layer, cut the same way whatever the number of threads. Within a task the
// channels go by in strips of about 128 columns (o, i), which are contiguous in the coefficients; weights are gathered
// to and from [tap][column] so that every product has a long contiguous side. Each task leaves its share of G (or of
// dv, for a table); the shares are summed in task order.
#include <omp.h>

#include <algorithm>
#include <exception>
#include <vector>

#include "effconv.h"
#include "status.h"
#include "synthesis_layer.h"
#include "tile_product.h"

namespace effconv_cpu {
namespace {

constexpr int kStripColumns = 128;
constexpr int kMaxTasksPerLayer = 16;

struct Task {
    int layer;
    int first;  ///< output channels [first, last)
    int last;
    std::int64_t partial;  ///< where this task's share of G starts (elements); a table's share of dv is one element
};

void check(int mask, int type, const void* v, const ec_synthesis_layer* layers, int count, bool backward) {
    require(mask >= 0 && mask < effconv::kMaskKinds, "synthesis: unknown mask kind");
    require(type == EC_F32 || type == EC_F64, "synthesis: sizes must be F32 or F64");
    require(v != nullptr && (layers != nullptr || count == 0), "synthesis: null array");
    for (int l = 0; l < count; ++l) {
        const ec_synthesis_layer& layer = layers[l];
        require(layer.output_channels > 0 && layer.input_channels > 0, "synthesis: channels must be positive");
        require(layer.grid > 0 && layer.grid % 2 == 1 && layer.kmax % 2 == 1 && layer.grid <= layer.kmax &&
                    layer.kmax <= effconv::kMaxKernelSize,
                "synthesis: grid and kmax must be odd, 1 <= grid <= kmax <= 33");
        require(layer.features >= 0 && layer.size_index >= 0, "synthesis: negative features or size index");
        require(effconv_abi::complete(layer, false), "synthesis: null array in a layer");
        require(effconv_abi::complete(layer, backward), "synthesis: null gradient in a layer");
        require(layer.weight_type == type || (type == EC_F32 && layer.weight_type == EC_BF16),
                "synthesis: weights must have the type of the sizes, or be BF16 beside F32");
    }
}

int channelsPerStrip(const ec_synthesis_layer& layer) {
    return std::max(1, kStripColumns / layer.input_channels);
}

std::vector<Task> planTasks(const ec_synthesis_layer* layers, int count, std::int64_t& partials) {
    std::vector<Task> tasks;
    partials = 0;
    for (int l = 0; l < count; ++l) {
        const ec_synthesis_layer& layer = layers[l];
        const int strip = channelsPerStrip(layer);
        const int strips = (layer.output_channels + strip - 1) / strip;
        const int perTask = strip * ((strips + kMaxTasksPerLayer - 1) / kMaxTasksPerLayer);
        const std::int64_t share = layer.features == 0 ? 1 : std::int64_t(layer.grid) * layer.grid * layer.features;
        for (int o = 0; o < layer.output_channels; o += perTask) {
            tasks.push_back({l, o, std::min(o + perTask, layer.output_channels), partials});
            partials += share;
        }
    }
    return tasks;
}

/// One thread's buffers, sized for the largest layer of the call.
template <typename Real>
struct Scratch {
    std::vector<Real> taps;          ///< [taps or features][..]: H, or s m H transposed
    std::vector<Real> coefficients;  ///< A of the strip, [feature][column]
    std::vector<Real> transposed;    ///< A of the strip, [column][feature]
    std::vector<Real> columns;       ///< w or dw of the strip, [tap][column]
    std::vector<Real> product;

    explicit Scratch(const ec_synthesis_layer* layers, int count) {
        std::int64_t t = 0, a = 0, at = 0, c = 0, p = 0;
        for (int l = 0; l < count; ++l) {
            const std::int64_t n = std::int64_t(layers[l].grid) * layers[l].grid;
            const std::int64_t rows = roundUp(n, kTileRows), h = layers[l].features;
            const std::int64_t width =
                roundUp(std::int64_t(channelsPerStrip(layers[l])) * layers[l].input_channels, kTileColumns<Real>);
            const std::int64_t hRows = roundUp(h, kTileRows), hColumns = roundUp(h, kTileColumns<Real>);
            t = std::max(t, std::max(rows * h, hRows * n));
            a = std::max(a, h * width);
            at = std::max(at, width * hColumns);
            c = std::max(
                c, std::max(rows * width, std::int64_t(layers[l].kmax) * layers[l].kmax * layers[l].input_channels));
            p = std::max(p, std::max(rows, hRows) * std::max(width, hColumns));
        }
        taps.resize(t);
        coefficients.resize(a);
        transposed.resize(at);
        columns.resize(c);
        product.resize(p);
    }
};

template <typename Real>
Real load(const ec_synthesis_layer& layer, std::int64_t index) {
    if (layer.weight_type == EC_BF16) {
        return effconv::floatFromBf16(static_cast<const std::uint16_t*>(layer.weights)[index]);
    }
    return static_cast<const Real*>(layer.weights)[index];
}

template <typename Real>
void store(const ec_synthesis_layer& layer, std::int64_t index, Real value) {
    if (layer.weight_type == EC_BF16) {
        static_cast<std::uint16_t*>(layer.weights)[index] = effconv::bf16FromFloat(static_cast<float>(value));
    } else {
        static_cast<Real*>(layer.weights)[index] = value;
    }
}

/// Copies A's columns [first, first + count) to [feature][width], zero-padded.
template <typename Real>
void gatherCoefficients(const effconv::SynthesisLayer& d, const Real* A, std::int64_t first, std::int64_t count,
                        std::int64_t width, Real* out) {
    for (int f = 0; f < d.features; ++f) {
        const Real* row = A + f * d.coefficientStride + first;
        std::copy(row, row + count, out + f * width);
        std::fill(out + f * width + count, out + (f + 1) * width, Real(0));
    }
}

template <typename Real>
void forwardTask(const ec_synthesis_layer& layer, const effconv::SynthesisLayer& d, const Task& task, Real v,
                 Scratch<Real>& scratch) {
    const std::int64_t taps = std::int64_t(d.kgrid) * d.kgrid;
    const Real* source = static_cast<const Real*>(layer.source);
    if (d.source == effconv::kElasticTable) {
        effconv::SynthesisLayer one = d;
        for (int o = task.first; o < task.last; ++o) {
            one.weightOffset = -o * d.weightStride;  // each channel lands at the scratch's start
            effconv::synthesizeWeights(one, v, o, o + 1, static_cast<const Real*>(nullptr), source,
                                       scratch.columns.data());
            for (std::int64_t i = 0; i < d.weightStride; ++i) store(layer, o * d.weightStride + i, scratch.columns[i]);
        }
        return;
    }
    const std::int64_t rows = roundUp(taps, kTileRows);
    const Real* H = static_cast<const Real*>(layer.feature_rows);
    std::copy(H, H + taps * d.features, scratch.taps.begin());
    std::fill(scratch.taps.begin() + taps * d.features, scratch.taps.begin() + rows * d.features, Real(0));
    const int strip = channelsPerStrip(layer);
    for (int o = task.first; o < task.last; o += strip) {
        const int channels = std::min(strip, task.last - o);
        const std::int64_t count = std::int64_t(channels) * d.cin, width = roundUp(count, kTileColumns<Real>);
        gatherCoefficients(d, source, std::int64_t(o) * d.cin, count, width, scratch.coefficients.data());
        tileProduct(rows, width, d.features, scratch.taps.data(), d.features, scratch.coefficients.data(), width,
                    scratch.product.data(), width);
        for (int p = 0; p < taps; ++p) {
            const Real factor = Real(d.scale) * effconv::tapMask(d, p, v).m;
            const Real* row = scratch.product.data() + p * width;
            for (int c = 0; c < channels; ++c) {
                const std::int64_t to = (o + c) * d.weightStride + std::int64_t(p) * d.cin;
                for (int i = 0; i < d.cin; ++i)
                    store(layer, to + i, factor == Real(0) ? Real(0) : factor * row[c * d.cin + i]);
            }
        }
    }
}

/// dA of the strip's columns, and the strip's share of G added to `partial` [taps][features].
template <typename Real>
void backwardStrip(const effconv::SynthesisLayer& d, std::int64_t first, std::int64_t count, Scratch<Real>& scratch,
                   const Real* A, Real* dA, Real* partial) {
    const std::int64_t taps = std::int64_t(d.kgrid) * d.kgrid, width = roundUp(count, kTileColumns<Real>);
    const std::int64_t rows = roundUp(taps, kTileRows), hRows = roundUp(d.features, kTileRows);
    tileProduct(hRows, width, taps, scratch.taps.data(), taps, scratch.columns.data(), width, scratch.product.data(),
                width);
    for (int f = 0; f < d.features; ++f) {
        const Real* row = scratch.product.data() + f * width;
        std::copy(row, row + count, dA + f * d.coefficientStride + first);
    }
    const std::int64_t hColumns = roundUp(d.features, kTileColumns<Real>);
    // Row by row of A: the other way round its rows, often a power of two apart, would push each other out of the
    // cache.
    Real* transposed = scratch.transposed.data();
    for (int f = 0; f < d.features; ++f) {
        const Real* row = A + f * d.coefficientStride + first;
        for (std::int64_t c = 0; c < count; ++c) transposed[c * hColumns + f] = row[c];
    }
    for (std::int64_t c = 0; c < count; ++c)
        std::fill(transposed + c * hColumns + d.features, transposed + (c + 1) * hColumns, Real(0));
    tileProduct(rows, hColumns, count, scratch.columns.data(), width, scratch.transposed.data(), hColumns,
                scratch.product.data(), hColumns);
    for (std::int64_t p = 0; p < taps; ++p) {
        for (int f = 0; f < d.features; ++f) partial[p * d.features + f] += scratch.product[p * hColumns + f];
    }
}

template <typename Real>
void backwardFeatures(const ec_synthesis_layer& layer, const effconv::SynthesisLayer& d, const Task& task, Real v,
                      Scratch<Real>& scratch, Real* partial) {
    const std::int64_t taps = std::int64_t(d.kgrid) * d.kgrid;
    const std::int64_t rows = roundUp(taps, kTileRows), hRows = roundUp(d.features, kTileRows);
    const Real* H = static_cast<const Real*>(layer.feature_rows);
    for (int p = 0; p < taps; ++p) {
        const Real factor = Real(d.scale) * effconv::tapMask(d, p, v).m;
        for (int f = 0; f < d.features; ++f) {
            scratch.taps[f * taps + p] = factor == Real(0) ? Real(0) : factor * H[std::int64_t(p) * d.features + f];
        }
    }
    std::fill(scratch.taps.begin() + d.features * taps, scratch.taps.begin() + hRows * taps, Real(0));
    const int strip = channelsPerStrip(layer);
    for (int o = task.first; o < task.last; o += strip) {
        const int channels = std::min(strip, task.last - o);
        const std::int64_t count = std::int64_t(channels) * d.cin, width = roundUp(count, kTileColumns<Real>);
        std::fill(scratch.columns.begin(), scratch.columns.begin() + rows * width, Real(0));
        for (int c = 0; c < channels; ++c) {
            for (int p = 0; p < taps; ++p) {
                const std::int64_t from = (o + c) * d.weightStride + std::int64_t(p) * d.cin;
                Real* to = scratch.columns.data() + p * width + std::int64_t(c) * d.cin;
                for (int i = 0; i < d.cin; ++i) to[i] = load<Real>(layer, from + i);
            }
        }
        backwardStrip(d, std::int64_t(o) * d.cin, count, scratch, static_cast<const Real*>(layer.source),
                      static_cast<Real*>(layer.source_gradient), partial);
    }
}

/// Returns the task's share of dv.
template <typename Real>
double backwardTable(const ec_synthesis_layer& layer, const effconv::SynthesisLayer& d, const Task& task, Real v,
                     Scratch<Real>& scratch) {
    effconv::SynthesisLayer one = d;
    double dv = 0;
    for (int o = task.first; o < task.last; ++o) {
        for (std::int64_t i = 0; i < d.weightStride; ++i)
            scratch.columns[i] = load<Real>(layer, o * d.weightStride + i);
        one.weightOffset = -o * d.weightStride;
        dv += effconv::synthesisBackwardElastic(one, v, o, o + 1, static_cast<const Real*>(layer.source),
                                                scratch.columns.data(), static_cast<Real*>(layer.source_gradient));
    }
    return dv;
}

/// Sums the shares of one layer in task order; returns its dv.
template <typename Real>
double finishLayer(const ec_synthesis_layer& layer, const effconv::SynthesisLayer& d, int l, Real v,
                   const std::vector<Task>& tasks, const std::vector<Real>& partials,
                   const std::vector<double>& shares) {
    double dv = 0;
    if (d.source == effconv::kElasticTable) {
        for (std::size_t t = 0; t < tasks.size(); ++t) {
            if (tasks[t].layer == l) dv += shares[t];
        }
        return dv;
    }
    const Real* H = static_cast<const Real*>(layer.feature_rows);
    const std::int64_t taps = std::int64_t(d.kgrid) * d.kgrid, size = taps * d.features;
    std::vector<double> sums(size);
    for (const Task& task : tasks) {
        for (std::int64_t i = 0; task.layer == l && i < size; ++i) sums[i] += partials[task.partial + i];
    }
    const std::vector<Real> G(sums.begin(), sums.end());
    for (int p = 0; p < taps; ++p) {
        dv += effconv::finishFeatureGradients(d, v, p, H, G.data() + std::int64_t(p) * d.features,
                                              static_cast<Real*>(layer.feature_gradient));
    }
    return dv;
}

template <typename Real>
void forward(int mask, const Real* v, const ec_synthesis_layer* layers, int count) {
    std::int64_t partials = 0;
    const std::vector<Task> tasks = planTasks(layers, count, partials);
    std::vector<Scratch<Real>> scratch(omp_get_max_threads(), Scratch<Real>(layers, count));
#pragma omp parallel for schedule(dynamic)
    for (std::size_t t = 0; t < tasks.size(); ++t) {
        const ec_synthesis_layer& layer = layers[tasks[t].layer];
        forwardTask(layer, effconv_abi::describe(mask, layer), tasks[t], v[layer.size_index],
                    scratch[omp_get_thread_num()]);
    }
}

template <typename Real>
void backward(int mask, const Real* v, int sizes, const ec_synthesis_layer* layers, int count, Real* dv) {
    std::int64_t size = 0;
    const std::vector<Task> tasks = planTasks(layers, count, size);
    std::vector<Real> partials(size);
    std::vector<double> shares(tasks.size());
    std::vector<Scratch<Real>> scratch(omp_get_max_threads(), Scratch<Real>(layers, count));
#pragma omp parallel for schedule(dynamic)
    for (std::size_t t = 0; t < tasks.size(); ++t) {
        const ec_synthesis_layer& layer = layers[tasks[t].layer];
        const effconv::SynthesisLayer d = effconv_abi::describe(mask, layer);
        Scratch<Real>& own = scratch[omp_get_thread_num()];
        if (d.source == effconv::kElasticTable) {
            shares[t] = backwardTable(layer, d, tasks[t], v[layer.size_index], own);
        } else {
            backwardFeatures(layer, d, tasks[t], v[layer.size_index], own, partials.data() + tasks[t].partial);
        }
    }
    std::vector<double> total(sizes);
    for (int l = 0; l < count; ++l) {
        require(layers[l].size_index < sizes, "synthesis: size index beyond the sizes");
        total[layers[l].size_index] += finishLayer(layers[l], effconv_abi::describe(mask, layers[l]), l,
                                                   v[layers[l].size_index], tasks, partials, shares);
    }
    for (int i = 0; i < sizes; ++i) dv[i] = static_cast<Real>(total[i]);
}

}  // namespace
}  // namespace effconv_cpu

using namespace effconv_cpu;

int32_t ec_synthesis(int32_t mask, int32_t type, const void* v, const ec_synthesis_layer* layers, int32_t count) {
    return guarded([&] {
        check(mask, type, v, layers, count, false);
        if (type == EC_F64) {
            forward(mask, static_cast<const double*>(v), layers, count);
        } else {
            forward(mask, static_cast<const float*>(v), layers, count);
        }
    });
}

int32_t ec_synthesis_gradient(int32_t mask, int32_t type, const void* v, int32_t sizes,
                              const ec_synthesis_layer* layers, int32_t count, void* dv) {
    return guarded([&] {
        check(mask, type, v, layers, count, true);
        require(dv != nullptr, "synthesis: dv is null");
        if (type == EC_F64) {
            backward(mask, static_cast<const double*>(v), sizes, layers, count, static_cast<double*>(dv));
        } else {
            backward(mask, static_cast<const float*>(v), sizes, layers, count, static_cast<float*>(dv));
        }
    });
}
