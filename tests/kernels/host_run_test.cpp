// The C interface to the kernels on the host: results, and what each kind of bad call says.
#include <cmath>
#include <string>
#include <thread>
#include <vector>

#include "effconv/kernels/channel_sums.h"
#include "effconv/kernels/elementwise.h"
#include "effconv_host_run.h"
#include "test.h"

using namespace effconv;
using namespace effconv::test;

namespace {

struct alignas(16) Aligned {
    float value[1000];
};

template <typename Params>
std::int32_t launch(const KernelLaunch& launch, const Params& params, std::string* message = nullptr) {
    char text[300] = "";
    const std::int32_t status = ec_host_launch(launch.kernel, launch.shape.blocks, launch.shape.threads,
                                               launch.shape.sharedBytes, &params, sizeof params, text, sizeof text);
    if (message != nullptr) *message = text;
    return status;
}

/// Fills 1000 floats through the C interface.
bool fills(float value) {
    Aligned data;
    for (float& element : data.value) element = NAN;
    ElementwiseParams p;
    p.y = data.value;
    p.count = 1000;
    p.value = value;
    const LaunchSequence sequence = planElementwise(p, ElementwiseOperation::kFill, DeviceLimits());
    if (!sequence.result.ok() || launch(sequence.launches[0], p) != EC_HOST_OK) return false;
    for (const float element : data.value) {
        if (element != value) return false;
    }
    return true;
}

}  // namespace

EC_TEST(host_run_computes) {
    for (int order = 0; order < 3; ++order) {
        EC_CHECK(ec_host_thread_order(order, 7) == EC_HOST_OK);
        EC_CHECK(fills(1.5f));
    }
    EC_CHECK(ec_host_thread_order(3, 7) == EC_HOST_BAD_PARAMETERS);
    EC_CHECK(ec_host_thread_order(0, 0) == EC_HOST_OK);
}

EC_TEST(host_run_serves_several_threads) {
    bool first = false, second = false;
    std::thread other([&] {
        for (int i = 0; i < 20; ++i) second = fills(static_cast<float>(i));
    });
    for (int i = 0; i < 20; ++i) first = fills(static_cast<float>(-i));
    other.join();
    EC_CHECK(first && second);
}

EC_TEST(host_run_says_what_is_wrong) {
    ElementwiseParams p;
    char message[300];
    EC_CHECK(ec_host_launch("ec_unheard_of", 1, 32, 0, &p, sizeof p, message, sizeof message) ==
             EC_HOST_UNKNOWN_KERNEL);
    EC_CHECK(std::string(message) == "no kernel named ec_unheard_of");
    EC_CHECK(ec_host_launch(nullptr, 1, 32, 0, &p, sizeof p, nullptr, 0) == EC_HOST_UNKNOWN_KERNEL);
    EC_CHECK(ec_host_launch("ec_fill", 1, 256, 0, &p, 12, message, sizeof message) == EC_HOST_BAD_PARAMETERS);
    EC_CHECK(std::string(message).find("ec_fill takes") == 0 &&
             std::string(message).find("got 12") != std::string::npos);
    EC_CHECK(ec_host_launch("ec_fill", 1, 256, 0, nullptr, sizeof p, message, sizeof message) ==
             EC_HOST_BAD_PARAMETERS);
    EC_CHECK(ec_host_launch("ec_fill", 0, 256, 0, &p, sizeof p, message, sizeof message) == EC_HOST_KERNEL_FAULT);
    EC_CHECK(std::string(message).find("launch refused: 0 blocks") != std::string::npos);
    EC_CHECK(ec_host_launch("ec_fill", 1, 1025, 0, &p, sizeof p, message, sizeof message) == EC_HOST_KERNEL_FAULT);
    EC_CHECK(ec_host_launch("ec_fill", 1, 256, 1 << 20, &p, sizeof p, message, sizeof message) == EC_HOST_KERNEL_FAULT);
    EC_CHECK(std::string(message).find("1048576 bytes of shared memory") != std::string::npos);
    EC_CHECK(ec_host_launch("ec_unheard_of", 1, 32, 0, &p, sizeof p, message, 8) == EC_HOST_UNKNOWN_KERNEL);
    EC_CHECK(std::string(message) == "no kern");
}
