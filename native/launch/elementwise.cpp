// Plans of what goes element by element.
#include "effconv/kernels/elementwise.h"

#include "plan.h"

using namespace effconv;
using namespace effconv_launch;

namespace {

ec_status planOne(ec_plan* plan, ElementwiseParams& p, ElementwiseOperation operation) {
    return plan->add(planElementwise(p, operation, plan->limits), p);
}

ElementwiseParams operands(ec_type type, std::int64_t count, std::int64_t a, std::int64_t b, std::int64_t y) {
    ElementwiseParams p;
    p.a = at<void>(a);
    p.b = at<void>(b);
    p.y = at<void>(y);
    p.count = count;
    p.yType = type;
    return p;
}

}  // namespace

ec_status ec_plan_copy(ec_plan* plan, ec_type fromType, std::int64_t from, ec_type toType, std::int64_t to,
                       std::int64_t count) {
    return planned("copy", plan, [&] {
        const bool fromFloating = fromType == EC_F32 || fromType == EC_BF16;
        if (fromFloating && (toType == EC_I32 || toType == EC_U8)) {
            return ec_fail(EC_INVALID_ARGUMENT, "copy: floating values do not go into an integer tensor");
        }
        ElementwiseParams p = operands(toType, count, from, 0, to);
        p.aType = fromType;
        return planOne(plan, p, ElementwiseOperation::kCopy);
    });
}

ec_status ec_plan_accumulate(ec_plan* plan, ec_type fromType, std::int64_t from, double factor, ec_type toType,
                             std::int64_t to, std::int64_t count) {
    return planned("accumulate", plan, [&] {
        for (const ec_type type : {fromType, toType}) {
            if (type == EC_F32 || type == EC_BF16) continue;
            return ec_fail(EC_INVALID_ARGUMENT, "accumulate: type %d; expected floating tensors", type);
        }
        ElementwiseParams p = operands(toType, count, from, 0, to);
        p.aType = fromType;
        p.value = factor;
        return planOne(plan, p, ElementwiseOperation::kAccumulate);
    });
}

ec_status ec_plan_activate(ec_plan* plan, ec_type type, ec_activation activation, std::int64_t count, std::int64_t x,
                           std::int64_t y) {
    return planned("activate", plan, [&] {
        ElementwiseParams p = operands(type, count, x, 0, y);
        p.activation = activation;
        return planOne(plan, p, ElementwiseOperation::kActivation);
    });
}

ec_status ec_plan_activate_gradient(ec_plan* plan, ec_type type, ec_activation activation, std::int64_t count,
                                    std::int64_t x, std::int64_t dy, std::int64_t dx) {
    return planned("activate_gradient", plan, [&] {
        ElementwiseParams p = operands(type, count, x, dy, dx);
        p.activation = activation;
        return planOne(plan, p, ElementwiseOperation::kActivationGradient);
    });
}

ec_status ec_plan_add(ec_plan* plan, ec_type type, ec_activation activation, std::int64_t count, std::int64_t a,
                      std::int64_t b, std::int64_t y) {
    return planned("add", plan, [&] {
        ElementwiseParams p = operands(type, count, a, b, y);
        p.activation = activation;
        return planOne(plan, p, ElementwiseOperation::kAdd);
    });
}

ec_status ec_plan_dropout(ec_plan* plan, ec_type type, std::int64_t count, std::int64_t x, double rate,
                          std::int64_t seed, std::int64_t seedAddress, std::int64_t y) {
    return planned("dropout", plan, [&] {
        ElementwiseParams p = operands(type, count, x, 0, y);
        p.value = rate;
        p.seed = static_cast<std::uint64_t>(seed);
        p.seedPointer = at<const std::uint64_t>(seedAddress);
        return planOne(plan, p, ElementwiseOperation::kDropout);
    });
}
