#include "tile_product.h"

namespace effconv_cpu {
namespace {

template <typename Real, int kBytes>
struct Vector {
    typedef Real Type __attribute__((vector_size(kBytes), aligned(alignof(Real))));
};

/// Six rows by two vectors: twelve sums, which with two operands and a factor fit sixteen registers of kBytes each.
template <int kBytes, typename Real>
inline __attribute__((always_inline)) void product(std::int64_t rows, std::int64_t columns, std::int64_t depth,
                                                   const Real* left, std::int64_t leftStride, const Real* right,
                                                   std::int64_t rightStride, Real* out, std::int64_t outStride) {
    using Lane = typename Vector<Real, kBytes>::Type;
    constexpr int width = kBytes / static_cast<int>(sizeof(Real));
    static_assert(kTileColumns<Real> % (2 * width) == 0);
    for (std::int64_t n = 0; n < columns; n += 2 * width) {
        for (std::int64_t m = 0; m < rows; m += kTileRows) {
            Lane sum[kTileRows][2] = {};
            for (std::int64_t k = 0; k < depth; ++k) {
                const Lane low = *reinterpret_cast<const Lane*>(right + k * rightStride + n);
                const Lane high = *reinterpret_cast<const Lane*>(right + k * rightStride + n + width);
                for (int j = 0; j < kTileRows; ++j) {
                    const Real factor = left[(m + j) * leftStride + k];
                    sum[j][0] += factor * low;
                    sum[j][1] += factor * high;
                }
            }
            for (int j = 0; j < kTileRows; ++j) {
                *reinterpret_cast<Lane*>(out + (m + j) * outStride + n) = sum[j][0];
                *reinterpret_cast<Lane*>(out + (m + j) * outStride + n + width) = sum[j][1];
            }
        }
    }
}

// One build for every x86-64 machine: versions of one function, of which the loader chooses the best for the processor.
// Each has vectors of the width of its registers: wider ones would be kept in memory, sums and all.
#define EC_TILE_VERSION(architecture, bytes, Real)                                                              \
    __attribute__((target(architecture))) void versioned(                                                       \
        std::int64_t rows, std::int64_t columns, std::int64_t depth, const Real* left, std::int64_t leftStride, \
        const Real* right, std::int64_t rightStride, Real* out, std::int64_t outStride) {                       \
        product<bytes>(rows, columns, depth, left, leftStride, right, rightStride, out, outStride);             \
    }
EC_TILE_VERSION("default", 16, float)
EC_TILE_VERSION("default", 16, double)
EC_TILE_VERSION("arch=x86-64-v3", 32, float)
EC_TILE_VERSION("arch=x86-64-v3", 32, double)
EC_TILE_VERSION("arch=x86-64-v4", 64, float)
EC_TILE_VERSION("arch=x86-64-v4", 64, double)

}  // namespace

void tileProduct(std::int64_t rows, std::int64_t columns, std::int64_t depth, const float* left,
                 std::int64_t leftStride, const float* right, std::int64_t rightStride, float* out,
                 std::int64_t outStride) {
    versioned(rows, columns, depth, left, leftStride, right, rightStride, out, outStride);
}

void tileProduct(std::int64_t rows, std::int64_t columns, std::int64_t depth, const double* left,
                 std::int64_t leftStride, const double* right, std::int64_t rightStride, double* out,
                 std::int64_t outStride) {
    versioned(rows, columns, depth, left, leftStride, right, rightStride, out, outStride);
}

}  // namespace effconv_cpu
