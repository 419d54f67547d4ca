// Coordinate network kernels against the same arithmetic in fp64 (which arithmetic_test holds to central differences),
// several layers in one launch, over chosen and drawn shapes, three thread orders.
#include "effconv/kernels/coordinate_features.h"

#include <array>
#include <memory>

#include "predictor_check.h"

using namespace effconv;
using namespace effconv::test;

namespace {

/// W1, b1, W2, b2, gamma, beta, in this order.
constexpr int kArrays = 6;
const char* const kNames[kArrays] = {"W1", "b1", "W2", "b2", "gamma", "beta"};

struct Layer {
    int grid, kmax, hidden, features;
    float omega;
    std::array<Floats, kArrays> arrays;
    Floats dH;

    std::size_t outputs() const { return std::size_t(grid) * grid * features; }
};

Layer drawLayer(int grid, int kmax, int hidden, int features, float omega, Random& random) {
    Layer layer{grid, kmax, hidden, features, omega, {}, {}};
    layer.arrays[0] = drawAround(2 * hidden, 0, 1, random);
    layer.arrays[1] = drawAround(hidden, 0, 1, random);
    layer.arrays[2] = drawAround(std::size_t(features) * hidden, 0, std::sqrt(6.0f / hidden), random);
    layer.arrays[3] = drawAround(features, 0, 3, random);
    layer.arrays[4] = drawAround(hidden, 0, 0.5f, random);
    layer.arrays[5] = drawAround(hidden, 0, 0.5f, random);
    layer.dH = drawAround(layer.outputs(), 0, 1, random);
    return layer;
}

struct Expected {
    Doubles H;
    std::array<Doubles, kArrays> gradients;
};

Expected reference(const Layer& layer) {
    Expected want;
    want.H.resize(layer.outputs());
    std::array<Doubles, kArrays> a;
    for (int i = 0; i < kArrays; ++i) {
        a[i] = inDouble(layer.arrays[i]);
        want.gradients[i].assign(a[i].size(), 0.0);
    }
    const CoordinateNetwork<double> net{layer.hidden, layer.features, layer.omega, a[0].data(), a[1].data(),
                                        a[2].data(),  a[3].data(),    a[4].data(), a[5].data()};
    auto& g = want.gradients;
    const CoordinateGradients<double> gradients{g[0].data(), g[1].data(), g[2].data(),
                                                g[3].data(), g[4].data(), g[5].data()};
    const Doubles dH = inDouble(layer.dH);
    Doubles z(layer.hidden), dz(layer.hidden);
    for (int tap = 0; tap < layer.grid * layer.grid; ++tap) {
        const double x = 2.0 * (tap % layer.grid - layer.grid / 2) / layer.kmax;
        const double y = 2.0 * (tap / layer.grid - layer.grid / 2) / layer.kmax;
        coordinateForward(net, x, y, z.data(), &want.H[std::size_t(tap) * layer.features]);
        coordinateBackward(net, x, y, &dH[std::size_t(tap) * layer.features], z.data(), dz.data(), gradients);
    }
    return want;
}

/// A layer's arrays on the device.
struct Arrays {
    std::vector<std::unique_ptr<OddBuffer>> parameters, gradients;
    OddBuffer H, dH;

