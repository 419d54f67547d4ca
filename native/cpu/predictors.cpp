// The predictors' small parts on a CPU: tap features, size head, support grid, soft tap counts,
// scales and rounding. The arithmetic is that
// of cuda/include/effconv/.
#include <algorithm>
#include <vector>

#include "effconv.h"
#include "effconv/coordinate.h"
#include "effconv/gru.h"
#include "effconv/mask.h"
#include "effconv/synthesis.h"
#include "status.h"

namespace effconv_cpu {
namespace {

void checkParameterType(int type) {
    require(type == EC_F32 || type == EC_F64, "predictors work in F32 or F64");
}

void check(const ec_coordinate_layer* layers, int count, bool backward) {
    require(layers != nullptr || count == 0, "coordinate network: null layers");
    for (int l = 0; l < count; ++l) {
        const ec_coordinate_layer& layer = layers[l];
        require(
            layer.grid > 0 && layer.grid % 2 == 1 && layer.kmax >= layer.grid && layer.hidden > 0 && layer.features > 0,
            "coordinate network: grid must be odd and at most kmax, widths positive");
        require(layer.w1 && layer.b1 && layer.w2 && layer.b2 && layer.gamma && layer.beta && layer.feature_rows,
                "coordinate network: null array");
        require(!backward || (layer.dw1 && layer.db1 && layer.dw2 && layer.db2 && layer.dgamma && layer.dbeta),
                "coordinate network: null gradient");
    }
}

template <typename Real>
effconv::CoordinateNetwork<Real> network(const ec_coordinate_layer& layer) {
    auto array = [](const void* p) { return static_cast<const Real*>(p); };
    return {layer.hidden,    layer.features,     static_cast<Real>(layer.omega),
            array(layer.w1), array(layer.b1),    array(layer.w2),
            array(layer.b2), array(layer.gamma), array(layer.beta)};
}

template <typename Real>
void features(const ec_coordinate_layer* layers, int count) {
    int hidden = 0;
    for (int l = 0; l < count; ++l) hidden = std::max(hidden, layers[l].hidden);
    std::vector<Real> scratch(std::size_t(count) * hidden);
#pragma omp parallel for schedule(dynamic)
    for (int l = 0; l < count; ++l) {
        const ec_coordinate_layer& layer = layers[l];
        const effconv::CoordinateNetwork<Real> net = network<Real>(layer);
        Real* H = static_cast<Real*>(layer.feature_rows);
        for (int p = 0; p < layer.grid * layer.grid; ++p) {
            const Real x = effconv::tapCoordinate<Real>(p % layer.grid, layer.grid, layer.kmax);
            const Real y = effconv::tapCoordinate<Real>(p / layer.grid, layer.grid, layer.kmax);
            effconv::coordinateForward(net, x, y, scratch.data() + std::size_t(l) * hidden,
                                       H + std::int64_t(p) * net.features);
        }
    }
}

template <typename Real>
void featuresGradient(const ec_coordinate_layer* layers, int count) {
    int hidden = 0;
    for (int l = 0; l < count; ++l) hidden = std::max(hidden, layers[l].hidden);
    std::vector<Real> scratch(std::size_t(2) * count * hidden);
#pragma omp parallel for schedule(dynamic)
    for (int l = 0; l < count; ++l) {
        const ec_coordinate_layer& layer = layers[l];
        const effconv::CoordinateNetwork<Real> net = network<Real>(layer);
        auto cleared = [](void* p, std::int64_t size) {
            Real* values = static_cast<Real*>(p);
            std::fill(values, values + size, Real(0));
            return values;
        };
        const std::int64_t h = net.hidden, f = net.features;
        const effconv::CoordinateGradients<Real> gradients = {cleared(layer.dw1, 2 * h), cleared(layer.db1, h),
                                                              cleared(layer.dw2, f * h), cleared(layer.db2, f),
                                                              cleared(layer.dgamma, h),  cleared(layer.dbeta, h)};
        const Real* dH = static_cast<const Real*>(layer.feature_rows);
        Real* z = scratch.data() + std::size_t(2) * l * hidden;
        for (int p = 0; p < layer.grid * layer.grid; ++p) {
            const Real x = effconv::tapCoordinate<Real>(p % layer.grid, layer.grid, layer.kmax);
            const Real y = effconv::tapCoordinate<Real>(p / layer.grid, layer.grid, layer.kmax);
            effconv::coordinateBackward(net, x, y, dH + p * f, z, z + hidden, gradients);
        }
    }
}

void check(const ec_size_head* head, bool backward) {
    require(head != nullptr && head->layers > 0 && head->width > 0, "size head: layers and width must be positive");
    require(head->gain && head->shift && head->w && head->g && head->b && head->kmin && head->kmax,
            "size head: null array");
    require(!backward || (head->dgain && head->dshift && head->dw && head->dg && head->db), "size head: null gradient");
}

template <typename Real>
effconv::SizeHead<Real> headOfLayer(const ec_size_head& head, int l) {
    auto array = [](const void* p) { return static_cast<const Real*>(p); };
    return {head.width,
            array(head.gain),
            array(head.shift),
            array(head.w) + std::int64_t(l) * head.width,
            array(head.g)[l],
            array(head.b)[l],
            static_cast<Real>(head.kmin[l]),
            static_cast<Real>(head.kmax[l])};
}

template <typename Real>
void headForward(const ec_size_head& head, const Real* h, Real* u, Real* v) {
    for (int l = 0; l < head.layers; ++l) {
        effconv::SizeHeadState<Real> state;
        const std::int64_t row = std::int64_t(l) * head.width;
        v[l] = effconv::sizeHeadForward(headOfLayer<Real>(head, l), h + row, u + row, state);
    }
}

template <typename Real>
void headGradient(const ec_size_head& head, const Real* h, const Real* dv, Real* dh) {
    auto cleared = [](void* p, std::int64_t size) {
        Real* values = static_cast<Real*>(p);
        std::fill(values, values + size, Real(0));
        return values;
    };
    Real* dgain = cleared(head.dgain, head.width);
    Real* dshift = cleared(head.dshift, head.width);
    Real* dw = cleared(head.dw, std::int64_t(head.layers) * head.width);
    Real* dg = cleared(head.dg, head.layers);
    Real* db = cleared(head.db, head.layers);
    std::vector<Real> u(head.width);
    for (int l = 0; l < head.layers; ++l) {
        const effconv::SizeHead<Real> one = headOfLayer<Real>(head, l);
        const std::int64_t row = std::int64_t(l) * head.width;
        effconv::SizeHeadState<Real> state;
        effconv::sizeHeadForward(one, h + row, u.data(), state);
        const effconv::SizeHeadGradients<Real> gradients = {dgain, dshift, dw + row, dg + l, db + l};
        effconv::sizeHeadBackward(one, h + row, u.data(), state, dv[l], static_cast<const Real*>(nullptr), dh + row,
                                  gradients);
    }
}

}  // namespace
}  // namespace effconv_cpu

