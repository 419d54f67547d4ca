// Measurements on a card: data, launches, timing. The fp64 samples stand in sampled_reference.cpp.
#include <cuda_runtime.h>

#include <algorithm>
#include <chrono>
#include <cmath>
#include <functional>
#include <stdexcept>

#include "cuda_memory.h"
#include "effconv/kernel_registry.h"
#include "effconv/kernels/dense_conv.h"
#include "effconv/kernels/depthwise_conv.h"
#include "effconv/kernels/weight_synthesis.h"
#include "measure.h"
#include "roofline.h"
#include "sampled_reference.h"

namespace effconv::bench {

namespace {

constexpr std::size_t kFlushBytes = std::size_t(256) << 20;  // several times the largest L2
constexpr int kWarmUps = 5;
constexpr double kErrorLimitF32 = 1e-5;
constexpr double kErrorLimitBf16 = 1e-2;

void launchAll(const LaunchSequence& sequence, const void* parameters, std::size_t bytes) {
    if (!sequence.result.ok()) throw std::runtime_error(sequence.result.message);
    for (int i = 0; i < sequence.count; ++i) {
        const KernelLaunch& launch = sequence.launches[i];
        const KernelEntry* entry = findKernel(launch.kernel);
        if (entry == nullptr || entry->parameterBytes != bytes) {
            throw std::runtime_error(std::string(launch.kernel) +
                                     " is not linked, or its parameters have another size");
        }
        const Result result = entry->launch(launch.shape, parameters, nullptr);
        if (!result.ok()) throw std::runtime_error(result.message);
    }
}

std::size_t elements(const ConvShape& s, char tensor) {
    if (tensor == 'x') return static_cast<std::size_t>(s.batch * s.xImageStride);
    if (tensor == 'y') return static_cast<std::size_t>(s.batch * s.yImageStride);
    return std::size_t(s.outChannels) * s.kernel * s.kernel * (s.inChannels / s.groups);
}

/// Host seconds since it was made.
class Stopwatch {
public:
    double seconds() const { return std::chrono::duration<double>(std::chrono::steady_clock::now() - start_).count(); }

private:
    std::chrono::steady_clock::time_point start_ = std::chrono::steady_clock::now();
};

class CudaDevice : public Device {
public:
    CudaDevice(bool coldCache, int repeats) : coldCache_(coldCache), repeats_(repeats) {
        int count = 0;
        check(cudaGetDeviceCount(&count), "cudaGetDeviceCount");
        if (count == 0) throw std::runtime_error("there is no CUDA device");
        check(cudaGetDeviceProperties(&properties_, 0), "cudaGetDeviceProperties");
        limits_.multiprocessors = properties_.multiProcessorCount;
        limits_.sharedBytesPerBlock = static_cast<std::int64_t>(properties_.sharedMemPerBlockOptin);
        check(cudaDriverGetVersion(&driver_), "cudaDriverGetVersion");
        rates_ = measureRates(properties_.multiProcessorCount);
        flush_ = std::make_unique<CudaMemory>(kFlushBytes);
    }

    std::string description() const override {
        return std::string(properties_.name) + ", sm_" + std::to_string(properties_.major) +
               std::to_string(properties_.minor) + ", CUDA driver " + std::to_string(driver_ / 1000) + "." +
               std::to_string(driver_ % 1000 / 10);
    }
    Rates measuredRates() const override { return rates_; }

    Measurement measure(const Case& test) override {
        switch (test.family) {
            case Family::kDense: return measureConv<DenseConvParams>(test, planDenseConv);
            case Family::kDepthwise: return measureConv<DepthwiseConvParams>(test, planDepthwiseConv);
            default: return measureSynthesis(test);
        }
    }

private:
    /// Median and spread of single launches, each between two events, after the warm-ups.
    Measurement time(const std::function<void()>& launch) {
        CudaEvent start, stop;
        std::vector<double> seconds;
        for (int repeat = -kWarmUps; repeat < repeats_; ++repeat) {
            if (coldCache_) check(cudaMemsetAsync(flush_->data(), repeat & 1, kFlushBytes), "cudaMemsetAsync");
            check(cudaEventRecord(start.get()), "cudaEventRecord");
            launch();
            check(cudaEventRecord(stop.get()), "cudaEventRecord");
            check(cudaEventSynchronize(stop.get()), "kernel");
            float milliseconds = 0;
            check(cudaEventElapsedTime(&milliseconds, start.get(), stop.get()), "cudaEventElapsedTime");
            if (repeat >= 0) seconds.push_back(milliseconds * 1e-3);
        }
        std::sort(seconds.begin(), seconds.end());
        const auto quantile = [&](double q) {
            return seconds[static_cast<std::size_t>(q * (seconds.size() - 1) + 0.5)];
        };
        Measurement measurement;
        measurement.median = quantile(0.5);
        measurement.p10 = quantile(0.1);
        measurement.p90 = quantile(0.9);
        return measurement;
    }

