// Plans of weight synthesis, which needs a table of layers.
#include <algorithm>

#include "effconv/kernels/elementwise.h"
#include "effconv/kernels/weight_synthesis.h"
#include "plan.h"
#include "synthesis_layer.h"

using namespace effconv;
using namespace effconv_launch;
using Area = ec_plan::Area;

namespace {

/// Arrays at any addresses, described as the kernels want them: one base and offsets in elements.
class Bases {
public:
    explicit Bases(std::int64_t elementBytes) : elementBytes_(elementBytes) {}

    void see(const void* pointer) {
        if (pointer == nullptr) return;
        const std::uintptr_t address = reinterpret_cast<std::uintptr_t>(pointer);
        if (lowest_ == 0 || address < lowest_) lowest_ = address;
    }

    /// Elements from the base; misaligned pointers make `exact` false.
    std::int64_t offset(const void* pointer, bool& exact) const {
        if (pointer == nullptr) return 0;
        const std::int64_t bytes = static_cast<std::int64_t>(reinterpret_cast<std::uintptr_t>(pointer) - base());
        exact = exact && bytes % elementBytes_ == 0;
        return bytes / elementBytes_;
    }

    // Rounded down: the families want aligned bases, and a view may begin anywhere.
    std::uintptr_t base() const { return lowest_ / kBaseAlignment * kBaseAlignment; }

    template <typename T>
    T* pointer() const {
        return reinterpret_cast<T*>(base());
    }

private:
    std::int64_t elementBytes_;
    std::uintptr_t lowest_ = 0;
};

struct SynthesisArrays {
    Bases features{4}, sources{4}, weights, featureGradients{4}, sourceGradients{4};
    bool bf16 = false;

