// Weight gradient of dense convolutions on the matrix unit of a processor with AMX.
//
// dw[k, r, s, c] = sum over n, h, w of dy[n, h, w, k] x[n, h stride + r - pad, w stride + s - pad, c] is, for one
// kernel row r, a product of a (size * c) x n and an n x k matrix per output pixel: with the images innermost the
// window over s and c is one run of lines. So x is turned to (h, w, c, 32 images), with zero columns around each row,
// and dy to (pixel, 16 image pairs, 16 k, 2); a tile of 16 lines of x then starts at any line, aligned, whatever the
// tap, and no product is spent on rows outside the image. Six accumulators share one tile of dy.
//
// F32 runs on bf16 products as well: a float is exactly the sum of three bf16 values (hi, mid, lo, cut off in turn),
// and of the nine products the three below 2^-22 of the first are left out. That is the accuracy of fp32 sums at about
// a sixth of the bf16 rate.
//
// Only this file is compiled for AMX; it uses nothing that the linker could merge with other files' code.

#include "error.h"

#if defined(__AMX_TILE__) && defined(__AMX_BF16__) && defined(__AVX512BW__)

#include <cpuid.h>
#include <immintrin.h>
#include <omp.h>
#include <string.h>
#include <sys/syscall.h>
#include <unistd.h>

namespace {

constexpr int64_t kImages = 32;             // of a block: one line of a tile
constexpr int64_t kLines = 16;              // of a tile
constexpr int64_t kTile = kLines * kLines;  // floats of an accumulator
constexpr int64_t kTileGroup = 6;           // accumulators at a time; two tile registers are left for operands
constexpr int64_t kPixelsInCache = 128;     // of rows whose turned lines stay in the second-level cache

int64_t smaller(int64_t a, int64_t b) {
    return a < b ? a : b;
}
int64_t larger(int64_t a, int64_t b) {
    return a > b ? a : b;
}
int64_t ratio(int64_t a, int64_t b) {
    return (a + b - 1) / b;
}
int64_t aligned(int64_t bytes) {
    return ratio(bytes, 64) * 64;
}

struct Problem {
    int64_t n, h, w, c, k, size, stride;
    int64_t planes;  // bf16 values per element: 1 or 3
    int64_t pad, outH, outW;
    int64_t rowLines;         // lines of a turned row of x: padding and what the last tile reads beyond it included
    int64_t xLines, dyLines;  // lines of a block, one plane
    int64_t tilesM, tilesN;   // accumulators of one kernel row: over s and c, over k

    int64_t xBytes() const { return planes * xLines * kImages * 2; }
    int64_t dyBytes() const { return planes * dyLines * kImages * 2; }
    int64_t sumBytes() const { return tilesN * size * tilesM * kTile * 4; }
    int64_t biasBytes() const { return aligned(k * 8); }
    int64_t bytesOfThread() const { return xBytes() + dyBytes() + sumBytes() + biasBytes(); }
    int64_t blocks() const { return ratio(n, kImages); }
};

Problem problem(bool f32, int64_t n, int64_t h, int64_t w, int64_t c, int64_t k, int64_t size, int64_t stride) {
    Problem p{};
    p.n = n, p.h = h, p.w = w, p.c = c, p.k = k, p.size = size, p.stride = stride;
    p.planes = f32 ? 3 : 1;
    p.pad = size / 2;
    p.outH = (h - 1) / stride + 1, p.outW = (w - 1) / stride + 1;
    p.rowLines = (w + 2 * p.pad) * c + kLines;
    p.tilesM = ratio(size * c, kLines), p.tilesN = ratio(k, kLines);
    p.xLines = h * p.rowLines;
    p.dyLines = p.tilesN * p.outH * p.outW * kLines;
    return p;
}

int threadsFor(const Problem& p, int threads) {
    return static_cast<int>(smaller(threads, p.blocks()));
}

// ---- turning --------------------------------------------------------------------------------------------------------

/// Sixteen values of one image as the upper halves of 32-bit lanes, plane by plane; null gives zeros.
struct Values {
    __m512i bits;

    Values(const uint16_t* from, __mmask16 lanes)
        : bits(_mm512_slli_epi32(
              _mm512_cvtepu16_epi32(from ? _mm256_maskz_loadu_epi16(lanes, from) : _mm256_setzero_si256()), 16)) {}
    Values(const float* from, __mmask16 lanes)
        : bits(from ? _mm512_castps_si512(_mm512_maskz_loadu_ps(lanes, from)) : _mm512_setzero_si512()) {}