    explicit Arrays(const Layer& layer) : H(layer.outputs()), dH(layer.dH) {
        for (const Floats& values : layer.arrays) {
            parameters.push_back(std::make_unique<OddBuffer>(values));
            gradients.push_back(std::make_unique<OddBuffer>(values.size()));
        }
    }
    CoordinateFeatureLayer row(const Layer& layer, CoordinatePass pass) const {
        CoordinateFeatureLayer row;
        const auto at = [](const std::vector<std::unique_ptr<OddBuffer>>& from, int i) { return from[i]->data(); };
        row.W1 = at(parameters, 0), row.b1 = at(parameters, 1), row.W2 = at(parameters, 2);
        row.b2 = at(parameters, 3), row.gamma = at(parameters, 4), row.beta = at(parameters, 5);
        row.H = pass == CoordinatePass::kForward ? H.data() : dH.data();
        if (pass == CoordinatePass::kGradient) {
            row.dW1 = at(gradients, 0), row.db1 = at(gradients, 1), row.dW2 = at(gradients, 2);
            row.db2 = at(gradients, 3), row.dgamma = at(gradients, 4), row.dbeta = at(gradients, 5);
        }
        row.omega = layer.omega;
        row.grid = layer.grid, row.kmax = layer.kmax, row.hidden = layer.hidden, row.features = layer.features;
        return row;
    }
};

void launchPass(const std::vector<Layer>& layers, const std::vector<std::unique_ptr<Arrays>>& arrays,
                CoordinatePass pass, const DeviceLimits& limits) {
    std::vector<CoordinateFeatureLayer> rows;
    for (std::size_t l = 0; l < layers.size(); ++l) rows.push_back(arrays[l]->row(layers[l], pass));
    const int count = static_cast<int>(rows.size());
    CoordinatePlan plan;
    Result result = planCoordinateItems(rows.data(), count, pass, limits, plan, nullptr, nullptr);
    if (!result.ok()) throw Failure(result.message);
    std::vector<CoordinateItem> tiles(plan.tileItems), reductions(plan.reduceItems);
    planCoordinateItems(rows.data(), count, pass, limits, plan, tiles.data(), reductions.data());
    DeviceBuffer<CoordinateFeatureLayer> deviceRows(rows);
    DeviceBuffer<CoordinateItem> deviceTiles(tiles), deviceReductions(reductions);
    DeviceBuffer<float> workspace(static_cast<std::size_t>(plan.workspaceFloats));
    CoordinateFeaturesParams p;
    p.layers = deviceRows.data();
    p.tiles = deviceTiles.data();
    p.reductions = deviceReductions.data();
    p.workspace = workspace.data();
    p.taps = plan.taps;
    launchAll(planCoordinateFeatures(p, plan, pass, limits), p);
}

void checkLayers(const std::vector<Layer>& layers, const DeviceLimits& limits = deviceLimits()) {
    std::vector<Floats> first;
    forEachThreadOrder([&](int order) {
        std::vector<std::unique_ptr<Arrays>> arrays;
        for (const Layer& layer : layers) arrays.push_back(std::make_unique<Arrays>(layer));
        launchPass(layers, arrays, CoordinatePass::kForward, limits);
        launchPass(layers, arrays, CoordinatePass::kGradient, limits);
        std::size_t index = 0;
        for (std::size_t l = 0; l < layers.size(); ++l) {
            const Layer& layer = layers[l];
            const std::string name = text(" of layer %zu: grid %d, kmax %d, hidden %d, features %d, omega %g", l,
                                          layer.grid, layer.kmax, layer.hidden, layer.features, layer.omega);
            const Expected want = order == 0 ? reference(layer) : Expected();
            // The first sine magnifies the rounding of its argument, about omega.
            const double condition = 2 + layer.omega;
            double least = 0;
            for (const Doubles& gradient : want.gradients) least = std::max(least, 0.01 * largestOf(gradient));
            for (int i = -1; i < kArrays; ++i) {
                const std::string what = (i < 0 ? "H" : std::string("d") + kNames[i]) + name;
                const Floats got = i < 0 ? arrays[l]->H.download() : arrays[l]->gradients[i]->download();
                if (order == 0) {
                    first.push_back(got);
                    checkArray(what, got, i < 0 ? want.H : want.gradients[i], condition, i < 0 ? 1 : least);
                }
                checkSameBits(what, got, first[index++]);
            }
        }
    });
}

}  // namespace

EC_TEST(coordinate_features_chosen_shapes) {
    Random random(101);
    checkLayers({drawLayer(1, 1, 1, 1, 1, random)});
    checkLayers({drawLayer(7, 33, 64, 32, 30, random), drawLayer(3, 3, 64, 32, 10, random),
                 drawLayer(1, 5, 64, 32, 30, random)});
    checkLayers({drawLayer(33, 33, 5, 3, 6, random)});
    checkLayers({drawLayer(5, 7, 33, 1, 2, random), drawLayer(3, 9, 1, 40, 3, random)});
}

EC_TEST(coordinate_features_drawn_shapes) {
    Random random(102);
    DeviceLimits small = deviceLimits();
    small.sharedBytesPerBlock = 4 * 1024;
    for (int draw = 0; draw < 60; ++draw) {
        std::vector<Layer> layers;
        for (int l = random.integer(1, 4); l > 0; --l) {
            const int kmax = 2 * random.integer(0, 16) + 1;
            const int grid = 2 * random.integer(0, std::min(4, kmax / 2)) + 1;
            layers.push_back(drawLayer(grid, kmax, random.pick({1, 2, 7, 16, 31, 64}), random.pick({1, 3, 8, 17, 32}),
                                       random.pick({1.0f, 6.0f, 30.0f}), random));
        }
        checkLayers(layers, draw % 3 == 0 ? small : deviceLimits());
    }
}

EC_TEST(coordinate_features_widest_layers) {
    Random random(103);
    DeviceLimits ampere = deviceLimits();
    ampere.sharedBytesPerBlock = 99 * 1024;
    checkLayers({drawLayer(5, 7, 512, 64, 30, random)}, ampere);
}

