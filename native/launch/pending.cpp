// Operations that no kernel family serves yet.
#include "plan.h"

using namespace effconv_launch;
namespace {
ec_status none(const char* operation, ec_plan* plan) {
    return planned(operation, plan, [&] { return ec_fail(EC_INVALID_ARGUMENT, "%s: no kernel serves it yet", operation); });
}
}  // namespace
ec_status ec_plan_coordinate_features(ec_plan* p, const ec_coordinate_layer*, int32_t) { return none("coordinate_features", p); }
ec_status ec_plan_coordinate_features_gradient(ec_plan* p, const ec_coordinate_layer*, int32_t) { return none("coordinate_features_gradient", p); }
