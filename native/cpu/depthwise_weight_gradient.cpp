// Weight gradient of depthwise convolutions with one filter a channel:
//
//   dw[c, r, s] = sum over n, h, w of dy[n, h, w, c] x[n, h stride + r - pad, w stride + s - pad, c].
//
// Channels are the lanes of a vector. Bands of an image are first turned to fp32, one vector of channels after the
// other, with zeros around: then no tap needs a test, and the rows that an output row meets stay in the first-level
// cache. Four pixels of dy and up to eight taps of a kernel row share what is loaded of x. Sums of a band are fp32,
// those of bands double.

#include "kernel.h"

namespace effconv {
namespace {

#if defined(__AVX512F__)
constexpr int kVectorBytes = 64;
#elif defined(__AVX__)
constexpr int kVectorBytes = 32;
#else
constexpr int kVectorBytes = 16;
#endif
constexpr int kLanes = kVectorBytes / 4;
constexpr int kPixels = 4;                      // of dy at a time
constexpr int kMostTaps = 8;                    // of a kernel row at a time
constexpr std::int64_t kBandBytes = 192 << 10;  // of x, turned

typedef float Lane __attribute__((vector_size(kVectorBytes), aligned(4), may_alias));
typedef std::uint32_t Bits __attribute__((vector_size(kVectorBytes), aligned(4)));
typedef std::uint16_t Halves __attribute__((vector_size(kVectorBytes / 2), aligned(2), may_alias));

inline Lane loadLane(const float* from) {
    return *reinterpret_cast<const Lane*>(from);
}
inline Lane loadLane(const Bf16* from) {
    return (Lane)(__builtin_convertvector(*reinterpret_cast<const Halves*>(from), Bits) << 16);  // the same bits
}
inline void storeLane(float* to, Lane value) {
    *reinterpret_cast<Lane*>(to) = value;
}

struct Depthwise {
    std::int64_t n, h, w, c;
    int size, stride;
    std::int64_t pad, outH, outW;
    std::int64_t blocks;    // of kLanes channels
    std::int64_t bandRows;  // of the output
    std::int64_t columns;   // of a turned row of x
    int parts;              // of the images, one a thread

