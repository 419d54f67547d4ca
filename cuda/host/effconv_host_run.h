/* The kernels on the host, for a caller in another language: launches by name, on host memory, as the driver would.
 * libeffconv_kernels_host is for tests; a kernel runs one thread after another. */
#ifndef EFFCONV_HOST_RUN_H
#define EFFCONV_HOST_RUN_H

#include <stdint.h>

#ifdef __cplusplus
extern "C" {
#endif

enum {
    EC_HOST_OK = 0,
    EC_HOST_UNKNOWN_KERNEL = 1, /* no kernel of that name */
    EC_HOST_BAD_PARAMETERS = 2, /* parameters null, or of another size than the kernel's struct */
    EC_HOST_KERNEL_FAULT =
        3,              /* the kernel broke a rule of the machine (a divergent barrier, too much shared memory ...) */
    EC_HOST_FAILURE = 4 /* anything else, out of memory for instance */
};

/* Runs the kernel's blocks to their end on the calling thread. `parameters` is the kernel's parameter struct, whose
 * addresses are host addresses, 16-byte aligned. Returns EC_HOST_OK, or another status and one sentence in `message`,
 * cut to message_bytes with its final zero (message may be null). Any number of threads may launch at once. */
__attribute__((visibility("default"))) int32_t ec_host_launch(const char* kernel, int64_t blocks, int32_t threads,
                                                              int64_t shared_bytes, const void* parameters,
                                                              int64_t parameter_bytes, char* message,
                                                              int32_t message_bytes);

/* Order in which later launches of the calling thread run the threads of a block and the blocks of a grid between two
 * barriers: 0 ascending (at first), 1 descending, 2 shuffled by `seed`. A kernel that needs one of them lacks a
 * barrier. Another number is refused with EC_HOST_BAD_PARAMETERS and changes nothing. */
__attribute__((visibility("default"))) int32_t ec_host_thread_order(int32_t order, int64_t seed);

#ifdef __cplusplus
}
#endif

#endif
