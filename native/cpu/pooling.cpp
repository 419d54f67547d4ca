// Window pooling and the global average, channel by channel in the inner loops.

#include "kernel.h"

namespace effconv {
namespace {

struct Window {
    std::int32_t size;
    std::int32_t stride;
    std::int32_t padding;
    std::int64_t height;
    std::int64_t width;
    std::int64_t channels;
    std::int64_t outHeight;
    std::int64_t outWidth;

    /// Calls body(input pixel, index) for every pixel of an output's window that lies in the image, in row-major order.
    template <typename Body>
    void eachPixel(std::int64_t outRow, std::int64_t outColumn, Body&& body) const {
        const std::int64_t top = outRow * stride - padding;
        const std::int64_t left = outColumn * stride - padding;
        std::int32_t index = 0;
        for (std::int64_t row = top < 0 ? 0 : top; row < top + size && row < height; ++row) {
            for (std::int64_t column = left < 0 ? 0 : left; column < left + size && column < width; ++column) {
                body(row * width + column, index++);
            }
        }
    }
};

template <typename T>
void poolMaximum(const Window& window, const T* image, std::int64_t outRow, std::int64_t outColumn, ComputeOf<T>* best,
                 std::int32_t* winner) {
    const std::int64_t channels = window.channels;
    window.eachPixel(outRow, outColumn, [=](std::int64_t pixel, std::int32_t index) {
        const T* in = image + pixel * channels;
        if (index == 0) {
            for (std::int64_t c = 0; c < channels; ++c) {
                best[c] = load(in[c]);
                winner[c] = 0;
            }
            return;
        }
        for (std::int64_t c = 0; c < channels; ++c) {
            const ComputeOf<T> value = load(in[c]);
            const bool wins = value > best[c] || value != value;  // NaN wins, so that a broken step is seen
            best[c] = wins ? value : best[c];
            winner[c] = wins ? index : winner[c];
        }
    });
}

/// Maxima over 2 x 2 windows that neither overlap nor leave the image, for few channels: the four pixels of a run of
/// outputs are first gathered, so that the comparisons run over vectors, and without branches, which maxima would
/// mispredict. The first pixel wins a tie, NaN wins over all, as above.
template <typename T>
class Quads {
public:
    static bool suits(ec_pooling kind, const Window& window) {
        constexpr std::int64_t kFew = 32;  // from here on the loops over channels fill their vectors, bf16 too
        return kind == EC_MAX && window.size == 2 && window.stride == 2 && window.padding == 0 &&
               window.channels < kFew;
    }

    explicit Quads(const Window& window)
        : c_(window.channels), below_(window.width * window.channels), columns_(window.outWidth) {}

    /// One row of outputs from the two rows at `x`.
    void forward(const T* x, T* y) {
        eachRun([&](std::int64_t first, std::int64_t count) {
            compare(x + 2 * first * c_, count);
            T* out = y + first * c_;
            const std::int64_t length = count * c_;
            EC_INDEPENDENT
            for (std::int64_t i = 0; i < length; ++i) out[i] = store<T>(best_[i]);
        });
    }

    /// The gradient of two rows from that of a row of outputs.
    void backward(const T* x, const T* dy, T* dx) {
        eachRun([&](std::int64_t first, std::int64_t count) {
            compare(x + 2 * first * c_, count);
            const T* gradient = dy + first * c_;
            const std::int64_t length = count * c_;
            for (int pixel = 0; pixel < 4; ++pixel) {
                EC_INDEPENDENT
                for (std::int64_t i = 0; i < length; ++i) pixel_[i] = winner_[i] == pixel ? load(gradient[i]) : Real(0);
                T* to = dx + 2 * first * c_ + offset(pixel);
                for (std::int64_t from = 0; from < length; from += c_, to += 2 * c_) {
                    for (std::int64_t i = 0; i < c_; ++i) to[i] = store<T>(pixel_[from + i]);
                }
            }
        });
    }

private:
    using Real = ComputeOf<T>;
    static constexpr std::int64_t kRun = 512;

    template <typename Body>
    void eachRun(Body&& body) {
        const std::int64_t columns = kRun / c_;
        for (std::int64_t first = 0; first < columns_; first += columns) {
            body(first, columns_ - first < columns ? columns_ - first : columns);
        }
    }

    std::int64_t offset(int pixel) const { return pixel % 2 * c_ + pixel / 2 * below_; }

