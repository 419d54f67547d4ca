// How the operations refuse: a status for the caller and one sentence for people.
#pragma once

#include "effconv.h"

/// Keeps the printf-formatted sentence for ec_last_error() on this thread and returns `status`.
__attribute__((format(printf, 2, 3))) ec_status ec_fail(ec_status status, const char* format, ...);
