// Plans of the optimiser: a step, a norm, and a step divided by the norm's square.
#include "effconv/kernels/optimizer.h"

#include "effconv/kernels/elementwise.h"
#include "plan.h"

using namespace effconv;
using namespace effconv_launch;
using Area = ec_plan::Area;

namespace {

/// Launches of a step; all of them, or only the first, which computes the norm.
/// `groupsOnDevice`: where the groups stand when the launches run; 0: they go into the table.
ec_status addStep(ec_plan* plan, const std::vector<OptimizerTensor>& tensors, const std::vector<OptimizerGroup>& groups,
                  double clipNorm, std::int64_t norm, bool normAlone, std::int64_t groupsOnDevice = 0) {
    const std::int32_t count = static_cast<std::int32_t>(tensors.size());
    OptimizerParams p;
    const auto chunksOf = [&](OptimizerChunk* chunks) {
        return plan->check(planOptimizerChunks(tensors.data(), count, groups.data(), count, chunks, p.chunkCount));
    };
    if (const ec_status refused = chunksOf(nullptr)) return refused;
    OptimizerChunk* chunks = plan->reserve<OptimizerChunk>(Area::kTable, p.chunkCount);
    if (const ec_status refused = chunksOf(plan->tableAt(chunks))) return refused;
    p.chunks = chunks;
    p.tensors = plan->enter(tensors.data(), count);
    p.groups = groupsOnDevice != 0 ? at<const OptimizerGroup>(groupsOnDevice) : plan->enter(groups.data(), count);
    const std::int32_t zero = 0;
    p.counter = plan->enter(&zero, 1);
    p.clipNorm = static_cast<float>(clipNorm);
    p.norm = at<float>(norm);
    p.partials = plan->reserve<double>(Area::kWorkspace, p.chunkCount);
    LaunchSequence sequence = planOptimizerStep(p, plan->limits);
    if (normAlone && sequence.result.ok()) sequence.count = 1;
    if (const ec_status refused = plan->add(sequence, p)) return refused;
    plan->relocate(Area::kTable, &OptimizerParams::chunks);
    plan->relocate(Area::kTable, &OptimizerParams::tensors);
    if (groupsOnDevice == 0) plan->relocate(Area::kTable, &OptimizerParams::groups);
    plan->relocate(Area::kTable, &OptimizerParams::counter);
    plan->relocate(Area::kWorkspace, &OptimizerParams::partials);
    return EC_OK;
}

/// The settings of a step, one group per tensor.
struct StepSettings {
    const char* operation;
    ec_optimizer kind;
    double beta1, beta2, epsilon;
    std::int32_t nesterov;
    std::int64_t step;
    std::int32_t tensors;
    const double* rates;
    const double* decays;

    /// Refuses what is missing; what is out of range the family refuses.
    ec_status check() const {
        if (tensors < 1 || rates == nullptr || decays == nullptr) {
            return ec_fail(EC_INVALID_ARGUMENT, "%s: %d tensors; expected at least 1, with rates and decays", operation,
                           tensors);
        }
        if (step >= 1) return EC_OK;
        return ec_fail(EC_INVALID_ARGUMENT, "%s: step is %lld; expected at least 1", operation,
                       static_cast<long long>(step));
    }

    void write(OptimizerGroup* groups) const {
        for (std::int32_t i = 0; i < tensors; ++i) {
            OptimizerGroup group;
            group.kind = kind == EC_ADAMW ? kAdamW : kind == EC_SGD ? kSgd : -1;
            group.nesterov = nesterov;
            group.beta1 = static_cast<float>(beta1);
            group.beta2 = static_cast<float>(beta2);
            group.epsilon = static_cast<float>(epsilon);
            group.learningRate = static_cast<float>(rates[i]);
            group.weightDecay = static_cast<float>(decays[i]);
            if (group.kind == kAdamW) group.setStep(step);
            groups[i] = group;
        }
    }
};

}  // namespace

std::int64_t ec_optimizer_group_bytes(std::int32_t tensors) {
    return std::int64_t(tensors) * std::int64_t(sizeof(OptimizerGroup));
}

ec_status ec_optimizer_groups(ec_optimizer kind, double beta1, double beta2, double epsilon, std::int32_t nesterov,
                              std::int64_t step, std::int32_t tensors, const double* rates, const double* decays,
                              void* groups) {
    const char* operation = "optimizer_groups";
    const StepSettings settings = {operation, kind, beta1, beta2, epsilon, nesterov, step, tensors, rates, decays};
    if (const ec_status refused = settings.check()) return refused;
    if (groups == nullptr) return ec_fail(EC_INVALID_ARGUMENT, "%s: groups is null", operation);
    OptimizerGroup* written = static_cast<OptimizerGroup*>(groups);
    settings.write(written);
    for (std::int32_t i = 0; i < tensors; ++i) {
        const Result result = checkOptimizerGroup(written[i], i);
        if (!result.ok()) return ec_fail(EC_INVALID_ARGUMENT, "%s", result.message);
    }
    return EC_OK;
}

