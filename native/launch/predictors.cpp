// Plans of the predictors of sizes and kernels: GRU, size head, coordinate networks.
#include "effconv/kernels/coordinate_features.h"
#include "effconv/kernels/gru.h"
#include "effconv/kernels/size_head.h"
#include "plan.h"

using namespace effconv;
using namespace effconv_launch;
using Area = ec_plan::Area;

// ---- GRU ------------------------------------------------------------------------------------------------------------

namespace {

/// Eight addresses, as ec_gru has them.
void enterDirections(const std::int64_t* addresses, GruArrays (&arrays)[2]) {
    for (int direction = 0; direction < 2; ++direction) {
        const std::int64_t* from = addresses + 4 * direction;
        arrays[direction] = {at<float>(from[0]), at<float>(from[1]), at<float>(from[2]), at<float>(from[3])};
    }
}

ec_status planRecurrence(ec_plan* plan, std::int64_t steps, std::int64_t inputs, std::int64_t hidden, GruParams& p,
                         GruPass pass) {
    p.steps = narrow(steps);
    p.inputs = narrow(inputs);
    p.hidden = narrow(hidden);
    const LaunchSequence sequence = planGru(p, pass, plan->limits);
    p.workspace = plan->reserve<float>(Area::kWorkspace, sequence.workspaceBytes / 4);
    if (const ec_status refused = plan->add(sequence, p)) return refused;
    plan->relocate(Area::kWorkspace, &GruParams::workspace);
    return EC_OK;
}

}  // namespace

ec_status ec_plan_gru(ec_plan* plan, std::int64_t steps, std::int64_t inputs, std::int64_t hidden, std::int64_t x,
                      const std::int64_t* weights, std::int64_t h, std::int64_t tape) {
    return planned("gru", plan, [&] {
        if (weights == nullptr) return ec_fail(EC_INVALID_ARGUMENT, "gru: weights is null");
        GruParams p;
        p.x = at<float>(x);
        enterDirections(weights, p.weights);
        p.h = at<float>(h);
        p.tape = at<float>(tape);
        return planRecurrence(plan, steps, inputs, hidden, p, GruPass::kForward);
    });
}

ec_status ec_plan_gru_gradient(ec_plan* plan, std::int64_t steps, std::int64_t inputs, std::int64_t hidden,
                               std::int64_t x, const std::int64_t* weights, std::int64_t h, std::int64_t tape,
                               std::int64_t dh, const std::int64_t* dweights, std::int64_t dx) {
    return planned("gru_gradient", plan, [&] {
        if (weights == nullptr || dweights == nullptr)
            return ec_fail(EC_INVALID_ARGUMENT, "gru_gradient: weights is null");
        GruParams p;
        p.x = at<float>(x);
        enterDirections(weights, p.weights);
        p.h = at<float>(h);
        p.tape = at<float>(tape);
        p.dh = at<float>(dh);
        enterDirections(dweights, p.gradients);
        p.dx = at<float>(dx);
        return planRecurrence(plan, steps, inputs, hidden, p, GruPass::kGradient);
    });
}

// ---- size head ------------------------------------------------------------------------------------------------------

namespace {

ec_status planHead(const char* operation, ec_plan* plan, const ec_size_head* head, std::int64_t h, SizeHeadParams p,
                   SizeHeadPass pass) {
    if (head == nullptr || head->kmin == nullptr || head->kmax == nullptr || head->layers < 1) {
        return ec_fail(EC_INVALID_ARGUMENT, "%s: no head, or one without layers or bounds", operation);
    }
    const std::vector<float> kmin(head->kmin, head->kmin + head->layers);
    const std::vector<float> kmax(head->kmax, head->kmax + head->layers);
    p.h = at<float>(h);
    p.gain = static_cast<const float*>(head->gain);
    p.shift = static_cast<const float*>(head->shift);
    p.w = static_cast<const float*>(head->w);
    p.g = static_cast<const float*>(head->g);
    p.b = static_cast<const float*>(head->b);
    p.kmin = plan->enter(kmin.data(), head->layers);
    p.kmax = plan->enter(kmax.data(), head->layers);
    p.layers = head->layers;
    p.width = head->width;
    const LaunchSequence sequence = planSizeHead(p, pass, plan->limits);
    if (sequence.workspaceBytes > 0) p.workspace = plan->reserve<float>(Area::kWorkspace, sequence.workspaceBytes / 4);
    if (const ec_status refused = plan->add(sequence, p)) return refused;
    plan->relocate(Area::kTable, &SizeHeadParams::kmin);
    plan->relocate(Area::kTable, &SizeHeadParams::kmax);
    if (sequence.workspaceBytes > 0) plan->relocate(Area::kWorkspace, &SizeHeadParams::workspace);
    return EC_OK;
}

}  // namespace