    void gather(const T* from, std::int64_t length, Real* to) const {
        for (std::int64_t first = 0; first < length; first += c_, from += 2 * c_) {
            for (std::int64_t i = 0; i < c_; ++i) to[first + i] = load(from[i]);
        }
    }

    /// Maximum and winner of `count` windows.
    void compare(const T* x, std::int64_t count) {
        const std::int64_t length = count * c_;
        gather(x, length, best_);
        for (std::int64_t i = 0; i < length; ++i) winner_[i] = 0;
        for (int pixel = 1; pixel < 4; ++pixel) {
            gather(x + offset(pixel), length, pixel_);
            EC_INDEPENDENT
            for (std::int64_t i = 0; i < length; ++i) {
                const bool wins = pixel_[i] > best_[i] || pixel_[i] != pixel_[i];
                best_[i] = wins ? pixel_[i] : best_[i];
                winner_[i] = wins ? pixel : winner_[i];
            }
        }
    }

    std::int64_t c_;
    std::int64_t below_;
    std::int64_t columns_;
    Real best_[kRun];
    Real pixel_[kRun];
    std::int32_t winner_[kRun];
};

template <typename T>
void quadForward(const Window& window, std::int64_t n, const T* x, T* y) {
    const std::int64_t row = window.width * window.channels;
    inRanges(n * window.outHeight, 4 * window.outWidth * window.channels, [=](std::int64_t begin, std::int64_t end) {
        Quads<T> quads(window);
        for (std::int64_t r = begin; r < end; ++r) {
            const std::int64_t image = r / window.outHeight;
            const std::int64_t top = 2 * (r % window.outHeight);
            quads.forward(x + (image * window.height + top) * row, y + r * window.outWidth * window.channels);
        }
    });
}

template <typename T>
void quadBackward(const Window& window, std::int64_t n, const T* x, const T* dy, T* dx) {
    const std::int64_t row = window.width * window.channels;
    const std::int64_t covered = 2 * window.outWidth * window.channels;
    const T zero = store<T>(ComputeOf<T>(0));
    inRanges(n, window.height * row, [=](std::int64_t begin, std::int64_t end) {
        Quads<T> quads(window);
        for (std::int64_t image = begin; image < end; ++image) {
            T* to = dx + image * window.height * row;
            for (std::int64_t r = 0; r < window.outHeight; ++r) {
                const std::int64_t first = 2 * r * row;
                quads.backward(x + image * window.height * row + first,
                               dy + (image * window.outHeight + r) * window.outWidth * window.channels, to + first);
                for (std::int64_t i = covered; i < row; ++i) to[first + i] = to[first + row + i] = zero;
            }
            for (std::int64_t i = 2 * window.outHeight * row; i < window.height * row; ++i) to[i] = zero;
        }
    });
}

template <typename T>
ec_status poolForward(ec_pooling kind, const Window& window, std::int64_t n, const T* x, T* y) {
    if (Quads<T>::suits(kind, window)) {
        quadForward(window, n, x, y);
        return EC_OK;
    }
    using Real = ComputeOf<T>;
    const std::int64_t channels = window.channels;
    const std::int64_t pixels = window.height * window.width;
    const int parts = partsFor(n * pixels * channels);
    Scratch<Real> values(channels * parts);
    Scratch<std::int32_t> winners(channels * parts);
    if (!values.get() || !winners.get()) return outOfScratch("ec_pool");
    inParts(parts, [&](int part) {
        Real* value = values.get() + channels * part;
        std::int32_t* winner = winners.get() + channels * part;
        const Range rows = share(n * window.outHeight, parts, part);
        for (std::int64_t row = rows.begin; row < rows.end; ++row) {
            const T* image = x + row / window.outHeight * pixels * channels;
            for (std::int64_t column = 0; column < window.outWidth; ++column) {
                Real factor = Real(1);
                if (kind == EC_MAX) {
                    poolMaximum(window, image, row % window.outHeight, column, value, winner);
                } else {
                    std::int32_t count = 0;
                    for (std::int64_t c = 0; c < channels; ++c) value[c] = Real(0);
                    window.eachPixel(row % window.outHeight, column, [&](std::int64_t pixel, std::int32_t) {
                        const T* in = image + pixel * channels;
                        for (std::int64_t c = 0; c < channels; ++c) value[c] += load(in[c]);
                        ++count;
                    });
                    factor = Real(1) / Real(count);
                }
                T* out = y + (row * window.outWidth + column) * channels;
                for (std::int64_t c = 0; c < channels; ++c) out[c] = store<T>(value[c] * factor);
            }
        }
    });
    return EC_OK;
}

/// Windows may overlap, so an image's gradient is summed in scratch memory of the computing type and stored once.
template <typename T>
ec_status poolBackward(ec_pooling kind, const Window& window, std::int64_t n, const T* x, const T* dy, T* dx) {
    if (Quads<T>::suits(kind, window)) {
        quadBackward(window, n, x, dy, dx);
        return EC_OK;
    }
    using Real = ComputeOf<T>;
    const std::int64_t channels = window.channels;
    const std::int64_t size = window.height * window.width * channels;
    int parts = partsFor(n * size);
    if (parts > n) parts = static_cast<int>(n);
    Scratch<Real> images(size * parts);
    Scratch<Real> values(channels * parts);
    Scratch<std::int32_t> winners(channels * parts);
    if (!images.get() || !values.get() || !winners.get()) return outOfScratch("ec_pool_gradient");
    inParts(parts, [&](int part) {
        Real* sums = images.get() + size * part;
        Real* best = values.get() + channels * part;
        std::int32_t* winner = winners.get() + channels * part;
        const Range range = share(n, parts, part);
        for (std::int64_t image = range.begin; image < range.end; ++image) {
            for (std::int64_t i = 0; i < size; ++i) sums[i] = Real(0);
            for (std::int64_t out = 0; out < window.outHeight * window.outWidth; ++out) {
                const std::int64_t row = out / window.outWidth;
                const std::int64_t column = out % window.outWidth;
                const T* gradient = dy + (image * window.outHeight * window.outWidth + out) * channels;
                if (kind == EC_MAX) {
                    poolMaximum(window, x + image * size, row, column, best, winner);
                    window.eachPixel(row, column, [=](std::int64_t pixel, std::int32_t index) {
                        Real* to = sums + pixel * channels;
                        EC_INDEPENDENT
                        for (std::int64_t c = 0; c < channels; ++c)
                            to[c] += winner[c] == index ? load(gradient[c]) : Real(0);
                    });
                } else {
                    std::int32_t count = 0;
                    window.eachPixel(row, column, [&](std::int64_t, std::int32_t) { ++count; });
                    const Real factor = Real(1) / Real(count);
                    window.eachPixel(row, column, [=](std::int64_t pixel, std::int32_t) {
                        Real* to = sums + pixel * channels;
                        EC_INDEPENDENT
                        for (std::int64_t c = 0; c < channels; ++c) to[c] += factor * load(gradient[c]);
                    });
                }
            }
            T* to = dx + image * size;
            for (std::int64_t i = 0; i < size; ++i) to[i] = store<T>(sums[i]);
        }
    });
    return EC_OK;
}

ec_status windowOf(const char* operation, ec_pooling kind, std::int32_t size, std::int32_t stride, std::int32_t padding,
                   std::int64_t h, std::int64_t w, std::int64_t c, Window& window) {
    if (kind != EC_MAX && kind != EC_AVERAGE)
        return ec_fail(EC_INVALID_ARGUMENT, "%s: unknown kind %d", operation, kind);
    EC_REQUIRE_SIZE(operation, size, 1);
    EC_REQUIRE_SIZE(operation, stride, 1);
    EC_REQUIRE_SIZE(operation, padding, 0);
    EC_REQUIRE_SIZE(operation, c, 1);
    EC_REQUIRE_SIZE(operation, h + 2 * padding - size, 0);
    EC_REQUIRE_SIZE(operation, w + 2 * padding - size, 0);
    if (padding >= size) {
        return ec_fail(EC_INVALID_ARGUMENT, "%s: padding %d of a window of %d; expected less than the window",
                       operation, padding, size);
    }
    window = {
        size, stride, padding, h, w, c, (h + 2 * padding - size) / stride + 1, (w + 2 * padding - size) / stride + 1};
    return EC_OK;
}

}  // namespace
}  // namespace effconv

