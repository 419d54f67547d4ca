// What the dense convolution kernels share: the output tile, the halo of one channel chunk in shared memory, and where
// a tap of a pixel lies in it.
#pragma once

#include "effconv/kernels/dense_conv.h"
#include "element.cuh"

namespace effconv {

/// A block's output tile and the part of the input that its taps read. The halo holds only pixels of the image: taps
/// outside it (or between the elements of a dilated input) read a block of zeros instead.
struct DenseTile {
    int firstImage, images;  ///< images that exist
    int y0, x0, yLast, xLast;
    Range tapRows, tapColumns;  ///< taps that touch the image somewhere in the tile
    Range rows, columns;        ///< input pixels in the halo
};

/// The tile with that number; taps may be cut to those a block works on.
__device__ __forceinline__ DenseTile denseTile(const DenseConvParams& p, const TapWalk& walk, std::int64_t tile,
                                               Range tapRows) {
    const int tilesX = ceilDivide(walk.outWidth, 1 << p.widthShift);
    const int tilesY = ceilDivide(walk.outHeight, 1 << p.heightShift);
    DenseTile t;
    const std::int64_t row = tile / tilesX;
    t.x0 = static_cast<int>(tile - row * tilesX) << p.widthShift;
    const std::int64_t imageGroup = row / tilesY;
    t.y0 = static_cast<int>(row - imageGroup * tilesY) << p.heightShift;
    t.firstImage = static_cast<int>(imageGroup) * p.tileImages;
    t.images = min(p.tileImages, p.shape.batch - t.firstImage);
    t.yLast = min(t.y0 + (1 << p.heightShift), walk.outHeight) - 1;
    t.xLast = min(t.x0 + (1 << p.widthShift), walk.outWidth) - 1;
    const Range insideRows = insideTaps(t.y0, t.yLast, walk.stride, walk.padding, p.shape.kernel, walk.extentY);
    t.tapRows.low = max(insideRows.low, tapRows.low);
    t.tapRows.high = max(t.tapRows.low, min(insideRows.high, tapRows.high));
    t.tapColumns = insideTaps(t.x0, t.xLast, walk.stride, walk.padding, p.shape.kernel, walk.extentX);
    t.rows = insideInputs(t.y0, t.yLast, walk.stride, walk.padding, t.tapRows, walk.extentY, walk.dilation);
    t.columns = insideInputs(t.x0, t.xLast, walk.stride, walk.padding, t.tapColumns, walk.extentX, walk.dilation);
    return t;
}

/// Starts copying channels [firstChannel, firstChannel + chunk) of images x rows x columns to shared
/// [image][row][column][pitch]; channels from channelEnd on are zero.
template <typename T>
__device__ __forceinline__ void copyPixels(T* shared, int pitch, int chunk, const T* tensor, std::int64_t imageStride,
                                           std::int64_t rowStride, std::int64_t pixelStride, int firstImage, int images,
                                           Range rows, Range columns, int firstChannel, int channelEnd) {
    constexpr int kVector = 16 / static_cast<int>(sizeof(T));
    const bool vectors =
        (imageStride | rowStride | pixelStride | firstChannel | channelEnd) % kVector == 0 && chunk % kVector == 0;
    const int step = vectors ? kVector : 1;
    const int perPixel = chunk / step;
    const int columnCount = columns.high - columns.low;
    const int rowCount = rows.high - rows.low;
    const int total = images * rowCount * columnCount * perPixel;
    for (int i = static_cast<int>(threadIdx.x); i < total; i += static_cast<int>(blockDim.x)) {
        const int pixel = i / perPixel;
        const int channel = (i - pixel * perPixel) * step;
        const int line = pixel / columnCount;
        const int column = pixel - line * columnCount;
        const int image = line / rowCount;
        const int row = line - image * rowCount;
        const bool inside = firstChannel + channel < channelEnd;
        T* target = shared + pixel * pitch + channel;
        const T* source = tensor;
        if (inside) {
            source += (firstImage + image) * imageStride + (rows.low + row) * rowStride +
                      (columns.low + column) * pixelStride + firstChannel + channel;
        }
        if (vectors) {
            cpAsync16(target, source, inside ? 16 : 0);
        } else {
            *target = inside ? *source : fromFloat<T>(0.0f);
        }
    }
}

/// One output pixel of the tile, ready to be shifted by taps.
struct PixelBase {
    int inputY, inputX;  ///< (dilated) input coordinate of tap (0, 0)
    int imageOffset;     ///< pixels of the halo before this pixel's image; negative: the pixel does not exist
};

__device__ __forceinline__ PixelBase pixelBase(const DenseConvParams& p, const TapWalk& walk, const DenseTile& tile,
                                               int pixel) {
    const int x = tile.x0 + (pixel & ((1 << p.widthShift) - 1));
    const int y = tile.y0 + ((pixel >> p.widthShift) & ((1 << p.heightShift) - 1));
    const int image = pixel >> (p.widthShift + p.heightShift);
    PixelBase base;
    base.inputY = y * walk.stride - walk.padding;
    base.inputX = x * walk.stride - walk.padding;
    const bool exists = x <= tile.xLast && y <= tile.yLast && image < tile.images;
    base.imageOffset = exists ? image * (tile.rows.high - tile.rows.low) * (tile.columns.high - tile.columns.low) : -1;
    return base;
}

/// Index of the halo pixel that tap (r, s) of the output pixel reads, or -1 when that is a zero.
__device__ __forceinline__ int haloPixel(const DenseTile& tile, int dilation, const PixelBase& base, int r, int s) {
    const int uy = base.inputY + r;
    const int ux = base.inputX + s;
    const int shift = dilation - 1;  // dilation is 1 or 2
    const int row = (uy >> shift) - tile.rows.low;
    const int column = (ux >> shift) - tile.columns.low;
    const int columns = tile.columns.high - tile.columns.low;
    const bool inside = base.imageOffset >= 0 && ((uy | ux) & shift) == 0 &&
                        static_cast<unsigned>(row) < static_cast<unsigned>(tile.rows.high - tile.rows.low) &&
                        static_cast<unsigned>(column) < static_cast<unsigned>(columns);
    return inside ? base.imageOffset + row * columns + column : -1;
}

/// Offset of the pixel in an NHWC tensor; the pixel exists.
__device__ __forceinline__ std::int64_t outputOffset(const DenseConvParams& p, const TapWalk& walk,
                                                     const DenseTile& tile, int pixel) {
    const int x = tile.x0 + (pixel & ((1 << p.widthShift) - 1));
    const int y = tile.y0 + ((pixel >> p.widthShift) & ((1 << p.heightShift) - 1));
    const int image = tile.firstImage + (pixel >> (p.widthShift + p.heightShift));
    return image * walk.outImageStride + y * walk.outRowStride + x * walk.outPixelStride;
}

}  // namespace effconv
