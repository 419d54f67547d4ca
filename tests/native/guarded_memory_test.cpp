// Guarded memory: what lies beside a block ends the process, and nothing else does.

#include <sys/wait.h>
#include <unistd.h>

#include <cmath>
#include <cstdint>
#include <cstdio>
#include <cstring>
#include <functional>

#include "effconv.h"
#include "test.h"

namespace {

using namespace effconv::test;

/// The signal that ended a child which does this with memory guarded; 0 if none did.
int signalOf(const std::function<void()>& body) {
    std::fflush(nullptr);
    const pid_t child = fork();
    if (child == 0) {
        std::freopen("/dev/null", "w", stderr);
        if (ec_guard_memory() != EC_OK) _exit(1);
        body();
        _exit(0);
    }
    int status = 0;
    EC_CHECK(waitpid(child, &status, 0) == child);
    EC_CHECK(!WIFEXITED(status) || WEXITSTATUS(status) == 0);
    return WIFSIGNALED(status) ? WTERMSIG(status) : 0;
}

int touching(std::int64_t bytes, std::int64_t at, bool write) {
    return signalOf([=] {
        auto* block = static_cast<volatile unsigned char*>(ec_allocate(bytes));
        volatile unsigned char value = 7;
        if (write) {
            block[at] = value;
        } else {
            value = block[at];
        }
        ec_free(const_cast<unsigned char*>(block), bytes);
    });
}

EC_TEST(a_block_may_be_used_whole) {
    for (const std::int64_t bytes : {1, 63, 64, 100, 4096, 4097, 70000}) {
        EC_CHECK(touching(bytes, 0, true) == 0);
        EC_CHECK(touching(bytes, bytes - 1, true) == 0);
    }
    EC_CHECK(signalOf([] { ec_free(ec_allocate(0), 0); }) == 0);
}

EC_TEST(what_lies_beside_it_may_not) {
    for (const std::int64_t bytes : {1, 63, 64, 100, 4096, 4097, 70000}) {
        const std::int64_t rounded = (bytes + 63) / 64 * 64;
        EC_CHECK(touching(bytes, rounded, false) == SIGSEGV);
        EC_CHECK(touching(bytes, rounded + 1000, true) == SIGSEGV);
        const int before = touching(bytes, -1, true);
        EC_CHECK(before == SIGABRT || before == SIGSEGV);
        if (bytes < rounded) EC_CHECK(touching(bytes, bytes, true) == SIGABRT);
    }
    EC_CHECK(signalOf([] {
                 auto* block = static_cast<volatile float*>(ec_allocate(64));
                 ec_free(const_cast<float*>(block), 64);
                 block[0] = 1.0f;  // given back
             }) == SIGSEGV);
}

EC_TEST(it_holds_no_numbers) {
    EC_CHECK(signalOf([] {
                 auto* block = static_cast<float*>(ec_allocate(40));
                 for (int i = 0; i < 10; ++i)
                     if (!std::isnan(block[i])) std::abort();
                 ec_free(block, 40);
             }) == 0);
}

EC_TEST(it_is_chosen_before_the_first_block) {
    EC_CHECK(signalOf([] {}) == 0);
    void* block = ec_allocate(8);
    EC_CHECK(ec_guard_memory() == EC_INVALID_ARGUMENT);
    EC_CHECK(std::strstr(ec_last_error(), "8 bytes") != nullptr);
    ec_free(block, 8);
}

}  // namespace