using namespace effconv;

EC_ENTRY(ec_pool)
(ec_type type, ec_pooling kind, int32_t size, int32_t stride, int32_t padding, int64_t n, int64_t h, int64_t w,
 int64_t c, const void* x, void* y) {
    EC_REQUIRE_POINTER("ec_pool", x);
    EC_REQUIRE_POINTER("ec_pool", y);
    EC_REQUIRE_SIZE("ec_pool", n, 1);
    Window window;
    if (const ec_status refused = windowOf("ec_pool", kind, size, stride, padding, h, w, c, window)) return refused;
    return forType("ec_pool", type, [&](auto tag) {
        using T = decltype(tag);
        return poolForward(kind, window, n, static_cast<const T*>(x), static_cast<T*>(y));
    });
}

EC_ENTRY(ec_pool_gradient)
(ec_type type, ec_pooling kind, int32_t size, int32_t stride, int32_t padding, int64_t n, int64_t h, int64_t w,
 int64_t c, const void* x, const void* dy, void* dx) {
    EC_REQUIRE_POINTER("ec_pool_gradient", x);
    EC_REQUIRE_POINTER("ec_pool_gradient", dy);
    EC_REQUIRE_POINTER("ec_pool_gradient", dx);
    EC_REQUIRE_SIZE("ec_pool_gradient", n, 1);
    Window window;
    if (const ec_status refused = windowOf("ec_pool_gradient", kind, size, stride, padding, h, w, c, window))
        return refused;
    return forType("ec_pool_gradient", type, [&](auto tag) {
        using T = decltype(tag);
        return poolBackward(kind, window, n, static_cast<const T*>(x), static_cast<const T*>(dy), static_cast<T*>(dx));
    });
}

