// Binds every entry function, once, when the library is loaded, to its variant for this processor's instruction set.

#include "effconv.h"
#include "level.h"

namespace {

using namespace effconv::cpu;

// Called by the dynamic linker before anything else of this library has run, so it may use nothing but the processor.
__attribute__((no_sanitize("address"), always_inline)) inline Level chosen() {
    const Level most = level();
    return most > EC_HIGHEST_LEVEL ? static_cast<Level>(EC_HIGHEST_LEVEL) : most;
}

}  // namespace

#define EC_DISPATCH(name)                                                                    \
    extern "C" decltype(name) name##_v1, name##_v3, name##_v4;                               \
    extern "C" {                                                                             \
    __attribute__((no_sanitize("address"), used)) static decltype(&name) choose_##name() {   \
        const Level variant = chosen();                                                      \
        return variant == kAvx512 ? &name##_v4 : variant == kAvx2 ? &name##_v3 : &name##_v1; \
    }                                                                                        \
    }                                                                                        \
    extern "C" EC_API decltype(name) name __attribute__((ifunc("choose_" #name)));

EC_DISPATCH(ec_write_floats)
EC_DISPATCH(ec_write_doubles)
EC_DISPATCH(ec_write_ints)
EC_DISPATCH(ec_read_floats)
EC_DISPATCH(ec_read_doubles)
EC_DISPATCH(ec_read_ints)
EC_DISPATCH(ec_fill)
EC_DISPATCH(ec_copy)
EC_DISPATCH(ec_accumulate)
EC_DISPATCH(ec_augment)
EC_DISPATCH(ec_activate)
EC_DISPATCH(ec_activate_gradient)
EC_DISPATCH(ec_add)
EC_DISPATCH(ec_dropout)
EC_DISPATCH(ec_batch_norm)
EC_DISPATCH(ec_batch_norm_gradient)
EC_DISPATCH(ec_batch_norm_inference)
EC_DISPATCH(ec_depthwise_weight_gradient)
EC_DISPATCH(ec_layer_norm)
EC_DISPATCH(ec_layer_norm_gradient)
EC_DISPATCH(ec_pool)
EC_DISPATCH(ec_pool_gradient)
EC_DISPATCH(ec_global_average_pool)
EC_DISPATCH(ec_global_average_pool_gradient)
EC_DISPATCH(ec_softmax_cross_entropy)
EC_DISPATCH(ec_gru)
EC_DISPATCH(ec_gru_gradient)
EC_DISPATCH(ec_optimizer_step)
EC_DISPATCH(ec_naive_convolution)
EC_DISPATCH(ec_naive_convolution_data_gradient)
EC_DISPATCH(ec_naive_convolution_weight_gradient)

const char* ec_instruction_set(void) {
    switch (chosen()) {
        case kAvx512: return "x86-64-v4";
        case kAvx2: return "x86-64-v3";
        default: return "x86-64";
    }
}
