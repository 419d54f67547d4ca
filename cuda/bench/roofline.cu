// Register-only loops that keep the tensor units and the fp32 units busy, and a copy.
#include <algorithm>

#include "cuda_memory.h"
#include "effconv/device.h"
#include "roofline.h"

namespace effconv::bench {

namespace {

constexpr int kThreads = 256;
constexpr int kBlocksPerMultiprocessor = 4;
constexpr int kIterations = 4096;
constexpr int kProducts = 8;  // independent, to cover the latency
constexpr int kRuns = 5;
constexpr std::size_t kCopyBytes = std::size_t(512) << 20;

__global__ void __launch_bounds__(kThreads) tensorLoop(float* out) {
    std::uint32_t a[4], b[2];
    for (int i = 0; i < 4; ++i) a[i] = 0x3f803f80u + threadIdx.x;
    for (int i = 0; i < 2; ++i) b[i] = 0x3f803f80u + i;
    float sum[kProducts][4] = {};
    for (int iteration = 0; iteration < kIterations; ++iteration) {
#pragma unroll
        for (int j = 0; j < kProducts; ++j) mmaBf16(sum[j], a, b);
    }
    float total = 0;
    for (int j = 0; j < kProducts; ++j) total += sum[j][0] + sum[j][1] + sum[j][2] + sum[j][3];
    out[blockIdx.x * kThreads + threadIdx.x] = total;
}

__global__ void __launch_bounds__(kThreads) fp32Loop(float* out) {
    float sum[kProducts];
    for (int j = 0; j < kProducts; ++j) sum[j] = static_cast<float>(threadIdx.x + j);
    const float factor = 1.0f + threadIdx.x * 1e-9f;
    for (int iteration = 0; iteration < kIterations; ++iteration) {
#pragma unroll
        for (int j = 0; j < kProducts; ++j) sum[j] = sum[j] * factor + 0.5f;
    }
    float total = 0;
    for (int j = 0; j < kProducts; ++j) total += sum[j];
    out[blockIdx.x * kThreads + threadIdx.x] = total;
}

/// Median time of five runs after one to warm up, in seconds.
template <typename Launch>
double medianTime(Launch launch) {
    CudaEvent start, stop;
    double seconds[kRuns];
    launch();
    for (double& second : seconds) {
        check(cudaEventRecord(start.get()), "cudaEventRecord");
        launch();
        check(cudaEventRecord(stop.get()), "cudaEventRecord");
        check(cudaEventSynchronize(stop.get()), "roofline kernel");
        float milliseconds = 0;
        check(cudaEventElapsedTime(&milliseconds, start.get(), stop.get()), "cudaEventElapsedTime");
        second = milliseconds * 1e-3;
    }
    std::sort(seconds, seconds + kRuns);
    return seconds[kRuns / 2];
}

}  // namespace

Rates measureRates(int multiprocessors) {
    const int blocks = multiprocessors * kBlocksPerMultiprocessor;
    const double loops = double(blocks) * kThreads * kIterations * kProducts;
    CudaMemory out(std::size_t(blocks) * kThreads * 4);
    Rates rates;
    const double flopsPerLane = 2.0 * 16 * 8 * 16 / 32;  // an m16n8k16 product per warp
    rates.tensorFlops = loops * flopsPerLane / medianTime([&] {
                            tensorLoop<<<blocks, kThreads>>>(out.as<float>());
                            check(cudaGetLastError(), "roofline kernel");
                        });
    rates.fp32Flops = loops * 2 / medianTime([&] {
                          fp32Loop<<<blocks, kThreads>>>(out.as<float>());
                          check(cudaGetLastError(), "roofline kernel");
                      });
    CudaMemory from(kCopyBytes), to(kCopyBytes);
    from.poison();
    rates.bytes = 2.0 * kCopyBytes / medianTime([&] {
                      check(cudaMemcpyAsync(to.data(), from.data(), kCopyBytes, cudaMemcpyDeviceToDevice), "copy");
                  });
    return rates;
}

}  // namespace effconv::bench
