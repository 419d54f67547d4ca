#include "effconv_host_run.h"

#include <cstdio>
#include <exception>

#include "effconv/kernel_registry.h"
#include "shim.h"

namespace {

std::int32_t refuse(std::int32_t status, const char* text, char* message, std::int32_t messageBytes) {
    if (message != nullptr && messageBytes > 0) {
        std::snprintf(message, static_cast<std::size_t>(messageBytes), "%s", text);
    }
    return status;
}

}  // namespace

extern "C" std::int32_t ec_host_launch(const char* kernel, std::int64_t blocks, std::int32_t threads,
                                       std::int64_t shared_bytes, const void* parameters, std::int64_t parameter_bytes,
                                       char* message, std::int32_t message_bytes) {
    using namespace effconv;
    char text[256];
    const KernelEntry* entry = kernel == nullptr ? nullptr : findKernel(kernel);
    if (entry == nullptr) {
        std::snprintf(text, sizeof text, "no kernel named %s", kernel == nullptr ? "(null)" : kernel);
        return refuse(EC_HOST_UNKNOWN_KERNEL, text, message, message_bytes);
    }
    if (parameters == nullptr || parameter_bytes != static_cast<std::int64_t>(entry->parameterBytes)) {
        std::snprintf(text, sizeof text, "%s takes %zu bytes of parameters, got %lld%s", kernel, entry->parameterBytes,
                      static_cast<long long>(parameter_bytes), parameters == nullptr ? " at address 0" : "");
        return refuse(EC_HOST_BAD_PARAMETERS, text, message, message_bytes);
    }
    // Checked here, for the shim's own numbers are narrower.
    if (blocks < 1 || blocks > 2147483647 || threads < 1 || threads > 1024 || shared_bytes < 0) {
        std::snprintf(text, sizeof text,
                      "%s: launch refused: %lld blocks of %d threads with %lld bytes of shared memory", kernel,
                      static_cast<long long>(blocks), threads, static_cast<long long>(shared_bytes));
        return refuse(EC_HOST_KERNEL_FAULT, text, message, message_bytes);
    }
    try {
        const Result result = entry->launch({blocks, threads, shared_bytes}, parameters, nullptr);
        return result.ok() ? EC_HOST_OK : refuse(EC_HOST_FAILURE, result.message, message, message_bytes);
    } catch (const host::KernelFault& fault) {
        const std::string named = std::string(kernel) + ": " + fault.what();
        return refuse(EC_HOST_KERNEL_FAULT, named.c_str(), message, message_bytes);
    } catch (const std::exception& failure) {
        return refuse(EC_HOST_FAILURE, failure.what(), message, message_bytes);
    } catch (...) {
        return refuse(EC_HOST_FAILURE, "unknown failure", message, message_bytes);
    }
}

extern "C" std::int32_t ec_host_thread_order(std::int32_t order, std::int64_t seed) {
    using effconv::host::ThreadOrder;
    if (order < 0 || order > 2) return EC_HOST_BAD_PARAMETERS;
    effconv::host::setThreadOrder(static_cast<ThreadOrder>(order), static_cast<std::uint64_t>(seed));
    return EC_HOST_OK;
}
