#include <stdexcept>

#include "measure.h"

namespace effconv::bench {

std::unique_ptr<Device> openBenchDevice(bool, int) {
    throw std::runtime_error(
        "this benchmark was built without CUDA and can only print --floors; configure with "
        "-DEFFCONV_BUILD_GPU_TESTS=ON on a "
        "machine with nvcc and an NVIDIA GPU");
}

}  // namespace effconv::bench
