#include <omp.h>

#include <atomic>
#include <cstdlib>
#include <new>
#include <string>

#include "effconv.h"
#include "status.h"

namespace {
std::atomic<int64_t> live_bytes{0};
thread_local std::string last_error;

size_t rounded(int64_t bytes) { return (static_cast<size_t>(bytes) + 63) / 64 * 64; }
}  // namespace

const char* ec_version(void) { return EFFCONV_VERSION; }
void effconv_cpu::setLastError(const char* message) { last_error = message; }
const char* ec_last_error(void) { return last_error.c_str(); }

void* ec_allocate(int64_t bytes) {
    if (bytes < 0) return nullptr;
    void* memory = std::aligned_alloc(64, rounded(bytes == 0 ? 64 : bytes));
    if (memory) live_bytes += bytes;
    return memory;
}

void ec_free(void* memory, int64_t bytes) {
    if (!memory) return;
    std::free(memory);
    live_bytes -= bytes;
}

int64_t ec_live_bytes(void) { return live_bytes; }
void ec_set_threads(int32_t threads) { omp_set_num_threads(threads < 1 ? 1 : threads); }
int32_t ec_threads(void) { return omp_get_max_threads(); }
