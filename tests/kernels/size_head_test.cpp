// Size head kernels against the same arithmetic in fp64 (which arithmetic_test holds to central differences), over
// chosen and drawn shapes, three thread orders.
#include "effconv/kernels/size_head.h"

#include "predictor_check.h"

using namespace effconv;
using namespace effconv::test;

namespace {

struct Problem {
    int layers, width;
    Floats h, gain, shift, w, g, b, kmin, kmax, dv;
};

struct Expected {
    Doubles u, v, dh, dgain, dshift, dw, dg, db;
    double nearestKink = 1e9;  ///< smallest |argument| of a ReLU
    double condition = 1;      ///< how much the layer norm magnifies an error of h: 1 / deviation
};

Expected reference(const Problem& p) {
    const int D = p.width;
    Expected want;
    want.u.resize(p.layers * D);
    want.dh.resize(p.layers * D);
    want.dgain.assign(D, 0.0);
    want.dshift.assign(D, 0.0);
    want.dw.assign(p.layers * D, 0.0);
    want.dg.assign(p.layers, 0.0);
    want.db.assign(p.layers, 0.0);
    const Doubles h = inDouble(p.h), gain = inDouble(p.gain), shift = inDouble(p.shift), w = inDouble(p.w);
    for (int l = 0; l < p.layers; ++l) {
        const SizeHead<double> head{D, gain.data(), shift.data(), &w[l * D], p.g[l], p.b[l], p.kmin[l], p.kmax[l]};
        SizeHeadState<double> state;
        want.v.push_back(sizeHeadForward(head, &h[l * D], &want.u[l * D], state));
        want.condition = std::max(want.condition, state.inverseDeviation);
        for (int j = 0; j < D; ++j) {
            const double value = (h[l * D + j] - state.mean) * state.inverseDeviation * gain[j] + shift[j];
            want.nearestKink = std::min(want.nearestKink, std::fabs(value));
        }
        sizeHeadBackward(head, &h[l * D], &want.u[l * D], state, double(p.dv[l]), static_cast<const double*>(nullptr),
                         &want.dh[l * D],
                         SizeHeadGradients<double>{want.dgain.data(), want.dshift.data(), &want.dw[l * D], &want.dg[l],
                                                   &want.db[l]});
    }
    return want;
}

/// Draws until no ReLU stands so near its kink that fp32 and fp64 could fall on different sides.
Problem drawProblem(int layers, int width, Random& random) {
    for (;;) {
        Problem p{layers, width, {}, {}, {}, {}, {}, {}, {}, {}, {}};
        p.h = drawAround(std::size_t(layers) * width, 0.1f, 0.8f, random);
        p.gain = drawAround(width, 1, 0.5f, random);
        p.shift = drawAround(width, 0.2f, 0.5f, random);
        p.w = drawAround(std::size_t(layers) * width, 0, 1, random);
        p.g = drawAround(layers, 1, 0.8f, random);
        p.b = drawAround(layers, 0, 1, random);
        p.dv = drawAround(layers, 0, 1, random);
        for (int l = 0; l < layers; ++l) {
            p.kmin.push_back(random.pick({1.0f, 1.5f}));
            p.kmax.push_back(random.pick({3.0f, 7.0f, 33.0f}));
        }
        const Expected want = reference(p);
        if (want.nearestKink > 1e-5 * want.condition) return p;
    }
}

/// A problem on the device, and both passes over it.
struct Kernels {
    std::size_t L, D;
    OddBuffer h, gain, shift, w, g, b, kmin, kmax, dv;
    OddBuffer u{L * D}, v{L}, dh{L * D}, dgain{D}, dshift{D}, dw{L * D}, dg{L}, db{L};
    SizeHeadParams p;

    explicit Kernels(const Problem& problem)
        : L(problem.layers),
          D(problem.width),
          h(problem.h),
          gain(problem.gain),
          shift(problem.shift),
          w(problem.w),
          g(problem.g),
          b(problem.b),
          kmin(problem.kmin),
          kmax(problem.kmax),
          dv(problem.dv) {
        p.h = h.data(), p.gain = gain.data(), p.shift = shift.data(), p.w = w.data(), p.g = g.data(), p.b = b.data();
        p.kmin = kmin.data(), p.kmax = kmax.data(), p.dv = dv.data();
        p.u = u.data(), p.v = v.data(), p.dh = dh.data(), p.dgain = dgain.data(), p.dshift = dshift.data();
        p.dw = dw.data(), p.dg = dg.data(), p.db = db.data();
        p.layers = problem.layers;
        p.width = problem.width;
    }