ec_status ec_plan_optimizer_step(ec_plan* plan, ec_optimizer kind, double beta1, double beta2, double epsilon,
                                 std::int32_t nesterov, double clipNorm, std::int64_t step, std::int32_t count,
                                 const std::int64_t* slots, const std::int64_t* counts, const double* rates,
                                 const double* decays, std::int64_t norm, std::int64_t groupsOnDevice) {
    const char* operation = "optimizer_step";
    return planned(operation, plan, [&] {
        const StepSettings settings = {operation, kind, beta1, beta2, epsilon, nesterov, step, count, rates, decays};
        if (const ec_status refused = settings.check()) return refused;
        if (slots == nullptr || counts == nullptr) {
            return ec_fail(EC_INVALID_ARGUMENT, "%s: %d tensors; expected slots and counts", operation, count);
        }
        if (!(clipNorm >= 0)) return ec_fail(EC_INVALID_ARGUMENT, "%s: clip_norm is %g", operation, clipNorm);
        std::vector<OptimizerGroup> groups(static_cast<std::size_t>(count));
        settings.write(groups.data());
        std::vector<OptimizerTensor> tensors(static_cast<std::size_t>(count));
        for (std::int32_t i = 0; i < count; ++i) {
            OptimizerTensor& tensor = tensors[static_cast<std::size_t>(i)];
            tensor.parameter = at<float>(slots[4 * i]);
            tensor.gradient = at<void>(slots[4 * i + 1]);
            tensor.first = at<float>(slots[4 * i + 2]);
            tensor.second = kind == EC_ADAMW ? at<float>(slots[4 * i + 3]) : nullptr;
            tensor.count = counts[i];
            tensor.group = i;
        }
        return addStep(plan, tensors, groups, clipNorm, norm, false, groupsOnDevice);
    });
}

namespace {

/// The step's first launch alone: only gradients are read, and the step that would write the others is left out.
ec_status addNorm(ec_plan* plan, std::int32_t tensors, const std::int64_t* addresses, const std::int64_t* counts,
                  std::int64_t norm) {
    OptimizerGroup none;
    none.kind = kSgd;
    none.beta1 = 0;
    const std::vector<OptimizerGroup> groups(static_cast<std::size_t>(tensors), none);
    std::vector<OptimizerTensor> described(static_cast<std::size_t>(tensors));
    for (std::int32_t i = 0; i < tensors; ++i) {
        OptimizerTensor& tensor = described[static_cast<std::size_t>(i)];
        tensor.gradient = tensor.parameter = tensor.first = at<float>(addresses[i]);
        tensor.count = counts[i];
        tensor.group = i;
    }
    return addStep(plan, described, groups, 0, norm, true);
}

}  // namespace

ec_status ec_plan_norm(ec_plan* plan, std::int32_t tensors, const std::int64_t* addresses, const std::int64_t* counts,
                       std::int64_t norm) {
    const char* operation = "norm";
    return planned(operation, plan, [&] {
        if (tensors < 1 || addresses == nullptr || counts == nullptr || norm == 0) {
            return ec_fail(EC_INVALID_ARGUMENT,
                           "%s: %d tensors; expected at least 1, with addresses, counts and a result", operation,
                           tensors);
        }
        return addNorm(plan, tensors, addresses, counts, norm);
    });
}

ec_status ec_plan_accumulate_normalised(ec_plan* plan, std::int32_t tensors, const std::int64_t* from, double factor,
                                        std::int64_t factorOnDevice, const std::int64_t* to, const std::int64_t* counts,
                                        std::int64_t norm) {
    const char* operation = "accumulate_normalised";
    return planned(operation, plan, [&] {
        if (tensors < 1 || from == nullptr || to == nullptr || counts == nullptr || norm == 0) {
            return ec_fail(EC_INVALID_ARGUMENT,
                           "%s: %d tensors; expected at least 1, with addresses, counts and a norm", operation,
                           tensors);
        }
        if (const ec_status refused = addNorm(plan, tensors, from, counts, norm)) return refused;
        for (std::int32_t i = 0; i < tensors; ++i) {
            ElementwiseParams p;
            p.a = at<void>(from[i]);
            p.y = at<void>(to[i]);
            p.count = counts[i];
            p.value = factor;
            p.valuePointer = at<double>(factorOnDevice);
            p.normPointer = at<float>(norm);
            const LaunchSequence sequence = planElementwise(p, ElementwiseOperation::kAccumulate, plan->limits);
            if (const ec_status refused = plan->add(sequence, p)) return refused;
        }
        return ec_status(EC_OK);
    });
}
