// How every entry of the C ABI turns a failure into a status and one sentence.
#pragma once

#include <exception>
#include <new>
#include <stdexcept>

#include "effconv.h"

namespace effconv_cpu {

/// Keeps the sentence for ec_last_error on this thread.
void setLastError(const char* message);

inline void require(bool condition, const char* message) {
    if (!condition) throw std::invalid_argument(message);
}

template <typename Body>
int32_t guarded(Body body) {
    try {
        body();
        return EC_OK;
    } catch (const std::invalid_argument& e) {
        setLastError(e.what());
        return EC_INVALID_ARGUMENT;
    } catch (const std::bad_alloc&) {
        setLastError("out of memory");
        return EC_OUT_OF_MEMORY;
    } catch (const std::exception& e) {
        setLastError(e.what());
        return EC_INTERNAL;
    }
}

}  // namespace effconv_cpu