EC_ENTRY(ec_global_average_pool)(ec_type type, int64_t n, int64_t pixels, int64_t c, const void* x, void* y) {
    const char* operation = "ec_global_average_pool";
    EC_REQUIRE_POINTER(operation, x);
    EC_REQUIRE_POINTER(operation, y);
    EC_REQUIRE_SIZE(operation, n, 1);
    EC_REQUIRE_SIZE(operation, pixels, 1);
    EC_REQUIRE_SIZE(operation, c, 1);
    return forType(operation, type, [&](auto tag) -> ec_status {
        using T = decltype(tag);
        using Real = ComputeOf<T>;
        constexpr std::int64_t kRun = 32;  // pixels summed in the computing type before they join the sum in double
        const T* in = static_cast<const T*>(x);
        T* out = static_cast<T*>(y);
        const int parts = partsFor(n * pixels * c);
        Scratch<Real> runs(c * parts);
        Scratch<double> totals(c * parts);
        if (!runs.get() || !totals.get()) return outOfScratch(operation);
        inParts(parts, [&](int part) {
            Real* run = runs.get() + c * part;
            double* total = totals.get() + c * part;
            const Range images = share(n, parts, part);
            for (std::int64_t image = images.begin; image < images.end; ++image) {
                for (std::int64_t i = 0; i < c; ++i) total[i] = 0;
                for (std::int64_t first = 0; first < pixels; first += kRun) {
                    for (std::int64_t i = 0; i < c; ++i) run[i] = Real(0);
                    for (std::int64_t pixel = first; pixel < first + kRun && pixel < pixels; ++pixel) {
                        const T* values = in + (image * pixels + pixel) * c;
                        for (std::int64_t i = 0; i < c; ++i) run[i] += load(values[i]);
                    }
                    for (std::int64_t i = 0; i < c; ++i) total[i] += static_cast<double>(run[i]);
                }
                for (std::int64_t i = 0; i < c; ++i)
                    out[image * c + i] = store<T>(Real(total[i] / static_cast<double>(pixels)));
            }
        });
        return EC_OK;
    });
}

EC_ENTRY(ec_global_average_pool_gradient)
(ec_type type, int64_t n, int64_t pixels, int64_t c, const void* dy, void* dx) {
    const char* operation = "ec_global_average_pool_gradient";
    EC_REQUIRE_POINTER(operation, dy);
    EC_REQUIRE_POINTER(operation, dx);
    EC_REQUIRE_SIZE(operation, n, 1);
    EC_REQUIRE_SIZE(operation, pixels, 1);
    EC_REQUIRE_SIZE(operation, c, 1);
    return forType(operation, type, [&](auto tag) -> ec_status {
        using T = decltype(tag);
        using Real = ComputeOf<T>;
        const T* gradient = static_cast<const T*>(dy);
        T* out = static_cast<T*>(dx);
        const Real factor = Real(1) / Real(pixels);
        inRanges(n * pixels, c, [=](std::int64_t begin, std::int64_t end) {
            for (std::int64_t pixel = begin; pixel < end; ++pixel) {
                const T* from = gradient + pixel / pixels * c;
                EC_INDEPENDENT
                for (std::int64_t i = 0; i < c; ++i) out[pixel * c + i] = store<T>(load(from[i]) * factor);
            }
        });
        return EC_OK;
    });
}
