// A layer of a weight synthesis as the shared arithmetic describes it, for the CPU and for plans alike.
#pragma once

#include "effconv.h"
#include "effconv/synthesis.h"

namespace effconv_abi {

/// All arrays dense; offsets stay 0.
inline effconv::SynthesisLayer describe(std::int32_t mask, const ec_synthesis_layer& layer) {
    effconv::SynthesisLayer d;
    const bool table = layer.features == 0;
    d.cout = layer.output_channels;
    d.cin = layer.input_channels;
    d.kgrid = layer.grid;
    d.features = layer.features;
    d.kmax = layer.kmax;
    d.maskKind = mask;
    d.source = table ? effconv::kElasticTable : effconv::kCoordinateFeatures;
    d.sizeIndex = layer.size_index;
    d.scale = static_cast<float>(layer.scale);
    d.featureStride = layer.features;
    d.coefficientStride = table ? std::int64_t(layer.kmax) * layer.kmax * layer.input_channels
                                : std::int64_t(layer.output_channels) * layer.input_channels;
    d.weightStride = std::int64_t(layer.grid) * layer.grid * layer.input_channels;
    return d;
}

/// Whether every array is there that the pass reads or writes.
inline bool complete(const ec_synthesis_layer& layer, bool gradient) {
    const bool features = layer.features > 0;
    return layer.source != nullptr && layer.weights != nullptr && (!features || layer.feature_rows != nullptr) &&
           (!gradient || (layer.source_gradient != nullptr && (!features || layer.feature_gradient != nullptr)));
}

}  // namespace effconv_abi