    /// The leading bf16 value, cut off; what is left comes next.
    __m512i next() {
        const __m512i head = _mm512_and_si512(bits, _mm512_set1_epi32(static_cast<int>(0xffff0000u)));
        bits = _mm512_castps_si512(_mm512_sub_ps(_mm512_castsi512_ps(bits), _mm512_castsi512_ps(head)));
        return head;
    }
};

/// Sixteen elements of image pairs 0..15, as pairs[plane][pair]: lane = element, halves = even and odd image.
template <typename T, int kPlanes>
void loadPairs(const T* from, int64_t imageStride, int64_t images, __mmask16 lanes, __m512i (*pairs)[kLines]) {
    for (int64_t j = 0; j < kLines; ++j) {
        Values even(2 * j < images ? from + 2 * j * imageStride : static_cast<const T*>(nullptr), lanes);
        Values odd(2 * j + 1 < images ? from + (2 * j + 1) * imageStride : static_cast<const T*>(nullptr), lanes);
        for (int plane = 0; plane < kPlanes; ++plane) {
            const __m512i first = even.next();
            pairs[plane][j] = _mm512_or_si512(_mm512_srli_epi32(first, 16), odd.next());
        }
    }
}

/// Transposes 16 x 16 32-bit values.
void transpose(__m512i r[16]) {
    __m512i t[16];
    for (int i = 0; i < 8; ++i) {
        t[2 * i] = _mm512_unpacklo_epi32(r[2 * i], r[2 * i + 1]);
        t[2 * i + 1] = _mm512_unpackhi_epi32(r[2 * i], r[2 * i + 1]);
    }
    for (int i = 0; i < 4; ++i) {
        r[4 * i] = _mm512_unpacklo_epi64(t[4 * i], t[4 * i + 2]);
        r[4 * i + 1] = _mm512_unpackhi_epi64(t[4 * i], t[4 * i + 2]);
        r[4 * i + 2] = _mm512_unpacklo_epi64(t[4 * i + 1], t[4 * i + 3]);
        r[4 * i + 3] = _mm512_unpackhi_epi64(t[4 * i + 1], t[4 * i + 3]);
    }
    for (int i = 0; i < 4; ++i) {
        t[i] = _mm512_shuffle_i32x4(r[i], r[4 + i], 0x88);
        t[4 + i] = _mm512_shuffle_i32x4(r[i], r[4 + i], 0xdd);
        t[8 + i] = _mm512_shuffle_i32x4(r[8 + i], r[12 + i], 0x88);
        t[12 + i] = _mm512_shuffle_i32x4(r[8 + i], r[12 + i], 0xdd);
    }
    for (int i = 0; i < 4; ++i) {
        r[i] = _mm512_shuffle_i32x4(t[i], t[8 + i], 0x88);
        r[8 + i] = _mm512_shuffle_i32x4(t[i], t[8 + i], 0xdd);
        r[4 + i] = _mm512_shuffle_i32x4(t[4 + i], t[12 + i], 0x88);
        r[12 + i] = _mm512_shuffle_i32x4(t[4 + i], t[12 + i], 0xdd);
    }
}

/// x of a block (images, h, w, c) to (plane, h, pad + w + pad, c, 32 images); images beyond the last are zero.
template <typename T, int kPlanes>
void turnInput(const Problem& p, const T* x, int64_t images, uint16_t* to) {
    const int64_t row = p.w * p.c;
    const int64_t before = p.pad * p.c;
    __m512i pairs[kPlanes][kLines];
    for (int64_t h = 0; h < p.h; ++h) {
        for (int plane = 0; plane < kPlanes; ++plane) {
            uint16_t* lines = to + (plane * p.xLines + h * p.rowLines) * kImages;
            memset(lines, 0, before * kImages * 2);
            memset(lines + (before + row) * kImages, 0, (p.rowLines - before - row) * kImages * 2);
        }
        for (int64_t first = 0; first < row; first += kLines) {
            const int64_t count = smaller(kLines, row - first);
            loadPairs<T, kPlanes>(x + h * row + first, p.h * row, images, static_cast<__mmask16>((1u << count) - 1),
                                  pairs);
            for (int plane = 0; plane < kPlanes; ++plane) {
                transpose(pairs[plane]);
                uint16_t* lines = to + (plane * p.xLines + h * p.rowLines + before + first) * kImages;
                for (int64_t i = 0; i < count; ++i) _mm512_store_si512(lines + i * kImages, pairs[plane][i]);
            }
        }
    }
}

/// dy of a block (images, pixel, k) to (plane, tile of k, pixel, 16 pairs, 16 k, 2); adds its sums to `bias` unless
/// null.
template <typename T, int kPlanes>
void turnGradient(const Problem& p, const T* dy, int64_t images, uint16_t* to, double* bias) {
    const int64_t pixels = p.outH * p.outW;
    __m512i pairs[kPlanes][kLines];
    for (int64_t tile = 0; tile < p.tilesN; ++tile) {
        const int64_t count = smaller(kLines, p.k - tile * kLines);
        const __mmask16 lanes = static_cast<__mmask16>((1u << count) - 1);
        for (int64_t pixel = 0; pixel < pixels; ++pixel) {
            const T* from = dy + pixel * p.k + tile * kLines;
            loadPairs<T, kPlanes>(from, pixels * p.k, images, lanes, pairs);
            for (int plane = 0; plane < kPlanes; ++plane) {
                uint16_t* lines = to + (plane * p.dyLines + (tile * pixels + pixel) * kLines) * kImages;
                for (int64_t j = 0; j < kLines; ++j) _mm512_store_si512(lines + j * kImages, pairs[plane][j]);
            }
            if (bias) {
                __m512 sum = _mm512_setzero_ps();
                for (int64_t image = 0; image < images; ++image) {
                    sum = _mm512_add_ps(sum, _mm512_castsi512_ps(Values(from + image * pixels * p.k, lanes).bits));
                }
                float sums[16];
                _mm512_storeu_ps(sums, sum);
                for (int64_t i = 0; i < count; ++i) bias[tile * kLines + i] += sums[i];
            }
        }
    }
}

// ---- multiplying ----------------------------------------------------------------------------------------------------

struct alignas(64) TileConfiguration {
    uint8_t palette = 1;
    uint8_t startRow = 0;
    uint8_t reserved[14] = {};
    uint16_t rowBytes[16] = {};
    uint8_t rows[16] = {};
};

void configureTiles() {
    TileConfiguration configuration;
    for (int tile = 0; tile < 8; ++tile) {
        configuration.rowBytes[tile] = 64;
        configuration.rows[tile] = kLines;
    }
    _tile_loadconfig(&configuration);
}

/// Adds kTiles accumulators from tile `first` on of kernel row r, over output rows begin..end-1. Tiles that lie in the
/// padding are left out.
template <int kTiles>
void multiply(const Problem& p, const uint16_t* x, const uint16_t* dy, int64_t r, int64_t first, int64_t begin,
              int64_t end, float* sums) {
    const int64_t imageBegin = p.pad * p.c;
    const int64_t imageEnd = (p.pad + p.w) * p.c;
#define EC_TILES(action) action(0) action(1) action(2) action(3) action(4) action(5)
#define EC_LOAD(i) \
    if (kTiles > i) _tile_loadd(i, sums + i * kTile, 64);
#define EC_STORE(i) \
    if (kTiles > i) _tile_stored(i, sums + i * kTile, 64);
#define EC_MULTIPLY(i)                                                                        \
    if (kTiles > i && line + (i + 1) * kLines > imageBegin && line + i * kLines < imageEnd) { \
        _tile_loadd(6, row + (line + i * kLines) * kImages, 64);                              \
        _tile_dpbf16ps(i, 6, 7);                                                              \
    }
    EC_TILES(EC_LOAD)
    for (int64_t h = begin; h < end; ++h) {
        const uint16_t* row = x + (h * p.stride + r - p.pad) * p.rowLines * kImages;
        for (int64_t w = 0; w < p.outW; ++w) {
            const int64_t line = w * p.stride * p.c + first * kLines;
            if (line + kTiles * kLines <= imageBegin || line >= imageEnd) continue;
            _tile_loadd(7, dy + (h * p.outW + w) * kLines * kImages, 64);
            EC_TILES(EC_MULTIPLY)
        }
    }
    EC_TILES(EC_STORE)
#undef EC_TILES
#undef EC_LOAD
#undef EC_STORE
#undef EC_MULTIPLY
}

void multiplyGroup(const Problem& p, const uint16_t* x, const uint16_t* dy, int64_t r, int64_t first, int64_t tiles,
                   int64_t begin, int64_t end, float* sums) {
    switch (tiles) {
        case 1: return multiply<1>(p, x, dy, r, first, begin, end, sums);
        case 2: return multiply<2>(p, x, dy, r, first, begin, end, sums);
        case 3: return multiply<3>(p, x, dy, r, first, begin, end, sums);
        case 4: return multiply<4>(p, x, dy, r, first, begin, end, sums);
        case 5: return multiply<5>(p, x, dy, r, first, begin, end, sums);
        default: return multiply<6>(p, x, dy, r, first, begin, end, sums);
    }
}

/// The kernel row r from output rows begin..end-1, for one tile of k.
void multiplyRow(const Problem& p, const uint16_t* x, const uint16_t* dy, int64_t r, int64_t begin, int64_t end,
                 float* sums) {
    const int64_t groups = ratio(p.tilesM, kTileGroup);
    for (int64_t group = 0; group < groups; ++group) {
        const int64_t first = p.tilesM * group / groups;
        const int64_t tiles = p.tilesM * (group + 1) / groups - first;
        for (int64_t i = p.planes - 1; i >= 0; --i) {  // the smallest products first
            for (int64_t j = p.planes - 1 - i; j >= 0; --j) {
                multiplyGroup(p, x + i * p.xLines * kImages, dy + j * p.dyLines * kImages, r, first, tiles, begin, end,
                              sums + first * kTile);
            }
        }
    }
}

void multiplyBlock(const Problem& p, const uint16_t* x, const uint16_t* dy, float* sums) {
    const int64_t rows = larger(1, kPixelsInCache / (p.outW * p.planes));
    for (int64_t top = 0; top < p.outH; top += rows) {
        for (int64_t tile = 0; tile < p.tilesN; ++tile) {
            for (int64_t r = 0; r < p.size; ++r) {
                // output rows whose input row h stride + r - pad lies in the image
                const int64_t begin = larger(top, ratio(larger(0, p.pad - r), p.stride));
                const int64_t last = p.h - 1 + p.pad - r;
                const int64_t end = last < 0 ? 0 : smaller(smaller(top + rows, p.outH), last / p.stride + 1);
                if (begin < end) {
                    multiplyRow(p, x, dy + tile * p.outH * p.outW * kLines * kImages, r, begin, end,
                                sums + (tile * p.size + r) * p.tilesM * kTile);
                }
            }
        }
    }
}

// ---- the whole ------------------------------------------------------------------------------------------------------

struct Memory {
    uint16_t* x;
    uint16_t* dy;
    float* sums;
    double* bias;

