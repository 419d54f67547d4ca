// Host side of the coordinate networks: layer table, work tables, checks, launches. See
// cuda/kernels/coordinate_features.cu.
#pragma once

#include <algorithm>

#include "effconv/coordinate.h"
#include "effconv/launch_sequence.h"

namespace effconv {

constexpr int kCoordinateThreads = 256;
constexpr int kCoordinateMostTaps = 32;          ///< of a tile
constexpr int kCoordinateReduceElements = 1024;  ///< gradient elements that one block of the reduction finishes

/// One layer, a row of the table on the device. Arrays are dense, fp32, on the device, at any address of a float. The
/// caller fills what stands above the line, planCoordinateItems the rest.
struct CoordinateFeatureLayer {
    const float* W1 = nullptr;     ///< [hidden][2]
    const float* b1 = nullptr;     ///< [hidden]
    const float* W2 = nullptr;     ///< [features][hidden]
    const float* b2 = nullptr;     ///< [features]
    const float* gamma = nullptr;  ///< [hidden]
    const float* beta = nullptr;   ///< [hidden]
    float* H = nullptr;    ///< [grid * grid][features]; forward: out; gradient: holds the gradient of H, only read
    float* dW1 = nullptr;  ///< gradient: out, overwritten, shaped as the parameters
    float* db1 = nullptr;
    float* dW2 = nullptr;
    float* db2 = nullptr;
    float* dgamma = nullptr;
    float* dbeta = nullptr;
    float omega = 0;        ///< frequency of the first sine
    std::int32_t grid = 0;  ///< odd extent of the taps' grid, at most kmax
    std::int32_t kmax = 0;  ///< taps lie 2 / kmax apart
    std::int32_t hidden = 0;
    std::int32_t features = 0;
    // -----------------------------------------------------------------------------------------------------------------
    std::int32_t tiles = 0;    ///< partial sums of this layer
    std::int64_t partial = 0;  ///< where in the workspace they start (floats)

