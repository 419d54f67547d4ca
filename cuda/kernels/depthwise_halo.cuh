// The resident halo tile of the depthwise kernels.
#pragma once

#include "effconv/kernels/depthwise_conv.h"
#include "element.cuh"

namespace effconv {

/// Copies rows x columns x channels of an image into shared memory [row][column][channel]. Columns are coordinates of
/// the dilated input from firstColumn on; what lies outside the image, or between its elements, is zero.
template <typename T>
struct HaloCopy {
    const T* image;
    std::int64_t rowStride, pixelStride;
    Range rows;       ///< real rows, all inside
    int firstColumn;  ///< dilated coordinate
    int columns;      ///< to fill
    int pitch;        ///< columns of the shared tile
    int extent, dilation;
    int firstChannel, channels;  ///< of the tensor
    int blockChannels;
};

template <typename T>
__device__ __forceinline__ void copyHalo(T* shared, const HaloCopy<T>& h) {
    constexpr int kVector = 16 / static_cast<int>(sizeof(T));
    const bool vectors = h.channels % kVector == 0 && h.pixelStride % kVector == 0 && h.rowStride % kVector == 0 &&
                         h.blockChannels % kVector == 0 && (reinterpret_cast<std::uintptr_t>(h.image) & 15) == 0;
    const int step = vectors ? kVector : 1;
    const int perPixel = h.blockChannels / step;
    const int perRow = h.columns * perPixel;
    const int total = (h.rows.high - h.rows.low) * perRow;
    for (int i = static_cast<int>(threadIdx.x); i < total; i += static_cast<int>(blockDim.x)) {
        const int row = i / perRow;
        const int inRow = i - row * perRow;
        const int column = inRow / perPixel;
        const int channel = (inRow - column * perPixel) * step;
        const int u = h.firstColumn + column;
        const bool inside = u >= 0 && u < h.extent && u % h.dilation == 0 && h.firstChannel + channel < h.channels;
        T* target = shared + (row * h.pitch + column) * h.blockChannels + channel;
        const T* source = h.image;
        if (inside) {
            source += (h.rows.low + row) * h.rowStride + u / h.dilation * h.pixelStride + h.firstChannel + channel;
        }
        if (vectors) {
            cpAsync16(target, source, inside ? 16 : 0);
        } else {
            *target = inside ? *source : fromFloat<T>(0.0f);
        }
    }
}

}  // namespace effconv
