// The C ABI over the kernel library's plan functions: what to launch on a card, checked once, for any caller.
//
// One function per operation of a backend. It takes device addresses (as int64_t, 0 for null), dimensions and flags,
// checks them by the rules of the kernel families (cuda/include/effconv/kernels/), and leaves launches to issue in
// order on one stream, their parameter structs, the bytes of workspace they need and a table of host bytes that has to
// be on the device before them. Nothing here touches a device; device addresses are never read. A caller
//     1. calls ec_plan_<operation>(plan, ...),
//     2. finds room for ec_plan_workspace_bytes and ec_plan_table_bytes, and copies the table there,
//     3. calls ec_plan_place with both addresses, and
//     4. launches each ec_plan_launch.
// Conventions are those of effconv.h. Activations are EC_F32 or EC_BF16, parameters and statistics EC_F32; EC_F64 is
// refused. A plan is reused from call to call and belongs to one thread at a time. EC_INVALID_ARGUMENT leaves a plan
// without launches.
#ifndef EFFCONV_LAUNCH_H
#define EFFCONV_LAUNCH_H

#include "effconv.h"

#ifdef __cplusplus
extern "C" {
#endif

// ---- the kernels this library was built with ----------------------------------------------------------------------

EC_API int32_t ec_kernel_count(void);
// Name of kernel `index`, the module (file <family>.fatbin) it is in, and the size of its one parameter struct.
EC_API const char* ec_kernel_name(int32_t index);
EC_API const char* ec_kernel_family(int32_t index);
EC_API int32_t ec_kernel_parameter_bytes(int32_t index);
EC_API const char* ec_kernel_library_version(void);
// A digest of the sources of the kernels and of the headers that plan their launches.
EC_API const char* ec_kernel_sources(void);
// Refuses a manifest (kernels.json beside the device code) of another version, other kernels, parameter structs or
// sources.
EC_API ec_status ec_check_kernel_manifest(const char* manifest);

// ---- plans --------------------------------------------------------------------------------------------------------

typedef struct ec_plan ec_plan;

typedef struct ec_launch {
    int32_t kernel;  // index, see ec_kernel_name
    int32_t threads;
    int64_t blocks;
    int64_t shared_bytes;
    int64_t parameters;  // host address, good until the plan's next use
    int64_t parameter_bytes;
} ec_launch;

// For a device with these limits; null if there is no memory.
EC_API ec_plan* ec_plan_create(int64_t shared_bytes_per_block, int64_t grid_x, int32_t multiprocessors);
EC_API void ec_plan_destroy(ec_plan* plan);

EC_API int32_t ec_plan_launches(const ec_plan* plan);
EC_API int64_t ec_plan_workspace_bytes(const ec_plan* plan);
EC_API int64_t ec_plan_table_bytes(const ec_plan* plan);
// Host address of the table, good until the plan's next use; its device copy must be 16-byte aligned.
EC_API int64_t ec_plan_table(const ec_plan* plan);
// Enters the device addresses of table and workspace (0 where none is needed) into the parameters.
EC_API ec_status ec_plan_place(ec_plan* plan, int64_t table, int64_t workspace);
EC_API ec_status ec_plan_launch(const ec_plan* plan, int32_t index, ec_launch* launch);

// ---- operations; semantics as in effconv.h ------------------------------------------------------------------------

// Copy with conversion between EC_F32, EC_BF16, EC_I32 and EC_U8, as ec_copy.
EC_API ec_status ec_plan_copy(ec_plan* plan, ec_type from_type, int64_t from, ec_type to_type, int64_t to,
                              int64_t count);
EC_API ec_status ec_plan_accumulate(ec_plan* plan, ec_type from_type, int64_t from, double factor, ec_type to_type,
                                    int64_t to, int64_t count);

EC_API ec_status ec_plan_activate(ec_plan* plan, ec_type type, ec_activation activation, int64_t count, int64_t x,
                                  int64_t y);
EC_API ec_status ec_plan_activate_gradient(ec_plan* plan, ec_type type, ec_activation activation, int64_t count,
                                           int64_t x, int64_t dy, int64_t dx);
EC_API ec_status ec_plan_add(ec_plan* plan, ec_type type, ec_activation activation, int64_t count, int64_t a, int64_t b,
                             int64_t y);
// seed_address: device address of the seed (int64), read when the launch runs; 0: `seed` itself.
EC_API ec_status ec_plan_dropout(ec_plan* plan, ec_type type, int64_t count, int64_t x, double rate, int64_t seed,
                                 int64_t seed_address, int64_t y);

// n images of a dataset of `count`: those whose numbers (int64) stand at `numbers`, or the first n if that is 0. mean,
// deviation: host arrays of c numbers.
EC_API ec_status ec_plan_augment(ec_plan* plan, ec_type type, int64_t count, int64_t n, int64_t h, int64_t w, int64_t c,
                                 int64_t images, int64_t numbers, int64_t draws, const float* mean,
                                 const float* deviation, int64_t y);

typedef int32_t ec_pass;
enum { EC_FORWARD = 0, EC_DATA_GRADIENT = 1, EC_WEIGHT_GRADIENT = 2 };
// x (n, h, w, c), y (n, ho, wo, k) in `type`, weights (k, size, size, c / groups) and bias (k) in EC_F32. The forward
// pass reads x and writes y; the data gradient reads y and writes x; the weight gradient reads both, writes weights and
// bias.
EC_API ec_status ec_plan_convolution(ec_plan* plan, ec_type type, ec_pass pass, int64_t n, int64_t h, int64_t w,
                                     int64_t c, int64_t k, int32_t size, int32_t stride, int32_t groups, int64_t x,
                                     int64_t weights, int64_t bias, int64_t y);

// x (n, d) and y (n, o) in `type`, weights (o, d) and bias (o) in EC_F32; passes as above.
EC_API ec_status ec_plan_linear(ec_plan* plan, ec_type type, ec_pass pass, int64_t n, int64_t d, int64_t o, int64_t x,
                                int64_t weights, int64_t bias, int64_t y);

EC_API ec_status ec_plan_layer_norm(ec_plan* plan, ec_type type, int64_t rows, int64_t width, int64_t x, int64_t scale,
                                    int64_t shift, double epsilon, int64_t mean, int64_t inv_std, int64_t y);
EC_API ec_status ec_plan_layer_norm_gradient(ec_plan* plan, ec_type type, int64_t rows, int64_t width, int64_t x,
                                             int64_t dy, int64_t scale, int64_t mean, int64_t inv_std, int64_t dx,
                                             int64_t dscale, int64_t dshift);

EC_API ec_status ec_plan_batch_norm(ec_plan* plan, ec_type type, ec_activation activation, int64_t rows,
                                    int64_t channels, int64_t x, int64_t scale, int64_t shift, int64_t residual,
                                    double epsilon, double momentum, int64_t running_mean, int64_t running_variance,
                                    int64_t mean, int64_t inv_std, int64_t y);
EC_API ec_status ec_plan_batch_norm_gradient(ec_plan* plan, ec_type type, ec_activation activation, int64_t rows,
                                             int64_t channels, int64_t x, int64_t y, int64_t dy, int64_t scale,
                                             int64_t mean, int64_t inv_std, int64_t dx, int64_t dscale, int64_t dshift,
                                             int64_t dresidual);
EC_API ec_status ec_plan_batch_norm_inference(ec_plan* plan, ec_type type, ec_activation activation, int64_t rows,
                                              int64_t channels, int64_t x, int64_t scale, int64_t shift,
                                              int64_t residual, double epsilon, int64_t running_mean,
                                              int64_t running_variance, int64_t y);

EC_API ec_status ec_plan_pool(ec_plan* plan, ec_type type, ec_pooling kind, int32_t size, int32_t stride,
                              int32_t padding, int64_t n, int64_t h, int64_t w, int64_t c, int64_t x, int64_t y);
EC_API ec_status ec_plan_pool_gradient(ec_plan* plan, ec_type type, ec_pooling kind, int32_t size, int32_t stride,
                                       int32_t padding, int64_t n, int64_t h, int64_t w, int64_t c, int64_t x,
                                       int64_t dy, int64_t dx);
EC_API ec_status ec_plan_global_average_pool(ec_plan* plan, ec_type type, int64_t n, int64_t h, int64_t w, int64_t c,
                                             int64_t x, int64_t y);
EC_API ec_status ec_plan_global_average_pool_gradient(ec_plan* plan, ec_type type, int64_t n, int64_t h, int64_t w,
                                                      int64_t c, int64_t dy, int64_t dx);

EC_API ec_status ec_plan_softmax_cross_entropy(ec_plan* plan, ec_type type, int64_t n, int64_t classes, int64_t logits,
                                               int64_t labels, double smoothing, int64_t loss, int64_t correct,
                                               int64_t dlogits);

// The settings of a step of `tensors` tensors, `rates` and `decays` one of each per tensor, into host bytes for the
// device: what changes from step to step, so that launches recorded once can be repeated with another step's.
EC_API int64_t ec_optimizer_group_bytes(int32_t tensors);
EC_API ec_status ec_optimizer_groups(ec_optimizer kind, double beta1, double beta2, double epsilon, int32_t nesterov,
                                     int64_t step, int32_t tensors, const double* rates, const double* decays,
                                     void* groups);
// As ec_optimizer_step; `norm` is the device address of one float that receives the global gradient norm before
// clipping. groups: device address, aligned to 16, of what ec_optimizer_groups wrote, read when the launches run; 0:
// step, rates and decays are those given here.
EC_API ec_status ec_plan_optimizer_step(ec_plan* plan, ec_optimizer kind, double beta1, double beta2, double epsilon,
                                        int32_t nesterov, double clip_norm, int64_t step, int32_t tensors,
                                        const int64_t* slots, const int64_t* counts, const double* rates,
                                        const double* decays, int64_t norm, int64_t groups);

// The square root of the sum of squares of all elements of EC_F32 tensors, given by addresses and counts, into one
// float.
EC_API ec_status ec_plan_norm(ec_plan* plan, int32_t tensors, const int64_t* addresses, const int64_t* counts,
                              int64_t norm);

// to += factor / |from|^2 * from, EC_F32, |from| over all tensors together, which `norm` receives. factor_address:
// device address of the factor (double), read when the launches run; 0: `factor` itself.
EC_API ec_status ec_plan_accumulate_normalised(ec_plan* plan, int32_t tensors, const int64_t* from, double factor,
                                               int64_t factor_address, const int64_t* to, const int64_t* counts,
                                               int64_t norm);

// As ec_synthesis; all arrays named in `layers` are on the device, weights all of one type. scales: device address,
// aligned to 16, of one scale (float) per size, read when the launches run in place of those of the layers; 0: those.
EC_API ec_status ec_plan_synthesis(ec_plan* plan, int32_t mask, int64_t v, int64_t scales, int64_t sizes,
                                   const ec_synthesis_layer* layers, int32_t count);
// dv is written for the sizes that the layers use.
EC_API ec_status ec_plan_synthesis_gradient(ec_plan* plan, int32_t mask, int64_t v, int64_t scales, int64_t sizes,
                                            const ec_synthesis_layer* layers, int32_t count, int64_t dv);

EC_API ec_status ec_plan_coordinate_features(ec_plan* plan, const ec_coordinate_layer* layers, int32_t count);
EC_API ec_status ec_plan_coordinate_features_gradient(ec_plan* plan, const ec_coordinate_layer* layers, int32_t count);

// weights, dweights: host arrays of eight device addresses, as ec_gru.
EC_API ec_status ec_plan_gru(ec_plan* plan, int64_t steps, int64_t inputs, int64_t hidden, int64_t x,
                             const int64_t* weights, int64_t h, int64_t tape);
EC_API ec_status ec_plan_gru_gradient(ec_plan* plan, int64_t steps, int64_t inputs, int64_t hidden, int64_t x,
                                      const int64_t* weights, int64_t h, int64_t tape, int64_t dh,
                                      const int64_t* dweights, int64_t dx);

// As ec_size_head_forward; kmin and kmax are host arrays, everything else is on the device.
EC_API ec_status ec_plan_size_head(ec_plan* plan, const ec_size_head* head, int64_t h, int64_t u, int64_t v);
EC_API ec_status ec_plan_size_head_gradient(ec_plan* plan, const ec_size_head* head, int64_t h, int64_t dv, int64_t dh);

#ifdef __cplusplus
}
#endif
#endif
