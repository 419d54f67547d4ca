// Plans of convolutions and linear layers: which family serves a shape. The families take weights in the type of the
// activations, so bf16 begins with a copy of the fp32 weights; sums over all rows give the gradient of a bias.
#include "effconv/kernels/channel_sums.h"
#include "effconv/kernels/dense_conv.h"
#include "effconv/kernels/depthwise_conv.h"
#include "effconv/kernels/elementwise.h"
#include "plan.h"

using namespace effconv;
using namespace effconv_launch;
using Area = ec_plan::Area;

namespace {

struct Request {
    ec_pass pass;
    bool bf16;
    ConvShape shape;
    void* x;
    void* weights;
    float* bias;
    void* y;

    bool depthwise() const { return shape.groups == shape.inChannels && shape.groups == shape.outChannels; }
    bool copiesWeights() const { return bf16 && pass != EC_WEIGHT_GRADIENT; }
};

ec_status copyWeights(ec_plan* plan, Request& r) {
    const ConvShape& s = r.shape;
    ElementwiseParams copy;
    copy.a = r.weights;
    copy.aType = kF32;
    copy.yType = kBf16;
    copy.count = std::int64_t(s.outChannels) * s.kernel * s.kernel * (s.inChannels / s.groups);
    std::uint16_t* bits = plan->reserve<std::uint16_t>(Area::kWorkspace, copy.count);
    copy.y = bits;
    if (const ec_status refused = plan->add(planElementwise(copy, ElementwiseOperation::kCopy, plan->limits), copy))
        return refused;
    plan->relocate(Area::kWorkspace, &ElementwiseParams::y);
    r.weights = bits;
    return EC_OK;
}

template <typename P>
ec_status addProduct(ec_plan* plan, const Request& r, LaunchSequence (*planner)(P&, ConvPass, const DeviceLimits&)) {
    P p;
    p.shape = r.shape;
    p.x = r.x;
    p.w = r.weights;
    p.y = r.y;
    p.bias = r.pass == EC_FORWARD ? r.bias : nullptr;
    p.bf16 = r.bf16;
    const LaunchSequence sequence = planner(p, static_cast<ConvPass>(r.pass), plan->limits);
    if (sequence.workspaceBytes > 0) p.workspace = plan->reserve<float>(Area::kWorkspace, sequence.workspaceBytes / 4);
    if (const ec_status refused = plan->add(sequence, p)) return refused;
    if (sequence.workspaceBytes > 0) plan->relocate(Area::kWorkspace, &P::workspace);
    if (r.copiesWeights()) plan->relocate(Area::kWorkspace, &P::w);
    return EC_OK;
}

ec_status addBiasGradient(ec_plan* plan, const Request& r) {
    ChannelSumsParams p;
    p.x = r.y;
    p.sums = r.bias;
    p.rows = std::int64_t(r.shape.batch) * r.shape.outHeight() * r.shape.outWidth();
    p.channels = r.shape.outChannels;
    p.rowStride = p.channels;
    p.bf16 = r.bf16;
    const LaunchSequence sequence = planChannelSums(p, plan->limits);
    if (sequence.workspaceBytes > 0) p.workspace = plan->reserve<float>(Area::kWorkspace, sequence.workspaceBytes / 4);
    if (const ec_status refused = plan->add(sequence, p)) return refused;
    if (sequence.workspaceBytes > 0) plan->relocate(Area::kWorkspace, &ChannelSumsParams::workspace);
    return EC_OK;
}

ec_status addConvolution(const char* operation, ec_plan* plan, ec_type type, Request& r) {
    if (const ec_status refused = checkType(operation, type)) return refused;
    if (r.pass < EC_FORWARD || r.pass > EC_WEIGHT_GRADIENT) {
        return ec_fail(EC_INVALID_ARGUMENT, "%s: pass %d; expected EC_FORWARD, EC_DATA_GRADIENT or EC_WEIGHT_GRADIENT",
                       operation, r.pass);
    }
    r.bf16 = type == EC_BF16;
    if (r.shape.stride >= 1) r.shape.setContiguousStrides();
    if (const ec_status refused = plan->check(checkConvShape(operation, r.shape))) return refused;
    if (r.copiesWeights()) {
        if (const ec_status refused = copyWeights(plan, r)) return refused;
    }
    const ec_status refused = r.depthwise() ? addProduct<DepthwiseConvParams>(plan, r, planDepthwiseConv)
                                            : addProduct<DenseConvParams>(plan, r, planDenseConv);
    if (refused != EC_OK || r.pass != EC_WEIGHT_GRADIENT || r.bias == nullptr) return refused;
    return addBiasGradient(plan, r);
}

}  // namespace

ec_status ec_plan_convolution(ec_plan* plan, ec_type type, ec_pass pass, std::int64_t n, std::int64_t h, std::int64_t w,
                              std::int64_t c, std::int64_t k, std::int32_t size, std::int32_t stride,
                              std::int32_t groups, std::int64_t x, std::int64_t weights, std::int64_t bias,
                              std::int64_t y) {
    return planned("convolution", plan, [&] {
        Request r = {};
        r.pass = pass;
        r.shape.batch = narrow(n);
        r.shape.height = narrow(h);
        r.shape.width = narrow(w);
        r.shape.inChannels = narrow(c);
        r.shape.outChannels = narrow(k);
        r.shape.kernel = size;
        r.shape.stride = stride;
        r.shape.groups = groups;
        r.x = at<void>(x);
        r.weights = at<void>(weights);
        r.bias = at<float>(bias);
        r.y = at<void>(y);
        return addConvolution("convolution", plan, type, r);
    });
}

ec_status ec_plan_linear(ec_plan* plan, ec_type type, ec_pass pass, std::int64_t n, std::int64_t d, std::int64_t o,
                         std::int64_t x, std::int64_t weights, std::int64_t bias, std::int64_t y) {
    return planned("linear", plan, [&] {
        Request r = {};  // a convolution of one pixel
        r.pass = pass;
        r.shape.batch = narrow(n);
        r.shape.height = r.shape.width = r.shape.groups = r.shape.kernel = r.shape.stride = 1;
        r.shape.inChannels = narrow(d);
        r.shape.outChannels = narrow(o);
        r.x = at<void>(x);
        r.weights = at<void>(weights);
        r.bias = at<float>(bias);
        r.y = at<void>(y);
        return addConvolution("linear", plan, type, r);
    });
}