    template <typename Params>
    Measurement measureConv(const Case& test, LaunchSequence (*plan)(Params&, ConvPass, const DeviceLimits&)) {
        const ConvShape& s = test.shape;
        const bool writesW = test.pass == ConvPass::kWeightGradient;
        CudaMemory x = randomMemory(elements(s, 'x'), test.bf16, kStreamX);
        CudaMemory y = randomMemory(elements(s, 'y'), test.bf16, kStreamY);
        CudaMemory w = randomMemory(elements(s, 'w'), test.bf16 && !writesW, kStreamW);
        CudaMemory& out = test.pass == ConvPass::kForward ? y : test.pass == ConvPass::kDataGradient ? x : w;
        out.poison();
        Params p;
        p.shape = s;
        p.x = x.data();
        p.y = y.data();
        p.w = w.data();
        p.bf16 = test.bf16;
        const Stopwatch planning;
        const LaunchSequence sequence = plan(p, test.pass, limits_);
        const double planSeconds = planning.seconds();
        CudaMemory workspace(static_cast<std::size_t>(sequence.workspaceBytes));
        workspace.poison();
        p.workspace = static_cast<float*>(workspace.data());
        const auto launch = [&] { launchAll(sequence, &p, sizeof p); };
        launch();
        check(cudaDeviceSynchronize(), "kernel");
        const double error = sampledConvError(test, out, test.bf16 && !writesW);
        Measurement measurement = time(launch);
        measurement.error = error;
        measurement.errorLimit = test.bf16 ? kErrorLimitBf16 : kErrorLimitF32;
        measurement.workspaceBytes = static_cast<double>(sequence.workspaceBytes);
        measurement.planSeconds = planSeconds;
        return measurement;
    }

    Measurement measureSynthesis(const Case& test) {
        const int count = static_cast<int>(test.layers.size());
        const Stopwatch planning;
        SynthesisPlan tables;
        require(planSynthesis(test.layers.data(), count, tables, nullptr, nullptr, nullptr));
        std::vector<SynthesisItem> forward(tables.forwardItems), backward(tables.backwardItems),
            reduce(tables.reduceItems);
        require(planSynthesis(test.layers.data(), count, tables, forward.data(), backward.data(), reduce.data()));
        const double planSeconds = planning.seconds();
        const SynthesisSizes sizes = synthesisSizes(test);
        CudaMemory layers(test.layers), forwardItems(forward), backwardItems(backward), reduceItems(reduce);
        CudaMemory v(sizes.v);
        CudaMemory features = randomMemory(sizes.features, false, kStreamX);
        CudaMemory coefficients = randomMemory(sizes.coefficients, false, kStreamY);
        CudaMemory gradients = randomMemory(sizes.weights, test.bf16, kStreamW);
        CudaMemory weights(sizes.weights * (test.bf16 ? 2 : 4));
        CudaMemory dH(sizes.features * 4), dA(sizes.coefficients * 4), dv(sizes.v.size() * 4);
        CudaMemory workspace(tables.workspaceFloats * 4), counters(std::vector<std::int32_t>(tables.counters, 0));
        for (CudaMemory* memory : {&weights, &dH, &dA, &dv, &workspace}) memory->poison();

        SynthesisParams p;
        p.layers = layers.as<SynthesisLayer>();
        p.sizes = v.as<float>();
        p.features = features.as<float>();
        p.coefficients = coefficients.as<float>();
        p.weights = weights.data();
        p.weightGradients = gradients.data();
        p.featureGradients = dH.as<float>();
        p.coefficientGradients = dA.as<float>();
        p.sizeGradients = dv.as<float>();
        p.workspace = workspace.as<float>();
        p.counters = counters.as<std::int32_t>();
        p.layerCount = count;
        p.weightsAreBf16 = test.bf16;
        const auto pass = [&](SynthesisPass which, const CudaMemory& items, std::size_t itemCount) {
            p.items = items.as<SynthesisItem>();
            p.itemCount = static_cast<std::int64_t>(itemCount);
            launchAll(planSynthesisPass(which, p, limits_), &p, sizeof p);
        };
        const bool isBackward = test.family == Family::kSynthesisBackward;
        const auto launch = [&] {
            if (!isBackward) {
                pass(kSynthesisForward, forwardItems, forward.size());
                return;
            }
            pass(kSynthesisBackward, backwardItems, backward.size());
            pass(kSynthesisReduce, reduceItems, reduce.size());
        };
        launch();
        check(cudaDeviceSynchronize(), "kernel");
        const double error =
            isBackward ? sampledSynthesisGradientError(test, dH, dA) : sampledSynthesisError(test, weights);
        Measurement measurement = time(launch);
        measurement.error = error;
        measurement.errorLimit = test.bf16 && !isBackward ? kErrorLimitBf16 : kErrorLimitF32;
        measurement.workspaceBytes = isBackward ? tables.workspaceFloats * 4.0 : 0;
        measurement.planSeconds = planSeconds;
        return measurement;
    }

    static void require(const Result& result) {
        if (!result.ok()) throw std::runtime_error(result.message);
    }

    bool coldCache_;
    int repeats_;
    int driver_ = 0;
    cudaDeviceProp properties_{};
    DeviceLimits limits_;
    Rates rates_;
    std::unique_ptr<CudaMemory> flush_;
};

}  // namespace

std::unique_ptr<Device> openBenchDevice(bool coldCache, int repeats) {
    return std::make_unique<CudaDevice>(coldCache, repeats);
}

}  // namespace effconv::bench
