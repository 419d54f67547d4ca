// Operations that no kernel family serves yet.
#include "plan.h"

using namespace effconv_launch;
namespace {
ec_status none(const char* operation, ec_plan* plan) {
    return planned(operation, plan, [&] { return ec_fail(EC_INVALID_ARGUMENT, "%s: no kernel serves it yet", operation); });
}
}  // namespace
ec_status ec_plan_layer_norm(ec_plan* p, ec_type, int64_t, int64_t, int64_t, int64_t, int64_t, double, int64_t, int64_t, int64_t) { return none("layer_norm", p); }
ec_status ec_plan_layer_norm_gradient(ec_plan* p, ec_type, int64_t, int64_t, int64_t, int64_t, int64_t, int64_t, int64_t, int64_t, int64_t, int64_t) { return none("layer_norm_gradient", p); }
ec_status ec_plan_coordinate_features(ec_plan* p, const ec_coordinate_layer*, int32_t) { return none("coordinate_features", p); }
ec_status ec_plan_coordinate_features_gradient(ec_plan* p, const ec_coordinate_layer*, int32_t) { return none("coordinate_features_gradient", p); }
ec_status ec_plan_gru(ec_plan* p, int64_t, int64_t, int64_t, int64_t, const int64_t*, int64_t, int64_t) { return none("gru", p); }
ec_status ec_plan_gru_gradient(ec_plan* p, int64_t, int64_t, int64_t, int64_t, const int64_t*, int64_t, int64_t, int64_t, const int64_t*, int64_t) { return none("gru_gradient", p); }
ec_status ec_plan_size_head(ec_plan* p, const ec_size_head*, int64_t, int64_t, int64_t) { return none("size_head", p); }
ec_status ec_plan_size_head_gradient(ec_plan* p, const ec_size_head*, int64_t, int64_t, int64_t) { return none("size_head_gradient", p); }
