// Plans of convolutions: which family serves a shape.
#include "effconv/kernels/dense_conv.h"
#include "effconv/kernels/depthwise_conv.h"
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
};

template <typename P>
ec_status addProduct(ec_plan* plan, P& p, LaunchSequence (*planner)(P&, ConvPass, const DeviceLimits&), ConvPass pass) {
    const LaunchSequence sequence = planner(p, pass, plan->limits);
    if (sequence.workspaceBytes > 0) p.workspace = plan->reserve<float>(Area::kWorkspace, sequence.workspaceBytes / 4);
    if (const ec_status refused = plan->add(sequence, p)) return refused;
    if (sequence.workspaceBytes > 0) plan->relocate(Area::kWorkspace, &P::workspace);
    return EC_OK;
}

ec_status addConvolution(ec_plan* plan, const Request& r) {
    const ConvPass pass = static_cast<ConvPass>(r.pass);
    if (r.depthwise()) {
        DepthwiseConvParams p;
        p.shape = r.shape;
        p.x = r.x;
        p.w = r.weights;
        p.y = r.y;
        p.bf16 = r.bf16;
        return addProduct(plan, p, planDepthwiseConv, pass);
    }
    DenseConvParams p;
    p.shape = r.shape;
    p.x = r.x;
    p.w = r.weights;
    p.y = r.y;
    p.bias = r.pass == EC_FORWARD ? r.bias : nullptr;
    p.bf16 = r.bf16;
    return addProduct(plan, p, planDenseConv, pass);
}

}  // namespace

ec_status ec_plan_convolution(ec_plan* plan, ec_type type, ec_pass pass, std::int64_t n, std::int64_t h, std::int64_t w,
                              std::int64_t c, std::int64_t k, std::int32_t size, std::int32_t stride, std::int32_t groups,
                              std::int64_t x, std::int64_t weights, std::int64_t bias, std::int64_t y) {
    const char* operation = "convolution";
    return planned(operation, plan, [&] {
        if (const ec_status refused = checkType(operation, type)) return refused;
        if (pass < EC_FORWARD || pass > EC_WEIGHT_GRADIENT) {
            return ec_fail(EC_INVALID_ARGUMENT, "%s: pass %d; expected EC_FORWARD, EC_DATA_GRADIENT or EC_WEIGHT_GRADIENT",
                           operation, pass);
        }
        Request r;
        r.pass = pass;
        r.bf16 = type == EC_BF16;
        r.shape.batch = narrow(n);
        r.shape.height = narrow(h);
        r.shape.width = narrow(w);
        r.shape.inChannels = narrow(c);
        r.shape.outChannels = narrow(k);
        r.shape.kernel = size;
        r.shape.stride = stride;
        r.shape.groups = groups;
        if (stride >= 1) r.shape.setContiguousStrides();
        r.x = at<void>(x);
        r.weights = at<void>(weights);
        r.bias = at<float>(bias);
        r.y = at<void>(y);
        return addConvolution(plan, r);
    });
}