    void run() {
        const LaunchSequence forward = planSizeHead(p, SizeHeadPass::kForward, deviceLimits());
        const LaunchSequence gradient = planSizeHead(p, SizeHeadPass::kGradient, deviceLimits());
        DeviceBuffer<float> workspace(static_cast<std::size_t>(gradient.workspaceBytes / 4));
        p.workspace = workspace.data();
        launchAll(forward, p);
        launchAll(gradient, p);
    }
};

void checkProblem(const Problem& problem) {
    const Expected want = reference(problem);
    const std::string name = text(" of %d layers, width %d", problem.layers, problem.width);
    Kernels k(problem);
    const struct {
        const char* name;
        OddBuffer& buffer;
        const Doubles& want;
        bool gradient;
    } outputs[] = {{"u", k.u, want.u, false},
                   {"v", k.v, want.v, false},
                   {"dh", k.dh, want.dh, true},
                   {"dgain", k.dgain, want.dgain, true},
                   {"dshift", k.dshift, want.dshift, true},
                   {"dw", k.dw, want.dw, true},
                   {"dg", k.dg, want.dg, true},
                   {"db", k.db, want.db, true}};
    double least = 0;
    for (const auto& output : outputs) {
        if (output.gradient) least = std::max(least, 0.01 * largestOf(output.want));
    }
    std::vector<Floats> first;
    forEachThreadOrder([&](int order) {
        for (const auto& output : outputs) output.buffer.poison();
        k.run();
        for (std::size_t i = 0; i < std::size(outputs); ++i) {
            const auto& output = outputs[i];
            const Floats got = output.buffer.download();
            if (order == 0) {
                first.push_back(got);
                checkArray(output.name + name, got, output.want,
                           output.gradient ? want.condition * want.condition : want.condition,
                           output.gradient ? least : 0);
            }
            checkSameBits(output.name + name, got, first[i]);
        }
    });
}

}  // namespace

EC_TEST(size_head_chosen_shapes) {
    Random random(71);
    for (const int layers : {1, 2, 4, 5}) {
        for (const int width : {2, 3, 31, 32, 33, 256}) checkProblem(drawProblem(layers, width, random));
    }
    checkProblem(drawProblem(3, 1, random));
}

EC_TEST(size_head_drawn_shapes) {
    Random random(72);
    for (int draw = 0; draw < 60; ++draw) {
        checkProblem(
            drawProblem(random.integer(1, 40), random.pick({random.integer(1, 20), random.integer(1, 300)}), random));
    }
}

EC_TEST(size_head_nan_is_seen) {
    Random random(73);
    Problem state = drawProblem(2, 37, random);
    state.h[40] = NAN;
    Kernels k(state);
    k.run();
    const Floats u = k.u.download(), dh = k.dh.download(), dw = k.dw.download();
    for (std::size_t j = 0; j < 37; ++j) {
        EC_CHECK(std::isnan(u[37 + j]) && std::isnan(dh[37 + j]) && std::isnan(dw[37 + j]));
        EC_CHECK(std::isfinite(u[j]) && std::isfinite(dh[j]) && std::isfinite(dw[j]));
    }
    EC_CHECK(std::isnan(k.v.download()[1]) && std::isnan(k.dg.download()[1]) && std::isnan(k.db.download()[1]));
    EC_CHECK(std::isfinite(k.v.download()[0]) && std::isnan(k.dgain.download()[5]) &&
             std::isnan(k.dshift.download()[5]));

    Problem parameter = drawProblem(2, 37, random);
    parameter.shift[3] = NAN;
    Kernels shifted(parameter);
    shifted.run();
    for (const float v : shifted.v.download()) EC_CHECK(std::isnan(v));
    for (const float d : shifted.dh.download()) EC_CHECK(std::isnan(d));
}

EC_TEST(size_head_bad_requests_are_refused) {
    DeviceBuffer<float> buffer(64);
    float* data = buffer.data();
    const auto refuse = [&](SizeHeadPass pass, Status status, const char* message, auto change) {
        SizeHeadParams p;
        p.h = p.gain = p.shift = p.w = p.g = p.b = p.kmin = p.kmax = p.dv = data;
        p.u = p.v = p.dh = p.dgain = p.dshift = p.dw = p.dg = p.db = data;
        p.layers = p.width = 2;
        DeviceLimits limits = deviceLimits();
        change(p, limits);
        const LaunchSequence sequence = planSizeHead(p, pass, limits);
        checkRefused(sequence.result, status, message);
        EC_CHECK(sequence.count == 0);
    };
    using P = SizeHeadParams;
    using L = DeviceLimits;
    for (const SizeHeadPass pass : {SizeHeadPass::kForward, SizeHeadPass::kGradient}) {
        refuse(pass, Status::kNullPointer, "h is null", [](P& p, L&) { p.h = nullptr; });
        refuse(pass, Status::kNullPointer, "kmin is null", [](P& p, L&) { p.kmin = nullptr; });
        refuse(pass, Status::kMisaligned, "w must be aligned",
               [](P& p, L&) { p.w = reinterpret_cast<const float*>(reinterpret_cast<const char*>(p.w) + 1); });
        refuse(pass, Status::kInvalidShape, "layers is 0", [](P& p, L&) { p.layers = 0; });
        refuse(pass, Status::kInvalidShape, "width is -2", [](P& p, L&) { p.width = -2; });
        refuse(pass, Status::kResourceLimit, "blocks", [](P&, L& l) { l.gridX = 0; });
    }
    refuse(SizeHeadPass::kForward, Status::kNullPointer, "u is null", [](P& p, L&) { p.u = nullptr; });
    refuse(SizeHeadPass::kGradient, Status::kNullPointer, "dg is null", [](P& p, L&) { p.dg = nullptr; });
}
