// Included by every .cu file: enters the family's kernels into the registry.
//
// A family lists its kernels once, in its header:
//     #define EC_KERNELS_my_family(X) X(ec_my_kernel, MyParams) X(ec_my_other_kernel, MyParams)
// and ends its .cu file, inside namespace effconv, with EC_KERNEL_TABLE(my_family).
#pragma once

#include "effconv/device.h"
#include "effconv/kernel_registry.h"

namespace effconv {

#if defined(__CUDACC__)

template <typename Parameters>
Result launchTyped(void (*kernel)(Parameters), const char* name, const LaunchPlan& shape, const void* parameters,
                   void* stream) {
    if (shape.sharedBytes > 48 * 1024) {
        const cudaError_t error =
            cudaFuncSetAttribute(reinterpret_cast<const void*>(kernel), cudaFuncAttributeMaxDynamicSharedMemorySize,
                                 static_cast<int>(shape.sharedBytes));
        if (error != cudaSuccess) {
            return Result::fail(Status::kResourceLimit, "%s: %lld bytes of shared memory: %s", name,
                                static_cast<long long>(shape.sharedBytes), cudaGetErrorString(error));
        }
    }
    kernel<<<dim3(static_cast<unsigned>(shape.blocks)), dim3(static_cast<unsigned>(shape.threads)),
             static_cast<std::size_t>(shape.sharedBytes), static_cast<cudaStream_t>(stream)>>>(
        *static_cast<const Parameters*>(parameters));
    const cudaError_t error = cudaGetLastError();
    if (error != cudaSuccess) {
        return Result::fail(Status::kDeviceError, "%s: %s", name, cudaGetErrorString(error));
    }
    return {};
}

#else

template <typename Parameters, typename Kernel>
Result launchTyped(Kernel kernel, const char*, const LaunchPlan& shape, const void* parameters, void*) {
    const Parameters& typed = *static_cast<const Parameters*>(parameters);
    ::effconv::host::launch(dim3(static_cast<unsigned>(shape.blocks)), dim3(static_cast<unsigned>(shape.threads)),
                            static_cast<std::size_t>(shape.sharedBytes), [&] { kernel(typed); });
    return {};
}

#endif

#define EC_KERNEL_TABLE_ROW(kernel, Parameters)                                                                 \
    {#kernel, sizeof(Parameters), [](const LaunchPlan& shape, const void* parameters, void* stream) -> Result { \
         return launchTyped<Parameters>(kernel, #kernel, shape, parameters, stream);                            \
     }},

#define EC_KERNEL_TABLE(family)                                                                 \
    extern const KernelEntry kernelsOf_##family[] = {EC_KERNELS_##family(EC_KERNEL_TABLE_ROW)}; \
    extern const int kernelCountOf_##family = sizeof(kernelsOf_##family) / sizeof(KernelEntry);

}  // namespace effconv