    /// Gradient elements: W2, b2, W1, b1, gamma, beta, in this order in a partial sum.
    EC_HD std::int64_t parameters() const { return (static_cast<std::int64_t>(features) + 5) * hidden + features; }
};

/// One row of a work table: taps [first, first + taps) of a layer, or gradient elements from `first` on.
struct CoordinateItem {
    std::int32_t layer = 0;
    std::int32_t reserved = 0;
    std::int64_t first = 0;
};

/// Sizes of the work tables, for allocation.
struct CoordinatePlan {
    std::int64_t tileItems = 0;
    std::int64_t reduceItems = 0;
    std::int64_t workspaceFloats = 0;  ///< of the gradient
    std::int64_t forwardSharedBytes = 0;
    std::int64_t gradientSharedBytes = 0;
    std::int32_t taps = 0;  ///< of a tile
    std::int32_t reserved = 0;
};

/// Parameters of all three kernels; arrays are on the device, 16-byte aligned.
struct CoordinateFeaturesParams {
    const CoordinateFeatureLayer* layers = nullptr;
    const CoordinateItem* tiles = nullptr;       ///< [plan.tileItems]
    const CoordinateItem* reductions = nullptr;  ///< [plan.reduceItems], gradient
    float* workspace = nullptr;                  ///< plan.workspaceFloats, gradient
    std::int32_t taps = 0;                       ///< plan.taps
    std::int32_t reserved = 0;
};

#define EC_KERNELS_coordinate_features(X)                        \
    X(ec_coordinate_features_forward, CoordinateFeaturesParams)  \
    X(ec_coordinate_features_gradient, CoordinateFeaturesParams) \
    X(ec_coordinate_features_reduce, CoordinateFeaturesParams)

enum class CoordinatePass : std::int32_t { kForward = 0, kGradient = 1 };

/// Floats between rows of `width` numbers in shared memory: an odd number, so that rows fall on different banks.
EC_HD int coordinatePitch(int width) {
    return width | 1;
}

namespace coordinate_detail {

inline std::int64_t sharedBytes(const CoordinateFeatureLayer& layer, int taps, bool gradient) {
    const std::int64_t hidden = coordinatePitch(layer.hidden), features = coordinatePitch(layer.features);
    return taps * (gradient ? 4 * hidden + features : hidden) * 4;
}

inline Result checkLayer(const CoordinateFeatureLayer& layer, int index, CoordinatePass pass) {
    char family[40];
    std::snprintf(family, sizeof family, "coordinate_features, layer %d", index);
    Result result = checkKernelSize(family, "grid", layer.grid);
    if (result.ok()) result = checkKernelSize(family, "kmax", layer.kmax);
    if (result.ok() && layer.grid > layer.kmax) {
        result = Result::fail(Status::kInvalidShape, "%s: grid %d exceeds kmax %d", family, layer.grid, layer.kmax);
    }
    if (result.ok()) result = checkCount(family, "hidden", layer.hidden, 1 << 16);
    if (result.ok()) result = checkCount(family, "features", layer.features, 1 << 16);
    const bool gradient = pass == CoordinatePass::kGradient;
    const ArrayBase bases[] = {
        {"W1", layer.W1, true},
        {"b1", layer.b1, true},
        {"W2", layer.W2, true},
        {"b2", layer.b2, true},
        {"gamma", layer.gamma, true},
        {"beta", layer.beta, true},
        {"H", layer.H, true},
        {"dW1", layer.dW1, gradient},
        {"db1", layer.db1, gradient},
        {"dW2", layer.dW2, gradient},
        {"db2", layer.db2, gradient},
        {"dgamma", layer.dgamma, gradient},
        {"dbeta", layer.dbeta, gradient},
    };
    return result.ok() ? checkFloats(family, bases) : result;
}

}  // namespace coordinate_detail

/// Checks all layers (host memory), fills their lower part and builds the work tables; with null tables it only counts,
/// so that the caller can allocate: call once with null, allocate, call again, copy layers and tables to the device.
inline Result planCoordinateItems(CoordinateFeatureLayer* layers, int layerCount, CoordinatePass pass,
                                  const DeviceLimits& limits, CoordinatePlan& plan, CoordinateItem* tiles,
                                  CoordinateItem* reductions) {
    const char* family = "coordinate_features";
    plan = {};
    if (layers == nullptr) return Result::fail(Status::kNullPointer, "%s: layers is null", family);
    Result result = checkCount(family, "layerCount", layerCount);
    for (int index = 0; result.ok() && index < layerCount; ++index) {
        result = coordinate_detail::checkLayer(layers[index], index, pass);
    }
    if (!result.ok()) return result;
    // The largest tile whose rows fit for every layer; one tap must fit, or the launch is refused.
    CoordinatePlan made;
    const bool gradient = pass == CoordinatePass::kGradient;
    const auto setTaps = [&](int taps) {
        made.taps = taps;
        made.forwardSharedBytes = made.gradientSharedBytes = 0;
        for (int index = 0; index < layerCount; ++index) {
            made.forwardSharedBytes =
                std::max(made.forwardSharedBytes, coordinate_detail::sharedBytes(layers[index], taps, false));
            made.gradientSharedBytes =
                std::max(made.gradientSharedBytes, coordinate_detail::sharedBytes(layers[index], taps, true));
        }
        return (gradient ? made.gradientSharedBytes : made.forwardSharedBytes) <= limits.sharedBytesPerBlock;
    };
    for (int taps = kCoordinateMostTaps; !setTaps(taps) && taps > 1;) taps /= 2;
    for (int index = 0; index < layerCount; ++index) {
        CoordinateFeatureLayer& layer = layers[index];
        layer.tiles = 0;
        layer.partial = made.workspaceFloats;
        for (int first = 0; first < layer.grid * layer.grid; first += made.taps) {
            if (tiles != nullptr) tiles[made.tileItems] = {index, 0, first};
            ++made.tileItems;
            ++layer.tiles;
        }
        for (std::int64_t first = 0; gradient && first < layer.parameters(); first += kCoordinateReduceElements) {
            if (reductions != nullptr) reductions[made.reduceItems] = {index, 0, first};
            ++made.reduceItems;
        }
        if (gradient) made.workspaceFloats += layer.tiles * layer.parameters();
    }
    plan = made;
    return {};
}

/// Checks the parameters and returns the launches; `plan` is what planCoordinateItems returned for the same pass.
/// `layers` of the parameters is not read (it is device memory).
inline LaunchSequence planCoordinateFeatures(const CoordinateFeaturesParams& p, const CoordinatePlan& plan,
                                             CoordinatePass pass, const DeviceLimits& limits) {
    const char* family = "coordinate_features";
    const bool gradient = pass == CoordinatePass::kGradient;
    const ArrayBase bases[] = {
        {"layers", p.layers, true},
        {"tiles", p.tiles, true},
        {"reductions", p.reductions, gradient},
        {"workspace", p.workspace, gradient},
    };
    Result result = checkBases(family, bases);
    if (result.ok() &&
        (p.taps != plan.taps || p.taps < 1 || plan.tileItems < 1 || (gradient && plan.reduceItems < 1))) {
        result = Result::fail(Status::kInvalidShape, "%s: tiles of %d taps; the plan, of this pass, has %d", family,
                              p.taps, plan.taps);
    }
    if (!result.ok()) return LaunchSequence::refused(result);
    LaunchSequence sequence;
    if (gradient) {
        sequence.workspaceBytes = plan.workspaceFloats * 4;
        sequence.add(family, "ec_coordinate_features_gradient",
                     {plan.tileItems, kCoordinateThreads, plan.gradientSharedBytes}, limits);
        sequence.add(family, "ec_coordinate_features_reduce", {plan.reduceItems, kCoordinateThreads, 0}, limits);
    } else {
        sequence.add(family, "ec_coordinate_features_forward",
                     {plan.tileItems, kCoordinateThreads, plan.forwardSharedBytes}, limits);
    }
    return sequence;
}

}  // namespace effconv
