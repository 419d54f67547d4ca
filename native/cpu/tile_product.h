// The small matrix product that weight synthesis is made of.
#pragma once

#include <cstdint>

namespace effconv_cpu {

/// Rows are computed six at a time and columns in strips of 128 bytes: operands are padded to these.
constexpr int kTileRows = 6;
template <typename Real>
constexpr int kTileColumns = 128 / static_cast<int>(sizeof(Real));

inline std::int64_t roundUp(std::int64_t value, std::int64_t multiple) {
    return (value + multiple - 1) / multiple * multiple;
}

/// out[m][n] = sum_k left[m][k] right[k][n], summed over ascending k. rows is a multiple of kTileRows, columns one of
/// kTileColumns; strides are in elements.
void tileProduct(std::int64_t rows, std::int64_t columns, std::int64_t depth, const float* left,
                 std::int64_t leftStride, const float* right, std::int64_t rightStride, float* out,
                 std::int64_t outStride);
void tileProduct(std::int64_t rows, std::int64_t columns, std::int64_t depth, const double* left,
                 std::int64_t leftStride, const double* right, std::int64_t rightStride, double* out,
                 std::int64_t outStride);

}  // namespace effconv_cpu
