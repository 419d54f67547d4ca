// The PTX wrappers for nvcc. Targets before sm_80 have neither cp.async nor bf16 mma: there the copy is synchronous and
// the product is formed with shuffles and FFMA, so every kernel runs there too, slowly.
#pragma once

#include <cuda_runtime.h>

#include "effconv/types.h"

#define EC_DYN_SHARED(type, name)                                 \
    extern __shared__ __align__(128) unsigned char ecDynShared[]; \
    type* name = reinterpret_cast<type*>(ecDynShared)

namespace effconv {

__device__ __forceinline__ std::uint32_t sharedAddress(const void* pointer) {
    return static_cast<std::uint32_t>(__cvta_generic_to_shared(pointer));
}

__device__ __forceinline__ void cpAsync16(void* shared, const void* global, int sourceBytes = 16) {
#if __CUDA_ARCH__ >= 800
    asm volatile("cp.async.cg.shared.global [%0], [%1], 16, %2;\n" ::"r"(sharedAddress(shared)), "l"(global),
                 "r"(sourceBytes)
                 : "memory");
#else
    uint4 value = make_uint4(0, 0, 0, 0);
    if (sourceBytes == 16) {
        value = *static_cast<const uint4*>(global);
    } else {
        for (int i = 0; i < sourceBytes; ++i) {
            reinterpret_cast<unsigned char*>(&value)[i] = static_cast<const unsigned char*>(global)[i];
        }
    }
    *static_cast<uint4*>(shared) = value;
#endif
}
__device__ __forceinline__ void cpAsync4(void* shared, const void* global, int sourceBytes = 4) {
#if __CUDA_ARCH__ >= 800
    asm volatile("cp.async.ca.shared.global [%0], [%1], 4, %2;\n" ::"r"(sharedAddress(shared)), "l"(global),
                 "r"(sourceBytes)
                 : "memory");
#else
    // Only whole words or nothing are copied by the kernels.
    *static_cast<std::uint32_t*>(shared) = sourceBytes == 4 ? *static_cast<const std::uint32_t*>(global) : 0u;
#endif
}
__device__ __forceinline__ void cpAsyncCommit() {
#if __CUDA_ARCH__ >= 800
    asm volatile("cp.async.commit_group;\n" ::: "memory");
#endif
}
template <int kGroupsLeft>
__device__ __forceinline__ void cpAsyncWait() {
#if __CUDA_ARCH__ >= 800
    asm volatile("cp.async.wait_group %0;\n" ::"n"(kGroupsLeft) : "memory");
#endif
}

__device__ __forceinline__ void ldmatrixX2(std::uint32_t (&r)[2], const void* row) {
    asm volatile("ldmatrix.sync.aligned.m8n8.x2.shared.b16 {%0, %1}, [%2];\n"
                 : "=r"(r[0]), "=r"(r[1])
                 : "r"(sharedAddress(row))
                 : "memory");
}
__device__ __forceinline__ void ldmatrixX2Trans(std::uint32_t (&r)[2], const void* row) {
    asm volatile("ldmatrix.sync.aligned.m8n8.x2.trans.shared.b16 {%0, %1}, [%2];\n"
                 : "=r"(r[0]), "=r"(r[1])
                 : "r"(sharedAddress(row))
                 : "memory");
}
__device__ __forceinline__ void ldmatrixX4(std::uint32_t (&r)[4], const void* row) {
    asm volatile("ldmatrix.sync.aligned.m8n8.x4.shared.b16 {%0, %1, %2, %3}, [%4];\n"
                 : "=r"(r[0]), "=r"(r[1]), "=r"(r[2]), "=r"(r[3])
                 : "r"(sharedAddress(row))
                 : "memory");
}
__device__ __forceinline__ void ldmatrixX4Trans(std::uint32_t (&r)[4], const void* row) {
    asm volatile("ldmatrix.sync.aligned.m8n8.x4.trans.shared.b16 {%0, %1, %2, %3}, [%4];\n"
                 : "=r"(r[0]), "=r"(r[1]), "=r"(r[2]), "=r"(r[3])
                 : "r"(sharedAddress(row))
                 : "memory");
}

__device__ __forceinline__ void mmaBf16(float (&d)[4], const std::uint32_t (&a)[4], const std::uint32_t (&b)[2]) {
#if __CUDA_ARCH__ >= 800
    asm volatile(
        "mma.sync.aligned.m16n8k16.row.col.f32.bf16.bf16.f32 {%0, %1, %2, %3}, {%4, %5, %6, %7}, {%8, %9}, "
        "{%0, %1, %2, %3};\n"
        : "+f"(d[0]), "+f"(d[1]), "+f"(d[2]), "+f"(d[3])
        : "r"(a[0]), "r"(a[1]), "r"(a[2]), "r"(a[3]), "r"(b[0]), "r"(b[1]));
#else
    const int lane = threadIdx.x & 31;
    const int group = lane >> 2;
    const int column = (lane & 3) * 2;
    // k = 8 half + 2 quad, + 1; the inner loop stays rolled, for registers are scarce around this call.
#pragma unroll
    for (int half = 0; half < 2; ++half)
#pragma unroll 1
        for (int quad = 0; quad < 4; ++quad) {
            const std::uint32_t top = __shfl_sync(0xffffffffu, a[2 * half], group * 4 + quad);
            const std::uint32_t bottom = __shfl_sync(0xffffffffu, a[2 * half + 1], group * 4 + quad);
            const std::uint32_t left = __shfl_sync(0xffffffffu, b[half], column * 4 + quad);
            const std::uint32_t right = __shfl_sync(0xffffffffu, b[half], (column + 1) * 4 + quad);
            const float topLow = __uint_as_float(top << 16), topHigh = __uint_as_float(top & 0xffff0000u);
            const float bottomLow = __uint_as_float(bottom << 16), bottomHigh = __uint_as_float(bottom & 0xffff0000u);
            const float leftLow = __uint_as_float(left << 16), leftHigh = __uint_as_float(left & 0xffff0000u);
            const float rightLow = __uint_as_float(right << 16), rightHigh = __uint_as_float(right & 0xffff0000u);
            d[0] += topLow * leftLow + topHigh * leftHigh;
            d[1] += topLow * rightLow + topHigh * rightHigh;
            d[2] += bottomLow * leftLow + bottomHigh * leftHigh;
            d[3] += bottomLow * rightLow + bottomHigh * rightHigh;
        }
#endif
}

/// The same value, of which the compiler knows nothing: what is computed from it is not kept in registers across a
/// loop.
__device__ __forceinline__ int opaque(int value) {
    asm volatile("" : "+r"(value));
    return value;
}

__device__ __forceinline__ std::uint32_t packBf16(float low, float high) {
#if __CUDA_ARCH__ >= 800
    std::uint32_t packed;
    asm("cvt.rn.bf16x2.f32 %0, %1, %2;\n" : "=r"(packed) : "f"(high), "f"(low));
    return packed;
#else
    return static_cast<std::uint32_t>(bf16FromFloat(low)) | static_cast<std::uint32_t>(bf16FromFloat(high)) << 16;
#endif
}

}  // namespace effconv
