// Host side of the weight synthesis kernels: parameters, work table, checks. See cuda/kernels/weight_synthesis.cu.
#pragma once

#include "effconv/launch_sequence.h"
#include "effconv/synthesis.h"

namespace effconv {

// Tile sizes that the work table and the kernels agree on. A "column" is one (output, input) channel pair n = o cin +
// i.
constexpr int kSynthesisThreads = 128;
constexpr int kSynthesisRows = 32;              ///< rows of a tile: taps (forward) or features (backward)
constexpr int kSynthesisColumns = 128;          ///< columns of a tile
constexpr int kSynthesisDepth = 16;             ///< slice of the summed dimension held in shared memory at a time
constexpr int kSynthesisMaxSplits = 64;         ///< most partial sums of G per layer
constexpr int kSynthesisReduceElements = 1024;  ///< elements of G that one block of the reduction finishes

/// What one block does.
enum SynthesisRole : std::int32_t {
    kForwardTile = 0,      ///< taps [first, +32) x columns [column, +128) of w
    kCoefficientTile = 1,  ///< features [first, +32) x columns [column, +128) of dA
    kFeatureTile = 2,      ///< features [first, +32) x taps [tap, +128) of G, summed over columns [column, columnEnd)
    kElasticTile = 3,      ///< table taps [first, +32) x columns [column, +128) of dT, and a share of dv
    kReduceFeatures = 4,   ///< taps [first, tapEnd) of dH and their share of dv
    kReduceElastic = 5,    ///< dv of an elastic layer
};

/// One row of the work table: a block's task.
struct SynthesisItem {
    std::int32_t layer = 0;
    std::int32_t role = kForwardTile;
    std::int32_t first = 0;         ///< first tap or feature of the tile
    std::int32_t tap = 0;           ///< kFeatureTile: first tap
    std::int64_t column = 0;        ///< first column
    std::int64_t columnEnd = 0;     ///< kFeatureTile: end of the summed columns
    std::int64_t partial = 0;       ///< where in the workspace this block writes (floats)
    std::int64_t source = 0;        ///< reductions: where in the workspace the partial sums start
    std::int32_t sources = 0;       ///< reductions: how many partial sums
    std::int32_t tapEnd = 0;        ///< kReduceFeatures: end of the taps
    std::int32_t counter = 0;       ///< reductions: the layer's counter of finished blocks
    std::int32_t finishers = 0;     ///< reductions: blocks of this layer
    std::int64_t finishSource = 0;  ///< reductions: where the layer's shares of dv start (floats)
    std::int32_t finishCount = 0;   ///< reductions: how many shares of dv
    std::int32_t reserved = 0;
};

/// Sizes of the work table, for allocation.
struct SynthesisPlan {
    std::int64_t forwardItems = 0;
    std::int64_t backwardItems = 0;
    std::int64_t reduceItems = 0;
    std::int64_t workspaceFloats = 0;  ///< partial sums of the backward pass
    std::int32_t counters = 0;         ///< one integer per layer
};

/// Parameters of all three kernels. Every array is on the device and 16-byte aligned. The layer's offsets count
/// elements from these bases; w and dw hold floats, or bf16 when the flag says so; everything else is float.
struct SynthesisParams {
    const SynthesisLayer* layers = nullptr;  ///< [layerCount]
    const SynthesisItem* items = nullptr;    ///< [itemCount] of this launch
    const float* sizes = nullptr;            ///< soft sizes v
    const float* scales = nullptr;           ///< s by size index, in place of the layers' own; null: those
    const float* features = nullptr;         ///< H
    const float* coefficients = nullptr;     ///< A, and elastic tables
    void* weights = nullptr;                 ///< forward: w
    const void* weightGradients = nullptr;   ///< backward: dw
    float* featureGradients = nullptr;       ///< backward: dH
    float* coefficientGradients = nullptr;   ///< backward: dA, dT
    float* sizeGradients = nullptr;          ///< backward: dv
    float* workspace = nullptr;              ///< backward: SynthesisPlan::workspaceFloats
    std::int32_t* counters = nullptr;        ///< backward: SynthesisPlan::counters; the kernels clear them
    std::int64_t itemCount = 0;
    std::int32_t layerCount = 0;
    std::int32_t weightsAreBf16 = 0;  ///< type of w and dw
};

/// The three launches of the family: forward; backward and, after it on the same stream, reduce.
enum SynthesisPass : std::int32_t { kSynthesisForward = 0, kSynthesisBackward = 1, kSynthesisReduce = 2 };

/// Refuses a layer that the kernels cannot serve; `index` is for the message.
inline Result checkSynthesisLayer(const SynthesisLayer& layer, int index) {
    char family[40];
    std::snprintf(family, sizeof family, "weight_synthesis, layer %d", index);
    Result result;
    if (!(result = checkCount(family, "cout", layer.cout)).ok()) return result;
    if (!(result = checkCount(family, "cin", layer.cin)).ok()) return result;
    const std::int64_t columns = static_cast<std::int64_t>(layer.cout) * layer.cin;
    if (!(result = checkCount(family, "cout * cin", columns, INT32_MAX)).ok()) return result;
    if (!(result = checkKernelSize(family, "kgrid", layer.kgrid)).ok()) return result;
    if (!(result = checkKernelSize(family, "kmax", layer.kmax)).ok()) return result;
    if (layer.kgrid > layer.kmax) {
        return Result::fail(Status::kInvalidShape, "%s: kgrid %d exceeds kmax %d", family, layer.kgrid, layer.kmax);
    }
    if (layer.maskKind < 0 || layer.maskKind >= kMaskKinds) {
        return Result::fail(Status::kUnsupported, "%s: mask kind %d is unknown", family, layer.maskKind);
    }
    if (layer.source != kCoordinateFeatures && layer.source != kElasticTable) {
        return Result::fail(Status::kUnsupported, "%s: source %d is unknown", family, layer.source);
    }
    if (layer.source == kCoordinateFeatures) {
        if (!(result = checkCount(family, "features", layer.features)).ok()) return result;
        if (layer.featureStride < layer.features || layer.coefficientStride < columns) {
            return Result::fail(Status::kInvalidShape, "%s: rows of H or A overlap (strides %lld, %lld)", family,
                                static_cast<long long>(layer.featureStride),
                                static_cast<long long>(layer.coefficientStride));
        }
    } else if (layer.coefficientStride < static_cast<std::int64_t>(layer.kmax) * layer.kmax * layer.cin) {
        return Result::fail(Status::kInvalidShape, "%s: output channels of the elastic table overlap (stride %lld)",
                            family, static_cast<long long>(layer.coefficientStride));
    }
    if (layer.weightStride < static_cast<std::int64_t>(layer.kgrid) * layer.kgrid * layer.cin) {
        return Result::fail(Status::kInvalidShape, "%s: output channels of w overlap (stride %lld)", family,
                            static_cast<long long>(layer.weightStride));
    }
    if (layer.sizeIndex < 0 || layer.featureOffset < 0 || layer.coefficientOffset < 0 || layer.weightOffset < 0 ||
        layer.featureGradientOffset < 0 || layer.coefficientGradientOffset < 0) {
        return Result::fail(Status::kInvalidShape, "%s: an offset or index is negative", family);
    }
    return {};
}

namespace detail {

/// Appends to a table, or only counts when the table is null.
struct SynthesisItemWriter {
    SynthesisItem* table;
    std::int64_t count = 0;
    void add(const SynthesisItem& item) {
        if (table != nullptr) table[count] = item;
        ++count;
    }
};

inline std::int64_t ceilDivide(std::int64_t a, std::int64_t b) {
    return (a + b - 1) / b;
}

inline void planFeatureBackward(const SynthesisLayer& layer, SynthesisItem item, SynthesisItemWriter& backward,
                                SynthesisItemWriter& reduce, std::int64_t& workspace) {
    const std::int64_t columns = static_cast<std::int64_t>(layer.cout) * layer.cin;
    const int taps = layer.kgrid * layer.kgrid;
    item.role = kCoefficientTile;
    for (item.first = 0; item.first < layer.features; item.first += kSynthesisRows) {
        for (item.column = 0; item.column < columns; item.column += kSynthesisColumns) backward.add(item);
    }
    const std::int64_t tiles = ceilDivide(columns, kSynthesisColumns);
    const std::int64_t columnsPerSplit = kSynthesisColumns * ceilDivide(tiles, kSynthesisMaxSplits);
    item.role = kFeatureTile;
    item.source = workspace;
    for (item.column = 0; item.column < columns; item.column += columnsPerSplit) {
        item.columnEnd = item.column + columnsPerSplit < columns ? item.column + columnsPerSplit : columns;
        item.partial = workspace;
        for (item.first = 0; item.first < layer.features; item.first += kSynthesisRows) {
            for (item.tap = 0; item.tap < taps; item.tap += kSynthesisColumns) backward.add(item);
        }
        workspace += static_cast<std::int64_t>(taps) * layer.features;
        ++item.sources;
    }
    item.role = kReduceFeatures;
    item.tap = 0;
    item.column = item.columnEnd = 0;
    const int most = kSynthesisReduceElements / layer.features;
    const int tapsPerBlock = most > 1 ? most : 1;
    item.finishers = item.finishCount = static_cast<std::int32_t>(ceilDivide(taps, tapsPerBlock));
    item.finishSource = workspace;
    for (item.first = 0; item.first < taps; item.first += tapsPerBlock) {
        item.tapEnd = item.first + tapsPerBlock < taps ? item.first + tapsPerBlock : taps;
        item.partial = workspace++;
        reduce.add(item);
    }
}

inline void planElasticBackward(const SynthesisLayer& layer, SynthesisItem item, SynthesisItemWriter& backward,
                                SynthesisItemWriter& reduce, std::int64_t& workspace) {
    const std::int64_t columns = static_cast<std::int64_t>(layer.cout) * layer.cin;
    item.role = kElasticTile;
    item.finishSource = workspace;
    for (item.first = 0; item.first < layer.kmax * layer.kmax; item.first += kSynthesisRows) {
        for (item.column = 0; item.column < columns; item.column += kSynthesisColumns) {
            item.partial = workspace++;
            backward.add(item);
            ++item.finishCount;
        }
    }
    item.role = kReduceElastic;
    item.first = 0;
    item.column = 0;
    item.finishers = 1;
    reduce.add(item);
}

}  // namespace detail

/// Checks all layers and builds the work tables; with null tables it only counts, so that the caller can allocate:
/// call once with null, allocate, call again, copy the tables to the device. Layers are host memory here.
inline Result planSynthesis(const SynthesisLayer* layers, int layerCount, SynthesisPlan& plan, SynthesisItem* forward,
                            SynthesisItem* backward, SynthesisItem* reduce) {
    plan = {};
    if (layers == nullptr) return Result::fail(Status::kNullPointer, "weight_synthesis: layers is null");
    Result result = checkCount("weight_synthesis", "layerCount", layerCount);
    detail::SynthesisItemWriter forwardTable{forward}, backwardTable{backward}, reduceTable{reduce};
    for (int index = 0; result.ok() && index < layerCount; ++index) {
        const SynthesisLayer& layer = layers[index];
        if (!(result = checkSynthesisLayer(layer, index)).ok()) break;
        for (int other = 0; other < index; ++other) {
            if (layers[other].sizeIndex != layer.sizeIndex) continue;
            result = Result::fail(Status::kInvalidShape, "weight_synthesis: layers %d and %d share sizeIndex %d", other,
                                  index, layer.sizeIndex);
        }
        SynthesisItem item;
        item.layer = index;
        item.counter = index;
        const std::int64_t columns = static_cast<std::int64_t>(layer.cout) * layer.cin;
        for (item.first = 0; item.first < layer.kgrid * layer.kgrid; item.first += kSynthesisRows) {
            for (item.column = 0; item.column < columns; item.column += kSynthesisColumns) forwardTable.add(item);
        }
        item.first = 0;
        item.column = 0;
        if (layer.source == kCoordinateFeatures) {
            detail::planFeatureBackward(layer, item, backwardTable, reduceTable, plan.workspaceFloats);
        } else {
            detail::planElasticBackward(layer, item, backwardTable, reduceTable, plan.workspaceFloats);
        }
    }
    if (!result.ok()) {
        plan = {};
        return result;
    }
    plan.forwardItems = forwardTable.count;
    plan.backwardItems = backwardTable.count;
    plan.reduceItems = reduceTable.count;
    plan.counters = layerCount;
    return {};
}

/// Dynamic shared memory of the forward and backward kernels: two slices of the summed dimension, the column addresses
/// and the masks; the result tile is staged over the slices.
constexpr std::int64_t kSynthesisTilePitch = kSynthesisColumns + 4;
constexpr std::int64_t kSynthesisSharedBytes =
    kSynthesisColumns * 8 + (kSynthesisRows * kSynthesisTilePitch + 2 * kSynthesisColumns) * 4;

/// Plan of one pass (backward and reduce are two passes, with their own items and parameters, on one stream): checks
/// pointers, alignment, counts and device limits. `layers` of the parameters is not read (it is device memory):
/// planSynthesis checked the layers when it built the tables.
inline LaunchSequence planSynthesisPass(SynthesisPass pass, const SynthesisParams& params, const DeviceLimits& limits) {
    const char* family = "weight_synthesis";
    const ArrayBase bases[] = {
        {"layers", params.layers, true},
        {"items", params.items, true},
        {"sizes", params.sizes, true},
        {"scales", params.scales, false},
        {"coefficients", params.coefficients, true},
        {"weights", params.weights, pass == kSynthesisForward},
        {"weightGradients", params.weightGradients, pass == kSynthesisBackward},
        {"coefficientGradients", params.coefficientGradients, pass == kSynthesisBackward},
        {"sizeGradients", params.sizeGradients, pass == kSynthesisReduce},
        {"workspace", params.workspace, pass != kSynthesisForward},
        {"counters", params.counters, pass != kSynthesisForward},
        // Null is legal where every layer has an elastic table.
        {"features", params.features, false},
        {"featureGradients", params.featureGradients, false},
    };
    Result result = checkBases(family, bases);
    if (!result.ok()) return LaunchSequence::refused(result);
    if (!(result = checkCount(family, "itemCount", params.itemCount)).ok()) return LaunchSequence::refused(result);
    if (!(result = checkCount(family, "layerCount", params.layerCount)).ok()) return LaunchSequence::refused(result);
    const char* kernels[] = {"ec_weight_synthesis_forward", "ec_weight_synthesis_backward",
                             "ec_weight_synthesis_reduce"};
    LaunchSequence sequence;
    sequence.add(family, kernels[pass],
                 {params.itemCount, kSynthesisThreads,
                  pass == kSynthesisReduce ? kSynthesisThreads * 4 + 16 : kSynthesisSharedBytes},
                 limits);
    return sequence;
}

/// The family's kernels, for the registry and the manifest.
#define EC_KERNELS_weight_synthesis(X)               \
    X(ec_weight_synthesis_forward, SynthesisParams)  \
    X(ec_weight_synthesis_backward, SynthesisParams) \
    X(ec_weight_synthesis_reduce, SynthesisParams)

}  // namespace effconv
