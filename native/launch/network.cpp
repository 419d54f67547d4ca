// Plans of a network's operations: input, convolution, normalisation, pooling, loss.
#include "effconv/kernels/augment.h"
#include "effconv/kernels/batch_norm.h"
#include "effconv/kernels/layer_norm.h"
#include "effconv/kernels/pool.h"
#include "effconv/kernels/softmax_loss.h"
#include "plan.h"

using namespace effconv;
using namespace effconv_launch;
using Area = ec_plan::Area;

ec_status ec_plan_augment(ec_plan* plan, ec_type type, std::int64_t count, std::int64_t n, std::int64_t h,
                          std::int64_t w, std::int64_t c, std::int64_t images, std::int64_t numbers, std::int64_t draws,
                          const float* mean, const float* deviation, std::int64_t y) {
    const char* operation = "augment";
    return planned(operation, plan, [&] {
        if (const ec_status refused = checkType(operation, type)) return refused;
        if (mean == nullptr || deviation == nullptr || c < 1) {
            return ec_fail(EC_INVALID_ARGUMENT, "%s: mean and deviation of %lld channels are needed", operation,
                           static_cast<long long>(c));
        }
        for (std::int64_t channel = 0; channel < c; ++channel) {
            if (deviation[channel] > 0) continue;
            return ec_fail(EC_INVALID_ARGUMENT, "%s: deviation of channel %lld is %g; expected a positive number",
                           operation, static_cast<long long>(channel), static_cast<double>(deviation[channel]));
        }
        AugmentParams p;
        p.dataset = at<const std::uint8_t>(images);
        p.datasetCount = count;
        p.indices = at<const std::int64_t>(numbers);
        p.draws = at<const AugmentDraw>(draws);
        p.mean = plan->enter(mean, c);
        p.deviation = plan->enter(deviation, c);
        p.y = at<void>(y);
        p.batch = narrow(n);
        p.height = narrow(h);
        p.width = narrow(w);
        p.channels = narrow(c);
        p.bf16 = type == EC_BF16;
        if (const ec_status refused = plan->add(planAugment(p, plan->limits), p)) return refused;
        plan->relocate(Area::kTable, &AugmentParams::mean);
        plan->relocate(Area::kTable, &AugmentParams::deviation);
        return ec_status(EC_OK);
    });
}

// ---- batch normalisation --------------------------------------------------------------------------------------------

namespace {

ec_status planNorm(const char* operation, ec_plan* plan, ec_type type, ec_activation activation, std::int64_t rows,
                   std::int64_t channels, BatchNormParams& p, BatchNormPass pass) {
    if (const ec_status refused = checkType(operation, type)) return refused;
    if (activation != EC_NONE && activation != EC_RELU) {
        return ec_fail(EC_INVALID_ARGUMENT, "%s: activation %d; expected EC_NONE or EC_RELU", operation, activation);
    }
    p.pixels = rows;
    p.channels = narrow(channels);
    p.pixelStride = channels;
    p.bf16 = type == EC_BF16;
    p.relu = activation == EC_RELU;
    const LaunchSequence sequence = planBatchNorm(p, pass, plan->limits);
    if (sequence.workspaceBytes > 0) p.workspace = plan->reserve<float>(Area::kWorkspace, sequence.workspaceBytes / 4);
    if (const ec_status refused = plan->add(sequence, p)) return refused;
    if (sequence.workspaceBytes > 0) plan->relocate(Area::kWorkspace, &BatchNormParams::workspace);
    return EC_OK;
}

}  // namespace

ec_status ec_plan_batch_norm(ec_plan* plan, ec_type type, ec_activation activation, std::int64_t rows,
                             std::int64_t channels, std::int64_t x, std::int64_t scale, std::int64_t shift,
                             std::int64_t residual, double epsilon, double momentum, std::int64_t runningMean,
                             std::int64_t runningVariance, std::int64_t mean, std::int64_t invStd, std::int64_t y) {
    return planned("batch_norm", plan, [&] {
        BatchNormParams p;
        p.x = at<void>(x);
        p.y = at<void>(y);
        p.residual = at<void>(residual);
        p.scale = at<float>(scale);
        p.shift = at<float>(shift);
        p.mean = at<float>(mean);
        p.invStd = at<float>(invStd);
        p.runningMean = at<float>(runningMean);
        p.runningVariance = at<float>(runningVariance);
        p.epsilon = static_cast<float>(epsilon);
        p.momentum = static_cast<float>(momentum);
        return planNorm("batch_norm", plan, type, activation, rows, channels, p, BatchNormPass::kTraining);
    });
}

