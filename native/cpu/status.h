// How every entry of the C ABI turns a failure into a status and one sentence.
#pragma once

#include <exception>
#include <new>
#include <stdexcept>

#include "effconv.h"
#include "error.h"

namespace effconv_cpu {

inline void require(bool condition, const char* message) {
    if (!condition) throw std::invalid_argument(message);
}

template <typename Body>
int32_t guarded(Body body) {
    try {
        body();
        return EC_OK;
    } catch (const std::invalid_argument& e) {
        return ec_fail(EC_INVALID_ARGUMENT, "%s", e.what());
    } catch (const std::bad_alloc&) {
        return ec_fail(EC_OUT_OF_MEMORY, "out of memory");
    } catch (const std::exception& e) {
        return ec_fail(EC_INTERNAL, "%s", e.what());
    }
}

}  // namespace effconv_cpu