ec_status ec_plan_size_head(ec_plan* plan, const ec_size_head* head, std::int64_t h, std::int64_t u, std::int64_t v) {
    return planned("size_head", plan, [&] {
        SizeHeadParams p;
        p.u = at<float>(u);
        p.v = at<float>(v);
        return planHead("size_head", plan, head, h, p, SizeHeadPass::kForward);
    });
}

ec_status ec_plan_size_head_gradient(ec_plan* plan, const ec_size_head* head, std::int64_t h, std::int64_t dv,
                                     std::int64_t dh) {
    return planned("size_head_gradient", plan, [&] {
        SizeHeadParams p;
        p.dv = at<float>(dv);
        p.dh = at<float>(dh);
        if (head != nullptr) {
            p.dgain = static_cast<float*>(head->dgain);
            p.dshift = static_cast<float*>(head->dshift);
            p.dw = static_cast<float*>(head->dw);
            p.dg = static_cast<float*>(head->dg);
            p.db = static_cast<float*>(head->db);
        }
        return planHead("size_head_gradient", plan, head, h, p, SizeHeadPass::kGradient);
    });
}

// ---- coordinate networks --------------------------------------------------------------------------------------------

namespace {

/// Callers need not set the gradients' pointers for a forward pass.
CoordinateFeatureLayer coordinateLayer(const ec_coordinate_layer& from, bool gradient) {
    CoordinateFeatureLayer to;
    to.W1 = static_cast<const float*>(from.w1);
    to.b1 = static_cast<const float*>(from.b1);
    to.W2 = static_cast<const float*>(from.w2);
    to.b2 = static_cast<const float*>(from.b2);
    to.gamma = static_cast<const float*>(from.gamma);
    to.beta = static_cast<const float*>(from.beta);
    to.H = static_cast<float*>(from.feature_rows);
    if (gradient) {
        to.dW1 = static_cast<float*>(from.dw1);
        to.db1 = static_cast<float*>(from.db1);
        to.dW2 = static_cast<float*>(from.dw2);
        to.db2 = static_cast<float*>(from.db2);
        to.dgamma = static_cast<float*>(from.dgamma);
        to.dbeta = static_cast<float*>(from.dbeta);
    }
    to.omega = static_cast<float>(from.omega);
    to.grid = from.grid;
    to.kmax = from.kmax;
    to.hidden = from.hidden;
    to.features = from.features;
    return to;
}

ec_status planCoordinates(const char* operation, ec_plan* plan, const ec_coordinate_layer* layers, std::int32_t count,
                          CoordinatePass pass) {
    if (layers == nullptr || count < 1) return ec_fail(EC_INVALID_ARGUMENT, "%s: no layers", operation);
    const bool gradient = pass == CoordinatePass::kGradient;
    std::vector<CoordinateFeatureLayer> described;
    for (std::int32_t l = 0; l < count; ++l) described.push_back(coordinateLayer(layers[l], gradient));
    CoordinatePlan made;
    const auto itemsOf = [&](CoordinateItem* tiles, CoordinateItem* reductions) {
        return plan->check(planCoordinateItems(described.data(), count, pass, plan->limits, made, tiles, reductions));
    };
    if (const ec_status refused = itemsOf(nullptr, nullptr)) return refused;
    std::vector<CoordinateItem> tiles(static_cast<std::size_t>(made.tileItems));
    std::vector<CoordinateItem> reductions(static_cast<std::size_t>(made.reduceItems));
    if (const ec_status refused = itemsOf(tiles.data(), reductions.data())) return refused;
    CoordinateFeaturesParams p;
    p.layers = plan->enter(described.data(), count);
    p.tiles = plan->enter(tiles.data(), made.tileItems);
    p.taps = made.taps;
    if (gradient) {
        p.reductions = plan->enter(reductions.data(), made.reduceItems);
        p.workspace = plan->reserve<float>(Area::kWorkspace, made.workspaceFloats);
    }
    if (const ec_status refused = plan->add(planCoordinateFeatures(p, made, pass, plan->limits), p)) return refused;
    plan->relocate(Area::kTable, &CoordinateFeaturesParams::layers);
    plan->relocate(Area::kTable, &CoordinateFeaturesParams::tiles);
    if (gradient) {
        plan->relocate(Area::kTable, &CoordinateFeaturesParams::reductions);
        plan->relocate(Area::kWorkspace, &CoordinateFeaturesParams::workspace);
    }
    return EC_OK;
}

}  // namespace

ec_status ec_plan_coordinate_features(ec_plan* plan, const ec_coordinate_layer* layers, std::int32_t count) {
    return planned("coordinate_features", plan, [&] {
        return planCoordinates("coordinate_features", plan, layers, count, CoordinatePass::kForward);
    });
}

ec_status ec_plan_coordinate_features_gradient(ec_plan* plan, const ec_coordinate_layer* layers, std::int32_t count) {
    return planned("coordinate_features_gradient", plan, [&] {
        return planCoordinates("coordinate_features_gradient", plan, layers, count, CoordinatePass::kGradient);
    });
}