    std::int64_t bandHeight(std::int64_t rows) const { return (rows - 1) * stride + size; }
    std::int64_t taps() const { return static_cast<std::int64_t>(size) * size; }
};

Depthwise problem(std::int64_t n, std::int64_t h, std::int64_t w, std::int64_t c, int size, int stride) {
    Depthwise p{};
    p.n = n, p.h = h, p.w = w, p.c = c, p.size = size, p.stride = stride;
    p.pad = size / 2;
    p.outH = (h - 1) / stride + 1, p.outW = (w - 1) / stride + 1;
    p.blocks = (c + kLanes - 1) / kLanes;
    p.columns = (p.outW - 1) * stride + size;
    const std::int64_t rows = kBandBytes / (p.columns * kVectorBytes);
    const std::int64_t fit = (rows - size) / stride + 1;
    p.bandRows = fit < 1 ? 1 : fit < p.outH ? fit : p.outH;
    const int useful = partsFor(n * p.outH * p.outW * c);
    p.parts = n < useful ? static_cast<int>(n) : useful;
    return p;
}

/// Vectors of `channels` channels of `count` pixels; lanes beyond the channels get zeros.
template <typename T>
void turnPixels(const T* from, std::int64_t count, std::int64_t pixelStride, int channels, float* to) {
    if (channels == kLanes) {
        for (std::int64_t i = 0; i < count; ++i) storeLane(to + i * kLanes, loadLane(from + i * pixelStride));
        return;
    }
    for (std::int64_t i = 0; i < count; ++i) {
        for (int lane = 0; lane < kLanes; ++lane) {
            to[i * kLanes + lane] = lane < channels ? load(from[i * pixelStride + lane]) : 0.0f;
        }
    }
}

void clearPixels(float* to, std::int64_t count) {
    for (std::int64_t i = 0; i < count * kLanes; ++i) to[i] = 0;
}

/// Rows of x that the output rows from `first` on meet, with the zeros around the image.
template <typename T>
void turnInput(const Depthwise& p, const T* image, std::int64_t first, std::int64_t rows, int channels, float* to) {
    const std::int64_t inside = p.columns - p.pad < p.w ? p.columns - p.pad : p.w;
    for (std::int64_t r = 0; r < p.bandHeight(rows); ++r, to += p.columns * kLanes) {
        const std::int64_t row = first * p.stride + r - p.pad;
        if (row < 0 || row >= p.h) {
            clearPixels(to, p.columns);
            continue;
        }
        clearPixels(to, p.pad);
        turnPixels(image + row * p.w * p.c, inside, p.c, channels, to + p.pad * kLanes);
        clearPixels(to + (p.pad + inside) * kLanes, p.columns - p.pad - inside);
    }
}

/// Adds one output row's part to the sums of kTaps taps of one kernel row, from x on.
template <int kTaps, bool kUnitStride>
inline __attribute__((always_inline)) void addRow(const float* x, const float* dy, std::int64_t width,
                                                  std::int64_t stride, float* sums) {
    Lane sum[kTaps];
    for (int j = 0; j < kTaps; ++j) sum[j] = loadLane(sums + j * kLanes);
    std::int64_t i = 0;
    if constexpr (kUnitStride) {
        for (; i + kPixels <= width; i += kPixels) {
            Lane d[kPixels];
#pragma GCC unroll 4
            for (int q = 0; q < kPixels; ++q) d[q] = loadLane(dy + (i + q) * kLanes);
#pragma GCC unroll 16
            for (int t = 0; t < kTaps + kPixels - 1; ++t) {
                const Lane value = loadLane(x + (i + t) * kLanes);
#pragma GCC unroll 4
                for (int q = 0; q < kPixels; ++q) {
                    if (t - q >= 0 && t - q < kTaps) sum[t - q] += d[q] * value;
                }
            }
        }
    }
    for (; i < width; ++i) {
        const Lane d = loadLane(dy + i * kLanes);
        for (int j = 0; j < kTaps; ++j) sum[j] += d * loadLane(x + (i * stride + j) * kLanes);
    }
    for (int j = 0; j < kTaps; ++j) storeLane(sums + j * kLanes, sum[j]);
}

template <bool kUnitStride>
void addTaps(int taps, const float* x, const float* dy, std::int64_t width, std::int64_t stride, float* sums) {
    switch (taps) {
        case 1: return addRow<1, kUnitStride>(x, dy, width, stride, sums);
        case 2: return addRow<2, kUnitStride>(x, dy, width, stride, sums);
        case 3: return addRow<3, kUnitStride>(x, dy, width, stride, sums);
        case 4: return addRow<4, kUnitStride>(x, dy, width, stride, sums);
        case 5: return addRow<5, kUnitStride>(x, dy, width, stride, sums);
        case 6: return addRow<6, kUnitStride>(x, dy, width, stride, sums);
        case 7: return addRow<7, kUnitStride>(x, dy, width, stride, sums);
        default: return addRow<kMostTaps, kUnitStride>(x, dy, width, stride, sums);
    }
}

/// Adds a turned band to the sums (size, size, lanes).
void addBand(const Depthwise& p, const float* x, const float* dy, std::int64_t rows, float* sums) {
    const int pieces = (p.size + kMostTaps - 1) / kMostTaps;
    for (std::int64_t row = 0; row < rows; ++row) {
        for (int r = 0; r < p.size; ++r) {
            const float* line = x + (row * p.stride + r) * p.columns * kLanes;
            for (int piece = 0; piece < pieces; ++piece) {
                const int begin = p.size * piece / pieces;
                const int taps = p.size * (piece + 1) / pieces - begin;
                float* to = sums + (r * p.size + begin) * kLanes;
                const float* gradient = dy + row * p.outW * kLanes;
                if (p.stride == 1) {
                    addTaps<true>(taps, line + begin * kLanes, gradient, p.outW, 1, to);
                } else {
                    addTaps<false>(taps, line + begin * kLanes, gradient, p.outW, p.stride, to);
                }
            }
        }
    }
}

/// Memory of one part: a band of x and of dy, its sums, and sums of all its bands, per block of channels, biases last.
struct Memory {
    float* x;
    float* dy;
    float* sums;
    double* totals;