EC_TEST(coordinate_features_sine_of_large_phases) {
    Random random(104);
    Layer layer = drawLayer(1, 1, 1, 512, 1, random);
    layer.arrays[2].assign(layer.features, 0.0f);
    for (int f = 0; f < layer.features; ++f)
        layer.arrays[3][f] = random.symmetric() * random.pick({1.0f, 50.0f, 3e3f, 1e6f});
    layer.arrays[3][0] = 0, layer.arrays[3][1] = 0.78539816f, layer.arrays[3][2] = -1.57079633f,
    layer.arrays[3][3] = 3.14159274f;
    std::vector<std::unique_ptr<Arrays>> arrays;
    arrays.push_back(std::make_unique<Arrays>(layer));
    launchPass({layer}, arrays, CoordinatePass::kForward, deviceLimits());
    checkClose("H", arrays[0]->H.download(), reference(layer).H, Doubles(layer.features, 1.0), {3e-7, 0});
    layer.arrays[3].assign(layer.features, INFINITY);
    arrays[0] = std::make_unique<Arrays>(layer);
    launchPass({layer}, arrays, CoordinatePass::kForward, deviceLimits());
    for (const float value : arrays[0]->H.download()) EC_CHECK(std::isnan(value));
}

EC_TEST(coordinate_features_bad_requests_are_refused) {
    DeviceBuffer<float> buffer(64);
    float* data = buffer.data();
    const auto refuse = [&](CoordinatePass pass, Status status, const char* message, auto change) {
        CoordinateFeatureLayer layer;
        layer.W1 = layer.b1 = layer.W2 = layer.b2 = layer.gamma = layer.beta = layer.H = data;
        layer.dW1 = layer.db1 = layer.dW2 = layer.db2 = layer.dgamma = layer.dbeta = data;
        layer.grid = layer.kmax = 3;
        layer.hidden = layer.features = 2;
        change(layer);
        CoordinatePlan plan;
        checkRefused(planCoordinateItems(&layer, 1, pass, deviceLimits(), plan, nullptr, nullptr), status, message);
        EC_CHECK(plan.tileItems == 0);
    };
    using Row = CoordinateFeatureLayer;
    for (const CoordinatePass pass : {CoordinatePass::kForward, CoordinatePass::kGradient}) {
        refuse(pass, Status::kNullPointer, "layer 0: W2 is null", [](Row& r) { r.W2 = nullptr; });
        refuse(pass, Status::kNullPointer, "H is null", [](Row& r) { r.H = nullptr; });
        refuse(pass, Status::kMisaligned, "beta must be aligned",
               [](Row& r) { r.beta = reinterpret_cast<const float*>(reinterpret_cast<const char*>(r.beta) + 1); });
        refuse(pass, Status::kUnsupported, "grid is 2", [](Row& r) { r.grid = 2; });
        refuse(pass, Status::kUnsupported, "kmax is 35", [](Row& r) { r.kmax = 35; });
        refuse(pass, Status::kInvalidShape, "grid 5 exceeds kmax 3", [](Row& r) { r.grid = 5; });
        refuse(pass, Status::kInvalidShape, "hidden is 0", [](Row& r) { r.hidden = 0; });
        refuse(pass, Status::kInvalidShape, "features is -1", [](Row& r) { r.features = -1; });
    }
    refuse(CoordinatePass::kGradient, Status::kNullPointer, "dgamma is null", [](Row& r) { r.dgamma = nullptr; });

    CoordinatePlan plan;
    plan.tileItems = plan.reduceItems = 1;
    plan.taps = 32;
    plan.forwardSharedBytes = plan.gradientSharedBytes = 1024;
    DeviceBuffer<CoordinateFeatureLayer> layers(1);
    DeviceBuffer<CoordinateItem> items(1);
    CoordinateFeaturesParams good;
    good.layers = layers.data();
    good.tiles = good.reductions = items.data();
    good.workspace = data;
    good.taps = 32;
    const auto refuseLaunch = [&](Status status, const char* message, auto change) {
        CoordinateFeaturesParams p = good;
        DeviceLimits limits = deviceLimits();
        change(p, limits);
        checkRefused(planCoordinateFeatures(p, plan, CoordinatePass::kGradient, limits).result, status, message);
    };
    using P = CoordinateFeaturesParams;
    using L = DeviceLimits;
    refuseLaunch(Status::kNullPointer, "layers is null", [](P& p, L&) { p.layers = nullptr; });
    refuseLaunch(Status::kNullPointer, "workspace is null", [](P& p, L&) { p.workspace = nullptr; });
    refuseLaunch(Status::kInvalidShape, "tiles of 16 taps", [](P& p, L&) { p.taps = 16; });
    refuseLaunch(Status::kResourceLimit, "shared memory", [](P&, L& l) { l.sharedBytesPerBlock = 512; });
    refuseLaunch(Status::kResourceLimit, "blocks", [](P&, L& l) { l.gridX = 0; });
}