    Memory(const Problem& p, void* workspace, int thread) {
        char* at = static_cast<char*>(workspace) + thread * p.bytesOfThread();
        x = reinterpret_cast<uint16_t*>(at);
        dy = reinterpret_cast<uint16_t*>(at += p.xBytes());
        sums = reinterpret_cast<float*>(at += p.dyBytes());
        bias = reinterpret_cast<double*>(at + p.sumBytes());
    }
};

/// The share of one thread: whole blocks of images.
template <typename T, int kPlanes>
void sumBlocks(const Problem& p, const T* x, const T* dy, bool biased, int threads, int thread, const Memory& memory) {
    memset(memory.sums, 0, p.sumBytes());
    memset(memory.bias, 0, p.biasBytes());
    configureTiles();
    for (int64_t block = p.blocks() * thread / threads; block < p.blocks() * (thread + 1) / threads; ++block) {
        const int64_t first = block * kImages;
        const int64_t images = smaller(kImages, p.n - first);
        turnInput<T, kPlanes>(p, x + first * p.h * p.w * p.c, images, memory.x);
        turnGradient<T, kPlanes>(p, dy + first * p.outH * p.outW * p.k, images, memory.dy,
                                 biased ? memory.bias : nullptr);
        multiplyBlock(p, memory.x, memory.dy, memory.sums);
    }
    _tile_release();
}

/// Adds the threads' sums, in order, and lays them out as (k, size, size, c).
void collect(const Problem& p, void* workspace, int threads, float* dw, float* dbias) {
    const int64_t row = p.size * p.c;
    for (int64_t k = 0; k < p.k; ++k) {
        double bias = 0;
        for (int thread = 0; thread < threads; ++thread) {
            const Memory memory(p, workspace, thread);
            bias += memory.bias[k];
            for (int64_t r = 0; r < p.size; ++r) {
                const float* from = memory.sums + (k / kLines * p.size + r) * p.tilesM * kTile + k % kLines;
                float* to = dw + (k * p.size + r) * row;
                if (thread == 0) {
                    for (int64_t i = 0; i < row; ++i) to[i] = from[i * kLines];
                } else {
                    for (int64_t i = 0; i < row; ++i) to[i] += from[i * kLines];
                }
            }
        }
        if (dbias) dbias[k] = static_cast<float>(bias);
    }
}

template <typename T, int kPlanes>
void weightGradient(const Problem& p, const void* x, const void* dy, float* dw, float* dbias, void* workspace) {
    const int threads = threadsFor(p, omp_get_max_threads());
    const T* in = static_cast<const T*>(x);
    const T* gradient = static_cast<const T*>(dy);
    if (threads == 1) {
        sumBlocks<T, kPlanes>(p, in, gradient, dbias, 1, 0, Memory(p, workspace, 0));
    } else {
#pragma omp parallel for num_threads(threads) schedule(static, 1)
        for (int thread = 0; thread < threads; ++thread) {
            sumBlocks<T, kPlanes>(p, in, gradient, dbias, threads, thread, Memory(p, workspace, thread));
        }
    }
    collect(p, workspace, threads, dw, dbias);
}

/// Whether processor and system have AMX, and the system grants its registers to this process (Linux asks for that).
bool amxGranted() {
    unsigned a = 0, b = 0, c = 0, d = 0;
    if (!__builtin_cpu_supports("avx512bw") || !__builtin_cpu_supports("avx512vl")) return false;
    if (!__get_cpuid_count(7, 0, &a, &b, &c, &d) || !(d >> 22 & 1) || !(d >> 24 & 1)) return false;
    constexpr long kRequestPermission = 0x1023, kTileData = 18;
    return syscall(SYS_arch_prctl, kRequestPermission, kTileData) == 0;
}

}  // namespace