    explicit SynthesisArrays(bool weightsAreBf16) : weights(weightsAreBf16 ? 2 : 4), bf16(weightsAreBf16) {}
};

/// The kernels' layers out of the interface's.
ec_status describeAll(const char* operation, std::int32_t mask, const ec_synthesis_layer* layers, std::int32_t count,
                      bool gradient, std::vector<SynthesisLayer>& described, SynthesisArrays& arrays) {
    for (std::int32_t l = 0; l < count; ++l) {
        const ec_synthesis_layer& from = layers[l];
        if (from.weight_type != layers[0].weight_type) {
            return ec_fail(EC_INVALID_ARGUMENT, "%s: weights of layer %d are of type %d, those of layer 0 of %d",
                           operation, l, from.weight_type, layers[0].weight_type);
        }
        if (!effconv_abi::complete(from, gradient)) {
            return ec_fail(EC_INVALID_ARGUMENT, "%s: an array of layer %d is null", operation, l);
        }
        arrays.features.see(from.features > 0 ? from.feature_rows : nullptr);
        arrays.sources.see(from.source);
        arrays.weights.see(from.weights);
        arrays.featureGradients.see(gradient && from.features > 0 ? from.feature_gradient : nullptr);
        arrays.sourceGradients.see(gradient ? from.source_gradient : nullptr);
    }
    bool exact = true;
    for (std::int32_t l = 0; l < count; ++l) {
        const ec_synthesis_layer& from = layers[l];
        SynthesisLayer to = effconv_abi::describe(mask, from);
        to.featureOffset = from.features > 0 ? arrays.features.offset(from.feature_rows, exact) : 0;
        to.coefficientOffset = arrays.sources.offset(from.source, exact);
        to.weightOffset = arrays.weights.offset(from.weights, exact);
        if (gradient) {
            to.featureGradientOffset =
                from.features > 0 ? arrays.featureGradients.offset(from.feature_gradient, exact) : 0;
            to.coefficientGradientOffset = arrays.sourceGradients.offset(from.source_gradient, exact);
        }
        described.push_back(to);
    }
    return exact ? ec_status(EC_OK)
                 : ec_fail(EC_INVALID_ARGUMENT, "%s: an array is not aligned to its elements", operation);
}

/// What the two operations ask for.
struct SynthesisRequest {
    const char* operation;
    std::int32_t mask;
    const float* v;
    const float* scales;
    std::int64_t sizes;
    bool gradient;
    float* dv;
};

ec_status planElementwiseStep(ec_plan* plan, ElementwiseOperation operation, const float* a, float* y, double value,
                              std::int64_t count) {
    ElementwiseParams p;
    p.a = a;
    p.y = y;
    p.count = count;
    p.value = value;
    return plan->add(planElementwise(p, operation, plan->limits), p);
}

/// Layers no two of which use the same size.
ec_status planSynthesisRound(ec_plan* plan, const SynthesisRequest& r, const std::vector<ec_synthesis_layer>& layers) {
    const std::int32_t count = static_cast<std::int32_t>(layers.size());
    SynthesisArrays arrays(layers[0].weight_type == EC_BF16);
    std::vector<SynthesisLayer> described;
    ec_status refused = describeAll(r.operation, r.mask, layers.data(), count, r.gradient, described, arrays);
    if (refused != EC_OK) return refused;
    SynthesisPlan counts;
    refused = plan->check(planSynthesis(described.data(), count, counts, nullptr, nullptr, nullptr));
    if (refused != EC_OK) return refused;
    std::vector<SynthesisItem> forward(static_cast<std::size_t>(counts.forwardItems));
    std::vector<SynthesisItem> backward(static_cast<std::size_t>(counts.backwardItems));
    std::vector<SynthesisItem> reduce(static_cast<std::size_t>(counts.reduceItems));
    refused =
        plan->check(planSynthesis(described.data(), count, counts, forward.data(), backward.data(), reduce.data()));
    if (refused != EC_OK) return refused;
    SynthesisParams p;
    p.layers = plan->enter(described.data(), count);
    p.sizes = r.v;
    p.scales = r.scales;
    p.features = arrays.features.pointer<float>();
    p.coefficients = arrays.sources.pointer<float>();
    p.layerCount = count;
    p.weightsAreBf16 = arrays.bf16;
    const auto addPass = [&](SynthesisPass pass, const std::vector<SynthesisItem>& items) {
        p.items = plan->enter(items.data(), static_cast<std::int64_t>(items.size()));
        p.itemCount = static_cast<std::int64_t>(items.size());
        if (const ec_status status = plan->add(planSynthesisPass(pass, p, plan->limits), p)) return status;
        plan->relocate(Area::kTable, &SynthesisParams::layers);
        plan->relocate(Area::kTable, &SynthesisParams::items);
        if (pass != kSynthesisForward) {
            plan->relocate(Area::kTable, &SynthesisParams::counters);
            plan->relocate(Area::kWorkspace, &SynthesisParams::workspace);
        }
        return ec_status(EC_OK);
    };
    if (!r.gradient) {
        p.weights = arrays.weights.pointer<void>();
        return addPass(kSynthesisForward, forward);
    }
    p.weightGradients = arrays.weights.pointer<void>();
    p.featureGradients = arrays.featureGradients.pointer<float>();
    p.coefficientGradients = arrays.sourceGradients.pointer<float>();
    p.sizeGradients = r.dv;
    const std::vector<std::int32_t> zeros(static_cast<std::size_t>(counts.counters), 0);
    p.counters = plan->enter(zeros.data(), counts.counters);
    p.workspace = plan->reserve<float>(Area::kWorkspace, counts.workspaceFloats);
    if ((refused = addPass(kSynthesisBackward, backward)) != EC_OK) return refused;
    return addPass(kSynthesisReduce, reduce);
}

/// Layers may share a size, which the kernels do not serve in one launch: the layers that use a size for the n-th time
/// form the n-th round, and the gradients of later rounds are added to those of the first.
ec_status planSynthesisRounds(ec_plan* plan, SynthesisRequest r, const ec_synthesis_layer* layers, std::int32_t count) {
    if (layers == nullptr || count < 1) return ec_fail(EC_INVALID_ARGUMENT, "%s: no layers", r.operation);
    std::vector<std::vector<ec_synthesis_layer>> rounds;
    std::vector<std::size_t> uses(static_cast<std::size_t>(std::max<std::int64_t>(r.sizes, 0)), 0);
    for (std::int32_t l = 0; l < count; ++l) {
        const std::int32_t index = layers[l].size_index;
        if (index < 0 || index >= r.sizes) {
            return ec_fail(EC_INVALID_ARGUMENT, "%s: layer %d has size %d of %lld", r.operation, l, index,
                           static_cast<long long>(r.sizes));
        }
        if (const ec_status refused = checkType(r.operation, layers[l].weight_type)) return refused;
        const std::size_t round = uses[static_cast<std::size_t>(index)]++;
        if (round == rounds.size()) rounds.emplace_back();
        rounds[round].push_back(layers[l]);
    }
    float* const dv = r.dv;
    for (std::size_t round = 0; round < rounds.size(); ++round) {
        if (round == 0 || !r.gradient) {
            if (const ec_status refused = planSynthesisRound(plan, r, rounds[round])) return refused;
            continue;
        }
        // Only the reduction, the round's last launch, writes the share.
        float* share = plan->reserve<float>(Area::kWorkspace, r.sizes);
        r.dv = share;
        if (const ec_status refused =
                planElementwiseStep(plan, ElementwiseOperation::kFill, nullptr, share, 0, r.sizes))
            return refused;
        plan->relocate(Area::kWorkspace, &ElementwiseParams::y);
        if (const ec_status refused = planSynthesisRound(plan, r, rounds[round])) return refused;
        plan->relocate(Area::kWorkspace, &SynthesisParams::sizeGradients);
        if (const ec_status refused =
                planElementwiseStep(plan, ElementwiseOperation::kAccumulate, share, dv, 1, r.sizes))
            return refused;
        plan->relocate(Area::kWorkspace, &ElementwiseParams::a);
    }
    return EC_OK;
}

}  // namespace

ec_status ec_plan_synthesis(ec_plan* plan, std::int32_t mask, std::int64_t v, std::int64_t scales, std::int64_t sizes,
                            const ec_synthesis_layer* layers, std::int32_t count) {
    return planned("synthesis", plan, [&] {
        return planSynthesisRounds(plan, {"synthesis", mask, at<float>(v), at<float>(scales), sizes, false, nullptr},
                                   layers, count);
    });
}

ec_status ec_plan_synthesis_gradient(ec_plan* plan, std::int32_t mask, std::int64_t v, std::int64_t scales,
                                     std::int64_t sizes, const ec_synthesis_layer* layers, std::int32_t count,
                                     std::int64_t dv) {
    return planned("synthesis_gradient", plan, [&] {
        return planSynthesisRounds(
            plan, {"synthesis_gradient", mask, at<float>(v), at<float>(scales), sizes, true, at<float>(dv)}, layers,
            count);
    });
}
