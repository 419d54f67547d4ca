// Batch augmentation: uint8 images gathered by number from a dataset on the device, cropped, flipped, normalised, one
// launch.
//
//   ec_augment_*   y[n,h,w,c] = (u(h + dy, w' + dx) / 255 - mean[c]) / deviation[c]; outside the image 0, the mean's
//   value
//
// The draw (dy, dx, flip) is given per image or comes from the counter-based generator under (seed, epoch, image
// number). A thread forms 4 neighbouring elements of one image and stores them in one access where the image's size
// allows.
//
// Floor: memory, a byte read and 2 or 4 written per element: N 512, 32x32x3 to bf16 on an H200 (4.3 TB/s): 1.1 us, so
// the launch is what it costs. Measured: not yet on a card.

#include "effconv/kernel_table.h"
#include "effconv/kernels/augment.h"
#include "element.cuh"

namespace effconv {
namespace {

__device__ __forceinline__ void storeFour(float* target, const float (&value)[kAugmentPerThread]) {
    *reinterpret_cast<float4*>(target) = make_float4(value[0], value[1], value[2], value[3]);
}
__device__ __forceinline__ void storeFour(std::uint16_t* target, const float (&value)[kAugmentPerThread]) {
    *reinterpret_cast<uint2*>(target) = make_uint2(packBf16(value[0], value[1]), packBf16(value[2], value[3]));
}

template <typename T>
__device__ __forceinline__ void augment(const AugmentParams& p) {
    const int elements = p.height * p.width * p.channels;
    const int blocksPerImage =
        (elements + kAugmentThreads * kAugmentPerThread - 1) / (kAugmentThreads * kAugmentPerThread);
    const int number = static_cast<int>(blockIdx.x) / blocksPerImage;
    const int first =
        (static_cast<int>(blockIdx.x) % blocksPerImage * kAugmentThreads + static_cast<int>(threadIdx.x)) *
        kAugmentPerThread;
    if (first >= elements) return;
    const std::int64_t index = p.indices == nullptr ? number : p.indices[number];
    const bool known = index >= 0 && index < p.datasetCount;
    const AugmentDraw draw = p.draws != nullptr
                                 ? p.draws[number]
                                 : augmentDraw(p.seed, p.epoch, static_cast<std::uint64_t>(index), p.pad, p.flips != 0);
    const std::uint8_t* image = p.dataset + (known ? index : 0) * elements;

    const int pixel = first / p.channels;
    int channel = first - pixel * p.channels;
    int row = pixel / p.width;
    int column = pixel - row * p.width;
    const int count = min(kAugmentPerThread, elements - first);
    float value[kAugmentPerThread];
#pragma unroll
    for (int i = 0; i < kAugmentPerThread; ++i) {
        value[i] = 0.0f;
        if (i >= count) continue;
        const int sourceRow = row + draw.dy;
#ifdef EC_FAULT_wrong_flip
        const int sourceColumn = (draw.flip ? p.width - column : column) + draw.dx;
#else
        const int sourceColumn = (draw.flip ? p.width - 1 - column : column) + draw.dx;
#endif
        if (!known) {
            value[i] = NAN;
        } else if (sourceRow >= 0 && sourceRow < p.height && sourceColumn >= 0 && sourceColumn < p.width) {
            const float level = image[(sourceRow * p.width + sourceColumn) * p.channels + channel];
            value[i] = (level / 255.0f - p.mean[channel]) / p.deviation[channel];
        }
        if (++channel == p.channels) {
            channel = 0;
            if (++column == p.width) {
                column = 0;
                ++row;
            }
        }
    }
    T* target = static_cast<T*>(p.y) + static_cast<std::int64_t>(number) * elements + first;
    if (elements % kAugmentPerThread == 0) {
        storeFour(target, value);
        return;
    }
#pragma unroll
    for (int i = 0; i < kAugmentPerThread; ++i) {
        if (i < count) target[i] = fromFloat<T>(value[i]);
    }
}

}  // namespace

extern "C" __global__ void __launch_bounds__(kAugmentThreads) ec_augment_f32(const AugmentParams p) {
    augment<float>(p);
}
extern "C" __global__ void __launch_bounds__(kAugmentThreads) ec_augment_bf16(const AugmentParams p) {
    augment<std::uint16_t>(p);
}

EC_KERNEL_TABLE(augment)

}  // namespace effconv