ec_status ec_plan_batch_norm_gradient(ec_plan* plan, ec_type type, ec_activation activation, std::int64_t rows,
                                      std::int64_t channels, std::int64_t x, std::int64_t y, std::int64_t dy,
                                      std::int64_t scale, std::int64_t mean, std::int64_t invStd, std::int64_t dx,
                                      std::int64_t dscale, std::int64_t dshift, std::int64_t dresidual) {
    return planned("batch_norm_gradient", plan, [&] {
        BatchNormParams p;
        p.x = at<void>(x);
        p.y = at<void>(y);
        p.dy = at<void>(dy);
        p.scale = at<float>(scale);
        p.mean = at<float>(mean);
        p.invStd = at<float>(invStd);
        p.dx = at<void>(dx);
        p.dscale = at<float>(dscale);
        p.dshift = at<float>(dshift);
        p.dresidual = at<void>(dresidual);
        return planNorm("batch_norm_gradient", plan, type, activation, rows, channels, p, BatchNormPass::kGradient);
    });
}

ec_status ec_plan_batch_norm_inference(ec_plan* plan, ec_type type, ec_activation activation, std::int64_t rows,
                                       std::int64_t channels, std::int64_t x, std::int64_t scale, std::int64_t shift,
                                       std::int64_t residual, double epsilon, std::int64_t runningMean,
                                       std::int64_t runningVariance, std::int64_t y) {
    return planned("batch_norm_inference", plan, [&] {
        BatchNormParams p;
        p.x = at<void>(x);
        p.y = at<void>(y);
        p.residual = at<void>(residual);
        p.scale = at<float>(scale);
        p.shift = at<float>(shift);
        p.runningMean = at<float>(runningMean);
        p.runningVariance = at<float>(runningVariance);
        p.epsilon = static_cast<float>(epsilon);
        return planNorm("batch_norm_inference", plan, type, activation, rows, channels, p, BatchNormPass::kInference);
    });
}

// ---- layer normalisation --------------------------------------------------------------------------------------------

namespace {

ec_status planRows(const char* operation, ec_plan* plan, ec_type type, std::int64_t rows, std::int64_t width,
                   LayerNormParams& p, LayerNormPass pass) {
    if (const ec_status refused = checkType(operation, type)) return refused;
    p.rows = rows;
    p.width = narrow(width);
    p.bf16 = type == EC_BF16;
    const LaunchSequence sequence = planLayerNorm(p, pass, plan->limits);
    if (sequence.workspaceBytes > 0) p.workspace = plan->reserve<float>(Area::kWorkspace, sequence.workspaceBytes / 4);
    if (const ec_status refused = plan->add(sequence, p)) return refused;
    if (sequence.workspaceBytes > 0) plan->relocate(Area::kWorkspace, &LayerNormParams::workspace);
    return EC_OK;
}

}  // namespace

ec_status ec_plan_layer_norm(ec_plan* plan, ec_type type, std::int64_t rows, std::int64_t width, std::int64_t x,
                             std::int64_t scale, std::int64_t shift, double epsilon, std::int64_t mean,
                             std::int64_t invStd, std::int64_t y) {
    return planned("layer_norm", plan, [&] {
        LayerNormParams p;
        p.x = at<void>(x);
        p.y = at<void>(y);
        p.scale = at<float>(scale);
        p.shift = at<float>(shift);
        p.mean = at<float>(mean);
        p.invStd = at<float>(invStd);
        p.epsilon = static_cast<float>(epsilon);
        return planRows("layer_norm", plan, type, rows, width, p, LayerNormPass::kForward);
    });
}

ec_status ec_plan_layer_norm_gradient(ec_plan* plan, ec_type type, std::int64_t rows, std::int64_t width,
                                      std::int64_t x, std::int64_t dy, std::int64_t scale, std::int64_t mean,
                                      std::int64_t invStd, std::int64_t dx, std::int64_t dscale, std::int64_t dshift) {
    return planned("layer_norm_gradient", plan, [&] {
        LayerNormParams p;
        p.x = at<void>(x);
        p.dy = at<void>(dy);
        p.dx = at<void>(dx);
        p.scale = at<float>(scale);
        p.mean = at<float>(mean);
        p.invStd = at<float>(invStd);
        p.dscale = at<float>(dscale);
        p.dshift = at<float>(dshift);
        return planRows("layer_norm_gradient", plan, type, rows, width, p, LayerNormPass::kGradient);
    });
}

// ---- pooling --------------------------------------------------------------------------------------------------------