int32_t ec_amx_available(void) {
    static const bool granted = amxGranted();
    return granted;
}

int64_t ec_amx_weight_gradient_workspace(ec_type type, int64_t n, int64_t h, int64_t w, int64_t c, int64_t k,
                                         int32_t size, int32_t stride) {
    const Problem p = problem(type == EC_F32, n, h, w, c, k, size, stride);
    return threadsFor(p, omp_get_max_threads()) * p.bytesOfThread();
}

ec_status ec_amx_weight_gradient(ec_type type, int64_t n, int64_t h, int64_t w, int64_t c, int64_t k, int32_t size,
                                 int32_t stride, const void* x, const void* dy, void* dweights, void* dbias,
                                 void* workspace) {
    const char* operation = "ec_amx_weight_gradient";
    if (!ec_amx_available()) return ec_fail(EC_INVALID_ARGUMENT, "%s: this processor or system has no AMX", operation);
    if (type != EC_F32 && type != EC_BF16) {
        return ec_fail(EC_INVALID_ARGUMENT, "%s: type %d; expected EC_F32 or EC_BF16", operation, type);
    }
    if (!x || !dy || !dweights || !workspace) return ec_fail(EC_INVALID_ARGUMENT, "%s: a pointer is null", operation);
    if (n < 1 || h < 1 || w < 1 || c < 1 || k < 1 || size < 1 || size % 2 == 0 || stride < 1) {
        return ec_fail(EC_INVALID_ARGUMENT, "%s: an extent below 1, or an even kernel size", operation);
    }
    const Problem p = problem(type == EC_F32, n, h, w, c, k, size, stride);
    if (type == EC_F32) {
        weightGradient<float, 3>(p, x, dy, static_cast<float*>(dweights), static_cast<float*>(dbias), workspace);
    } else {
        weightGradient<uint16_t, 1>(p, x, dy, static_cast<float*>(dweights), static_cast<float*>(dbias), workspace);
    }
    return EC_OK;
}

#else

int32_t ec_amx_available(void) {
    return 0;
}

int64_t ec_amx_weight_gradient_workspace(ec_type, int64_t, int64_t, int64_t, int64_t, int64_t, int32_t, int32_t) {
    return 0;
}

ec_status ec_amx_weight_gradient(ec_type, int64_t, int64_t, int64_t, int64_t, int64_t, int32_t, int32_t, const void*,
                                 const void*, void*, void*, void*) {
    return ec_fail(EC_INVALID_ARGUMENT, "ec_amx_weight_gradient: this library was built without AMX");
}

#endif
