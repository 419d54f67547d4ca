#include <cstdio>
#include <fstream>
#include <map>
#include <sstream>

#include "device.h"

namespace effconv::test {

namespace {

/// Dynamic shared memory each kernel may ask for, from the limit file.
const std::map<std::string, long>& sharedLimits() {
    static const std::map<std::string, long> limits = [] {
        std::map<std::string, long> read;
        std::ifstream file(EC_KERNEL_LIMITS_FILE);
        std::string line;
        while (std::getline(file, line)) {
            std::istringstream fields(line.substr(0, line.find('#')));
            std::string kernel;
            long registers = 0, shared = 0;
            if (fields >> kernel >> registers >> shared) read[kernel] = shared;
        }
        return read;
    }();
    return limits;
}

}  // namespace

void launchKernel(const char* kernel, const LaunchPlan& shape, const void* parameters, std::size_t parameterBytes) {
    const KernelEntry* entry = findKernel(kernel);
    if (entry == nullptr) throw Failure(text("no kernel named %s is linked", kernel));
    if (entry->parameterBytes != parameterBytes) {
        throw Failure(text("%s takes %zu bytes of parameters, got %zu", kernel, entry->parameterBytes, parameterBytes));
    }
    const auto limit = sharedLimits().find(kernel);
    if (limit == sharedLimits().end() || limit->second < shape.sharedBytes) {
        throw Failure(text("%s asks for %lld bytes of shared memory, more than its entry in the limit file", kernel,
                           static_cast<long long>(shape.sharedBytes)));
    }
    const Result result = entry->launch(shape, parameters, nullptr);
    if (!result.ok()) throw Failure(result.message);
    synchronize();
}

void checkRefused(const Result& result, Status status, const std::string& expectedText) {
    if (result.status != status || std::string(result.message).find(expectedText) == std::string::npos) {
        throw Failure(text("status %d, \"%s\"; expected status %d and \"%s\"", static_cast<int>(result.status),
                           result.message, static_cast<int>(status), expectedText.c_str()));
    }
}

}  // namespace effconv::test