namespace {

ec_status planPooling(const char* operation, ec_plan* plan, ec_type type, PoolParams& p, PoolPass pass, std::int64_t n,
                      std::int64_t h, std::int64_t w, std::int64_t c) {
    if (const ec_status refused = checkType(operation, type)) return refused;
    p.bf16 = type == EC_BF16;
    p.batch = narrow(n);
    p.height = narrow(h);
    p.width = narrow(w);
    p.channels = narrow(c);
    if (p.stride >= 1) p.setContiguousStrides();
    return plan->add(planPool(p, pass, plan->limits), p);
}

PoolParams window(ec_pooling kind, std::int32_t size, std::int32_t stride, std::int32_t padding) {
    PoolParams p;
    p.kind = kind == EC_MAX ? kMaximum : kind == EC_AVERAGE ? kAverage : -1;
    p.size = size;
    p.stride = stride;
    p.padding = padding;
    return p;
}

}  // namespace

ec_status ec_plan_pool(ec_plan* plan, ec_type type, ec_pooling kind, std::int32_t size, std::int32_t stride,
                       std::int32_t padding, std::int64_t n, std::int64_t h, std::int64_t w, std::int64_t c,
                       std::int64_t x, std::int64_t y) {
    return planned("pool", plan, [&] {
        PoolParams p = window(kind, size, stride, padding);
        p.x = at<void>(x);
        p.y = at<void>(y);
        return planPooling("pool", plan, type, p, PoolPass::kForward, n, h, w, c);
    });
}

ec_status ec_plan_pool_gradient(ec_plan* plan, ec_type type, ec_pooling kind, std::int32_t size, std::int32_t stride,
                                std::int32_t padding, std::int64_t n, std::int64_t h, std::int64_t w, std::int64_t c,
                                std::int64_t x, std::int64_t dy, std::int64_t dx) {
    return planned("pool_gradient", plan, [&] {
        PoolParams p = window(kind, size, stride, padding);
        p.x = at<void>(x);
        p.dy = at<void>(dy);
        p.dx = at<void>(dx);
        return planPooling("pool_gradient", plan, type, p, PoolPass::kGradient, n, h, w, c);
    });
}

ec_status ec_plan_global_average_pool(ec_plan* plan, ec_type type, std::int64_t n, std::int64_t h, std::int64_t w,
                                      std::int64_t c, std::int64_t x, std::int64_t y) {
    return planned("global_average_pool", plan, [&] {
        PoolParams p;
        p.kind = kGlobalAverage;
        p.x = at<void>(x);
        p.y = at<void>(y);
        return planPooling("global_average_pool", plan, type, p, PoolPass::kForward, n, h, w, c);
    });
}

ec_status ec_plan_global_average_pool_gradient(ec_plan* plan, ec_type type, std::int64_t n, std::int64_t h,
                                               std::int64_t w, std::int64_t c, std::int64_t dy, std::int64_t dx) {
    return planned("global_average_pool_gradient", plan, [&] {
        PoolParams p;
        p.kind = kGlobalAverage;
        p.dy = at<void>(dy);
        p.dx = at<void>(dx);
        return planPooling("global_average_pool_gradient", plan, type, p, PoolPass::kGradient, n, h, w, c);
    });
}

// ---- loss -----------------------------------------------------------------------------------------------------------

ec_status ec_plan_softmax_cross_entropy(ec_plan* plan, ec_type type, std::int64_t n, std::int64_t classes,
                                        std::int64_t logits, std::int64_t labels, double smoothing, std::int64_t loss,
                                        std::int64_t correct, std::int64_t dlogits) {
    const char* operation = "softmax_cross_entropy";
    return planned(operation, plan, [&] {
        if (const ec_status refused = checkType(operation, type)) return refused;
        SoftmaxLossParams p;
        p.logits = at<void>(logits);
        p.labels = at<std::int32_t>(labels);
        p.dlogits = at<void>(dlogits);
        p.loss = at<float>(loss);
        p.correct = at<std::int32_t>(correct);
        p.rows = n;
        p.rowStride = classes;
        p.classes = narrow(classes);
        p.smoothing = static_cast<float>(smoothing);
        p.bf16 = type == EC_BF16;
        const LaunchSequence sequence = planSoftmaxLoss(p, plan->limits);
        p.workspace = plan->reserve<float>(Area::kWorkspace, sequence.workspaceBytes / 4);
        if (const ec_status refused = plan->add(sequence, p)) return refused;
        plan->relocate(Area::kWorkspace, &SoftmaxLossParams::workspace);
        return ec_status(EC_OK);
    });
}