    static std::int64_t floats(const Depthwise& p) {
        return (p.bandHeight(p.bandRows) * p.columns + p.bandRows * p.outW + p.taps() + 1) * kLanes;
    }
    static std::int64_t doubles(const Depthwise& p) { return p.blocks * (p.taps() + 1) * kLanes; }
};

template <typename T>
void sumPart(const Depthwise& p, const T* x, const T* dy, Range images, const Memory& memory) {
    const std::int64_t numbers = (p.taps() + 1) * kLanes;
    for (std::int64_t i = 0; i < p.blocks * numbers; ++i) memory.totals[i] = 0;
    for (std::int64_t image = images.begin; image < images.end; ++image) {
        for (std::int64_t first = 0; first < p.outH; first += p.bandRows) {
            const std::int64_t rows = p.outH - first < p.bandRows ? p.outH - first : p.bandRows;
            for (std::int64_t block = 0; block < p.blocks; ++block) {
                const std::int64_t channel = block * kLanes;
                const int channels = p.c - channel < kLanes ? static_cast<int>(p.c - channel) : kLanes;
                turnInput(p, x + image * p.h * p.w * p.c + channel, first, rows, channels, memory.x);
                turnPixels(dy + (image * p.outH + first) * p.outW * p.c + channel, rows * p.outW, p.c, channels,
                           memory.dy);
                clearPixels(memory.sums, p.taps() + 1);
                addBand(p, memory.x, memory.dy, rows, memory.sums);
                Lane bias = {};
                for (std::int64_t i = 0; i < rows * p.outW; ++i) bias += loadLane(memory.dy + i * kLanes);
                storeLane(memory.sums + p.taps() * kLanes, bias);
                double* totals = memory.totals + block * numbers;
                EC_INDEPENDENT
                for (std::int64_t i = 0; i < numbers; ++i) totals[i] += memory.sums[i];
            }
        }
    }
}

template <typename T>
ec_status weightGradient(const char* operation, const Depthwise& p, const T* x, const T* dy, float* dweights,
                         float* dbias) {
    const std::int64_t floats = Memory::floats(p);
    const std::int64_t doubles = Memory::doubles(p);
    Scratch<float> bands(p.parts * floats);
    Scratch<double> totals(p.parts * doubles);
    if (!bands.get() || !totals.get()) return outOfScratch(operation);
    inParts(p.parts, [&](int part) {
        Memory memory{};
        memory.x = bands.get() + part * floats;
        memory.dy = memory.x + p.bandHeight(p.bandRows) * p.columns * kLanes;
        memory.sums = memory.dy + p.bandRows * p.outW * kLanes;
        memory.totals = totals.get() + part * doubles;
        sumPart(p, x, dy, share(p.n, p.parts, part), memory);
    });
    for (std::int64_t channel = 0; channel < p.c; ++channel) {
        const std::int64_t block = channel / kLanes * (p.taps() + 1) * kLanes + channel % kLanes;
        for (std::int64_t tap = 0; tap <= p.taps(); ++tap) {
            double sum = 0;
            for (int part = 0; part < p.parts; ++part) sum += totals[part * doubles + block + tap * kLanes];
            if (tap < p.taps()) {
                dweights[channel * p.taps() + tap] = static_cast<float>(sum);
            } else if (dbias) {
                dbias[channel] = static_cast<float>(sum);
            }
        }
    }
    return EC_OK;
}

}  // namespace
}  // namespace effconv

using namespace effconv;

EC_ENTRY(ec_depthwise_weight_gradient)
(ec_type type, int64_t n, int64_t h, int64_t w, int64_t c, int32_t size, int32_t stride, const void* x, const void* dy,
 void* dweights, void* dbias) {
    const char* operation = "ec_depthwise_weight_gradient";
    EC_REQUIRE_POINTER(operation, x);
    EC_REQUIRE_POINTER(operation, dy);
    EC_REQUIRE_POINTER(operation, dweights);
    EC_REQUIRE_SIZE(operation, n, 1);
    EC_REQUIRE_SIZE(operation, h, 1);
    EC_REQUIRE_SIZE(operation, w, 1);
    EC_REQUIRE_SIZE(operation, c, 1);
    EC_REQUIRE_SIZE(operation, size, 1);
    EC_REQUIRE_SIZE(operation, stride, 1);
    if (size % 2 == 0) return ec_fail(EC_INVALID_ARGUMENT, "%s: size is %d; expected an odd number", operation, size);
    const Depthwise p = problem(n, h, w, c, size, stride);
    float* dw = static_cast<float*>(dweights);
    float* db = static_cast<float*>(dbias);
    switch (type) {
        case EC_F32:
            return weightGradient(operation, p, static_cast<const float*>(x), static_cast<const float*>(dy), dw, db);
        case EC_BF16:
            return weightGradient(operation, p, static_cast<const Bf16*>(x), static_cast<const Bf16*>(dy), dw, db);
        default: return ec_fail(EC_INVALID_ARGUMENT, "%s: type %d; expected EC_F32 or EC_BF16", operation, type);
    }
}
