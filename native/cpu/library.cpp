#include <malloc.h>
#include <omp.h>

#include <atomic>
#include <cstdarg>
#include <cstdio>
#include <cstdlib>

#include "error.h"
#include "guarded_memory.h"

namespace {
std::atomic<int64_t> live_bytes{0};
std::atomic<bool> guarded{false};
thread_local char last_error[256] = "";

size_t rounded(int64_t bytes) {
    return (static_cast<size_t>(bytes) + 63) / 64 * 64;
}
}  // namespace

const char* ec_version(void) {
    return EFFCONV_VERSION;
}
const char* ec_last_error(void) {
    return last_error;
}

#ifndef EC_DISPATCHED
const char* ec_instruction_set(void) {
    return "generic";
}
#endif

ec_status ec_fail(ec_status status, const char* format, ...) {
    va_list arguments;
    va_start(arguments, format);
    std::vsnprintf(last_error, sizeof last_error, format, arguments);
    va_end(arguments);
    return status;
}

void* ec_allocate(int64_t bytes) {
    if (bytes < 0) return nullptr;
    void* memory =
        guarded ? effconv::allocate_guarded(bytes) : std::aligned_alloc(64, rounded(bytes == 0 ? 64 : bytes));
    if (memory) live_bytes += bytes;
    return memory;
}

void ec_free(void* memory, int64_t bytes) {
    if (!memory) return;
    if (guarded) {
        effconv::free_guarded(memory, bytes);
    } else {
        std::free(memory);
    }
    live_bytes -= bytes;
}

ec_status ec_guard_memory(void) {
    if (!guarded && live_bytes != 0) {
        return ec_fail(EC_INVALID_ARGUMENT, "memory can be guarded before its first block alone; %lld bytes are in use",
                       static_cast<long long>(live_bytes));
    }
    guarded = true;
    return EC_OK;
}

int64_t ec_live_bytes(void) {
    return live_bytes;
}

// glibc keeps up to eight times as many arenas as there are processors, each as large as it ever was but for its end.
void ec_trim(void) {
#ifdef __GLIBC__
    malloc_trim(0);
#endif
}

void ec_set_threads(int32_t threads) {
    omp_set_num_threads(threads < 1 ? 1 : threads);
}
int32_t ec_threads(void) {
    return omp_get_max_threads();
}