using namespace effconv_cpu;

int32_t ec_coordinate_features(int32_t type, const ec_coordinate_layer* layers, int32_t count) {
    return guarded([&] {
        checkParameterType(type);
        check(layers, count, false);
        type == EC_F64 ? features<double>(layers, count) : features<float>(layers, count);
    });
}

int32_t ec_coordinate_features_gradient(int32_t type, const ec_coordinate_layer* layers, int32_t count) {
    return guarded([&] {
        checkParameterType(type);
        check(layers, count, true);
        type == EC_F64 ? featuresGradient<double>(layers, count) : featuresGradient<float>(layers, count);
    });
}

int32_t ec_size_head_forward(int32_t type, const ec_size_head* head, const void* h, void* u, void* v) {
    return guarded([&] {
        checkParameterType(type);
        check(head, false);
        require(h && u && v, "size head: null array");
        if (type == EC_F64) {
            headForward(*head, static_cast<const double*>(h), static_cast<double*>(u), static_cast<double*>(v));
        } else {
            headForward(*head, static_cast<const float*>(h), static_cast<float*>(u), static_cast<float*>(v));
        }
    });
}

int32_t ec_size_head_gradient(int32_t type, const ec_size_head* head, const void* h, const void* dv, void* dh) {
    return guarded([&] {
        checkParameterType(type);
        check(head, true);
        require(h && dv && dh, "size head: null array");
        if (type == EC_F64) {
            headGradient(*head, static_cast<const double*>(h), static_cast<const double*>(dv),
                         static_cast<double*>(dh));
        } else {
            headGradient(*head, static_cast<const float*>(h), static_cast<const float*>(dv), static_cast<float*>(dh));
        }
    });
}

int32_t ec_support_grid(int32_t mask, int32_t type, double v, int32_t kmax, int32_t support) {
    int32_t grid = 0;
    guarded([&] {
        checkParameterType(type);
        require(mask >= 0 && mask < effconv::kMaskKinds, "support grid: unknown mask kind");
        require(v == v && kmax > 0 && kmax % 2 == 1, "support grid: the size must be a number and kmax odd");
        require(support == EC_SUPPORT_MASK || support == EC_SUPPORT_SIGNAL, "support grid: unknown rule");
        const bool signal = support == EC_SUPPORT_SIGNAL;
        const int radius = type == EC_F64 ? effconv::supportRadius(mask, v, kmax, signal)
                                          : effconv::supportRadius(mask, static_cast<float>(v), kmax, signal);
        grid = 2 * radius + 1;
    });
    return grid;
}

int32_t ec_soft_taps(const double* v, int32_t count, double* taps, double* slopes) {
    return guarded([&] {
        require(v && taps && slopes && count >= 0, "soft taps: null array");
        for (int32_t l = 0; l < count; ++l) {
            const effconv::SoftTaps<double> value = effconv::softTaps(v[l]);
            taps[l] = value.taps;
            slopes[l] = value.dtaps;
        }
    });
}

int32_t ec_synthesis_scales(const double* v, const int32_t* inputs, int32_t count, double* scales) {
    return guarded([&] {
        require(v && inputs && scales && count >= 0, "synthesis scales: null array");
        for (int32_t l = 0; l < count; ++l) {
            scales[l] = effconv::synthesisScale(inputs[l], effconv::softTaps(v[l]).taps);
        }
    });
}

int32_t ec_kernel_sizes(const double* v, const int32_t* kmax, int32_t count, int32_t* sizes) {
    return guarded([&] {
        require(v && kmax && sizes && count >= 0, "kernel sizes: null array");
        for (int32_t l = 0; l < count; ++l) sizes[l] = effconv::kernelSize(v[l], kmax[l]);
    });
}
