// Optimiser kernels over drawn tables of tensors, against the same steps in fp64.

#include "effconv/kernels/optimizer.h"

#include <cmath>
#include <memory>

#include "harness/device.h"

namespace effconv::test {
namespace {

using Floats = std::vector<float>;
using Doubles = std::vector<double>;

/// One tensor on the device beside its fp64 twin.
struct TensorPair {
    Doubles parameter, first, second;
    std::unique_ptr<DeviceBuffer<float>> deviceParameter, deviceFirst, deviceSecond;
    std::unique_ptr<DeviceBuffer<std::uint16_t>> deviceCopy;
    bool bf16Gradient = false;
    int group = 0;
};

struct Draw {
    std::vector<int> counts;
    std::vector<OptimizerGroup> groups;
    float clipNorm = 0;
    bool wantsNorm = false;  ///< also without clipping
    int steps = 1;
    std::uint64_t seed = 1;
};

OptimizerGroup drawGroup(Random& random) {
    OptimizerGroup group;
    group.kind = random.integer(0, 2) == 0 ? kSgd : kAdamW;
    group.nesterov = random.integer(0, 1);
    group.learningRate = random.pick({1e-3f, 1e-2f, 0.1f});
    group.weightDecay = random.pick({0.0f, 1e-4f, 0.05f});
    group.beta1 = random.pick({0.0f, 0.9f});
    group.beta2 = random.pick({0.99f, 0.999f});
    return group;
}

Floats concatenate(Floats all, const Floats& more) {
    all.insert(all.end(), more.begin(), more.end());
    return all;
}

/// Runs the draw's steps; returns every parameter and moment at the end, and checks them against fp64 on the way.
Floats runSteps(const Draw& draw, bool check) {
    Random random(draw.seed);
    std::vector<TensorPair> pairs(draw.counts.size());
    for (std::size_t t = 0; t < pairs.size(); ++t) {
        TensorPair& pair = pairs[t];
        const int count = draw.counts[t];
        const Floats start = randomValues(count, random, false);
        pair.parameter.assign(start.begin(), start.end());
        pair.first.assign(count, 0.0);
        pair.second.assign(count, 0.0);
        pair.bf16Gradient = random.integer(0, 1) == 0;
        pair.group = random.integer(0, static_cast<int>(draw.groups.size()) - 1);
        pair.deviceParameter = std::make_unique<DeviceBuffer<float>>(start);
        pair.deviceFirst = std::make_unique<DeviceBuffer<float>>(Floats(count, 0.0f));
        if (draw.groups[pair.group].kind == kAdamW) {
            pair.deviceSecond = std::make_unique<DeviceBuffer<float>>(Floats(count, 0.0f));
        }
        if (random.integer(0, 1) == 0) pair.deviceCopy = std::make_unique<DeviceBuffer<std::uint16_t>>(count);
    }
    DeviceBuffer<float> norm(1);
    DeviceBuffer<std::int32_t> counter(std::vector<std::int32_t>{0});
    for (int step = 1; step <= draw.steps; ++step) {
        std::vector<OptimizerGroup> groups = draw.groups;
        for (OptimizerGroup& group : groups) group.setStep(step);
        std::vector<Floats> gradients;
        std::vector<std::unique_ptr<TypedBuffer>> deviceGradients;
        std::vector<OptimizerTensor> tensors;
        double squares = 0;
        for (TensorPair& pair : pairs) {
            gradients.push_back(randomValues(pair.parameter.size(), random, pair.bf16Gradient));
            deviceGradients.push_back(std::make_unique<TypedBuffer>(gradients.back(), pair.bf16Gradient));
            for (float g : gradients.back()) squares += double(g) * g;
            OptimizerTensor tensor;
            tensor.parameter = pair.deviceParameter->data();
            tensor.gradient = deviceGradients.back()->data();
            tensor.first = pair.deviceFirst->data();
            tensor.second = pair.deviceSecond ? pair.deviceSecond->data() : nullptr;
            tensor.copy = pair.deviceCopy ? pair.deviceCopy->data() : nullptr;
            tensor.count = static_cast<std::int64_t>(pair.parameter.size());
            tensor.group = pair.group;
            tensor.gradientIsBf16 = pair.bf16Gradient;
            tensors.push_back(tensor);
        }
        std::int64_t chunkCount = 0;
        const int tensorCount = static_cast<int>(tensors.size());
        const int groupCount = static_cast<int>(groups.size());
        EC_CHECK(planOptimizerChunks(tensors.data(), tensorCount, groups.data(), groupCount, nullptr, chunkCount).ok());
        std::vector<OptimizerChunk> chunks(chunkCount);
        EC_CHECK(planOptimizerChunks(tensors.data(), tensorCount, groups.data(), groupCount, chunks.data(), chunkCount)
                     .ok());

        DeviceBuffer<OptimizerTensor> deviceTensors(tensors);
        DeviceBuffer<OptimizerGroup> deviceGroups(groups);
        DeviceBuffer<OptimizerChunk> deviceChunks(chunks);
        DeviceBuffer<double> partials(chunkCount);
        OptimizerParams params;
        params.tensors = deviceTensors.data();
        params.groups = deviceGroups.data();
        params.chunks = deviceChunks.data();
        params.chunkCount = chunkCount;
        params.clipNorm = draw.clipNorm;
        const bool norms = draw.clipNorm > 0 || draw.wantsNorm;
        if (norms) {
            params.partials = partials.data();
            params.norm = norm.data();
            params.counter = counter.data();
        }
        launchAll(planOptimizerStep(params, deviceLimits()), params);

        double factor = 1;
        if (draw.clipNorm > 0) {
            factor = clipFactor(std::sqrt(squares), double(draw.clipNorm));
        }
        if (norms) {
            if (check) checkClose("norm", norm.download(), {std::sqrt(squares)}, {std::sqrt(squares)}, kFp32Tolerance);
        }
        for (std::size_t t = 0; t < pairs.size(); ++t) {
            TensorPair& pair = pairs[t];
            const OptimizerGroup& group = groups[pair.group];
            const AdamWStep<double> adam{group.learningRate, group.beta1,       group.beta2,      group.epsilon,
                                         group.weightDecay,  group.correction1, group.correction2};
            const SgdStep<double> sgd{group.learningRate, group.beta1, group.weightDecay, group.nesterov != 0};
            for (std::size_t i = 0; i < pair.parameter.size(); ++i) {
                const double g = factor * gradients[t][i];
                if (group.kind == kAdamW) {
                    adamWUpdate(adam, g, pair.parameter[i], pair.first[i], pair.second[i]);
                } else {
                    sgdUpdate(sgd, g, pair.parameter[i], pair.first[i]);
                }
            }
        }
    }
    Floats all;
    for (TensorPair& pair : pairs) {
        const Floats parameter = pair.deviceParameter->download();
        const Floats first = pair.deviceFirst->download();
        all = concatenate(concatenate(all, parameter), first);
        const Doubles ones(parameter.size(), 1.0);
        if (check) {
            checkClose("parameter", parameter, pair.parameter, ones, kFp32Tolerance);
            checkClose("first moment", first, pair.first, ones, kFp32Tolerance);
        }
        if (pair.deviceSecond) {
            const Floats second = pair.deviceSecond->download();
            if (check) checkClose("second moment", second, pair.second, Doubles(second.size(), 0.01), kFp32Tolerance);
            all = concatenate(all, second);
        }
        if (pair.deviceCopy) {
            const std::vector<std::uint16_t> copy = pair.deviceCopy->download();
            for (std::size_t i = 0; i < copy.size(); ++i) EC_CHECK(copy[i] == bf16FromFloat(parameter[i]));
        }
    }
    if (draw.clipNorm > 0 || draw.wantsNorm) all = concatenate(all, norm.download());
    return all;
}

void checkDraw(const Draw& draw) {
    Floats first;
    forEachThreadOrder([&](int order) {
        const Floats got = runSteps(draw, order == 0);
        if (order == 0) first = got;
        checkSameBits("state after the steps", got, first);
    });
}

}  // namespace

EC_TEST(optimizer_drawn_tables) {
    Random random(1);
    for (int number = 0; number < 60; ++number) {
        Draw draw;
        const int tensors = random.integer(1, 5);
        for (int t = 0; t < tensors; ++t) {
            draw.counts.push_back(random.pick({1, 2, 3, 4, 5, 7, 16, 27, 1023, 1024, 1025, 2047, 2048, 2049, 5003}));
        }
        const int groups = random.integer(1, 3);
        for (int g = 0; g < groups; ++g) draw.groups.push_back(drawGroup(random));
        draw.clipNorm = random.pick({0.0f, 0.5f, 5.0f, 1e9f});
        draw.wantsNorm = random.integer(0, 1) == 1;
        draw.steps = random.integer(1, 3);
        draw.seed = 1000 + number;
        checkDraw(draw);
    }
}

EC_TEST(optimizer_norm_of_many_chunks) {
    Draw draw;
    draw.counts = {600 * kOptimizerChunk + 3};  // more partial sums than the last block has threads
    draw.groups = {OptimizerGroup{}};
    draw.groups[0].learningRate = 1e-3f;
    draw.clipNorm = 1.0f;
    checkDraw(draw);
}

EC_TEST(optimizer_nan_gradient_is_seen) {
    OptimizerGroup group;
    group.kind = kSgd;
    group.learningRate = 0.1f;
    DeviceBuffer<float> parameter(Floats(8, 1.0f)), gradient(Floats{1, NAN, 1, 1, 1, 1, 1, 1}),
        velocity(Floats(8, 0.0f));
    OptimizerTensor tensor;
    tensor.parameter = parameter.data();
    tensor.gradient = gradient.data();
    tensor.first = velocity.data();
    tensor.count = 8;
    OptimizerChunk chunk;
    DeviceBuffer<OptimizerTensor> tensors(std::vector<OptimizerTensor>{tensor});
    DeviceBuffer<OptimizerGroup> groups(std::vector<OptimizerGroup>{group});
    DeviceBuffer<OptimizerChunk> chunks(std::vector<OptimizerChunk>{chunk});
    DeviceBuffer<double> partials(1);
    DeviceBuffer<float> norm(1);
    DeviceBuffer<std::int32_t> counter(std::vector<std::int32_t>{0});
    OptimizerParams params;
    params.tensors = tensors.data();
    params.groups = groups.data();
    params.chunks = chunks.data();
    params.chunkCount = 1;
    params.clipNorm = 1.0f;
    params.partials = partials.data();
    params.norm = norm.data();
    params.counter = counter.data();
    launchAll(planOptimizerStep(params, deviceLimits()), params);
    EC_CHECK(std::isnan(norm.download()[0]));
    EC_CHECK(std::isnan(parameter.download()[0]));
}

EC_TEST(optimizer_norm_of_large_gradients_is_finite) {
    DeviceBuffer<float> parameter(Floats(3, 0.0f)), gradient(Floats{3e25f, -4e25f, 0}), velocity(Floats(3, 0.0f)),
        norm(1);
    OptimizerGroup group;
    group.kind = kSgd;
    OptimizerTensor tensor;
    tensor.parameter = parameter.data();
    tensor.gradient = gradient.data();
    tensor.first = velocity.data();
    tensor.count = 3;
    DeviceBuffer<OptimizerTensor> tensors(std::vector<OptimizerTensor>{tensor});
    DeviceBuffer<OptimizerGroup> groups(std::vector<OptimizerGroup>{group});
    DeviceBuffer<OptimizerChunk> chunks(std::vector<OptimizerChunk>{OptimizerChunk()});
    DeviceBuffer<double> partials(1);
    DeviceBuffer<std::int32_t> counter(std::vector<std::int32_t>{0});
    OptimizerParams params;
    params.tensors = tensors.data();
    params.groups = groups.data();
    params.chunks = chunks.data();
    params.chunkCount = 1;
    params.partials = partials.data();
    params.norm = norm.data();
    params.counter = counter.data();
    const LaunchSequence sequence = planOptimizerStep(params, deviceLimits());
    EC_CHECK(sequence.count == 2);
    launchAll(sequence, params);
    checkClose("norm", norm.download(), {5e25}, {5e25}, kFp32Tolerance);
}

EC_TEST(optimizer_refuses_bad_tables) {
    DeviceBuffer<float> memory(64);
    OptimizerGroup goodGroup;
    OptimizerTensor good;
    good.parameter = good.first = good.second = memory.data();
    good.gradient = memory.data();
    good.count = 5;
    std::int64_t chunkCount = 7;
    EC_CHECK(planOptimizerChunks(&good, 1, &goodGroup, 1, nullptr, chunkCount).ok() && chunkCount == 1);
    const auto refuse = [&](Status status, const char* message, auto change) {
        OptimizerTensor tensor = good;
        OptimizerGroup group = goodGroup;
        change(tensor, group);
        checkRefused(planOptimizerChunks(&tensor, 1, &group, 1, nullptr, chunkCount), status, message);
        EC_CHECK(chunkCount == 0);
    };
    using T = OptimizerTensor;
    using G = OptimizerGroup;
    refuse(Status::kInvalidShape, "count is 0", [](T& t, G&) { t.count = 0; });
    refuse(Status::kInvalidShape, "count is -4", [](T& t, G&) { t.count = -4; });
    refuse(Status::kInvalidShape, "group 1 of 1", [](T& t, G&) { t.group = 1; });
    refuse(Status::kNullPointer, "gradient is null", [](T& t, G&) { t.gradient = nullptr; });
    refuse(Status::kNullPointer, "second is null", [](T& t, G&) { t.second = nullptr; });
    refuse(Status::kMisaligned, "parameter must be aligned", [](T& t, G&) { ++t.parameter; });
    refuse(Status::kMisaligned, "copy must be aligned", [](T& t, G&) { t.copy = reinterpret_cast<std::uint16_t*>(2); });
    refuse(Status::kUnsupported, "kind 5", [](T&, G& g) { g.kind = 5; });
    refuse(Status::kInvalidShape, "learningRate", [](T&, G& g) { g.learningRate = NAN; });
    refuse(Status::kInvalidShape, "beta2", [](T&, G& g) { g.beta2 = 1; });
    refuse(Status::kInvalidShape, "correction1", [](T&, G& g) { g.correction1 = 0; });
    EC_CHECK(planOptimizerChunks(nullptr, 1, &goodGroup, 1, nullptr, chunkCount).status == Status::kNullPointer);
}

EC_TEST(optimizer_refuses_bad_launches) {
    DeviceBuffer<float> memory(64);
    OptimizerParams good;
    good.tensors = reinterpret_cast<OptimizerTensor*>(memory.data());
    good.groups = reinterpret_cast<OptimizerGroup*>(memory.data());
    good.chunks = reinterpret_cast<OptimizerChunk*>(memory.data());
    good.chunkCount = 1;
    EC_CHECK(planOptimizerStep(good, deviceLimits()).count == 1);
    const auto refuse = [&](Status status, const char* message, auto change, DeviceLimits limits = deviceLimits()) {
        OptimizerParams params = good;
        change(params);
        const LaunchSequence refused = planOptimizerStep(params, limits);
        checkRefused(refused.result, status, message);
        EC_CHECK(refused.count == 0);
    };
    using P = OptimizerParams;
    refuse(Status::kNullPointer, "chunks is null", [](P& p) { p.chunks = nullptr; });
    refuse(Status::kNullPointer, "partials is null", [](P& p) { p.clipNorm = 1; });
    refuse(Status::kNullPointer, "counter is null", [&](P& p) {
        p.norm = memory.data();
        p.partials = reinterpret_cast<double*>(memory.data());
    });
    refuse(Status::kInvalidShape, "clipNorm is -1", [](P& p) { p.clipNorm = -1; });
    refuse(Status::kInvalidShape, "chunkCount is 0", [](P& p) { p.chunkCount = 0; });
    refuse(Status::kResourceLimit, "blocks", [](P& p) { p.chunkCount = std::int64_t(1) << 33; });
}

}  // namespace effconv::test
