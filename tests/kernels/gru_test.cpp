// GRU kernels against the same arithmetic in fp64 (which arithmetic_test holds to central differences), cell by cell,
// over chosen and drawn shapes, three thread orders, U resident in shared memory or not.
#include "effconv/kernels/gru.h"

#include <array>
#include <memory>

#include "predictor_check.h"

using namespace effconv;
using namespace effconv::test;

namespace {

/// W, U, b, c of both directions, in this order.
constexpr int kArrays = 8;
const char* const kNames[kArrays] = {"W0", "U0", "b0", "c0", "W1", "U1", "b1", "c1"};

struct Problem {
    int steps, inputs, hidden;
    Floats x, dh;
    std::array<Floats, kArrays> weights;
};

Problem drawProblem(int steps, int inputs, int hidden, Random& random) {
    Problem problem{steps, inputs, hidden, {}, {}, {}};
    problem.x = drawAround(std::size_t(steps) * inputs, 0, 1, random);
    problem.dh = drawAround(std::size_t(steps) * 2 * hidden, 0, 1, random);
    for (int direction = 0; direction < 2; ++direction) {
        Floats* w = &problem.weights[4 * direction];
        w[0] = drawAround(std::size_t(3) * hidden * inputs, 0, 1.7f / std::sqrt(float(inputs)), random);
        w[1] = drawAround(std::size_t(3) * hidden * hidden, 0, 1.7f / std::sqrt(float(hidden)), random);
        w[2] = drawAround(std::size_t(3) * hidden, 0, 0.5f, random);
        w[3] = drawAround(std::size_t(3) * hidden, 0, 0.5f, random);
    }
    return problem;
}

struct Expected {
    Doubles h, tape, dx;
    std::array<Doubles, kArrays> gradients;
};

Expected reference(const Problem& p) {
    const int L = p.steps, H = p.hidden, I = p.inputs;
    Expected want;
    want.h.resize(L * 2 * H);
    want.tape.resize(L * 8 * H);
    want.dx.assign(L * I, 0.0);
    const Doubles x = inDouble(p.x), dh = inDouble(p.dh), zero(H, 0.0);
    for (int direction = 0; direction < 2; ++direction) {
        Doubles w[4], *g = &want.gradients[4 * direction];
        for (int i = 0; i < 4; ++i) {
            w[i] = inDouble(p.weights[4 * direction + i]);
            g[i].assign(w[i].size(), 0.0);
        }
        const GruParameters<double> cell{I, H, w[0].data(), w[1].data(), w[2].data(), w[3].data()};
        const auto positionOf = [&](int step) { return direction == 0 ? step : L - 1 - step; };
        const auto stateOf = [&](int step) -> double* {
            return step < 0 ? nullptr : &want.h[(2 * positionOf(step) + direction) * H];
        };
        std::vector<GruGates<double>> gates(L * H);
        for (int step = 0; step < L; ++step) {
            const double* before = step == 0 ? zero.data() : stateOf(step - 1);
            gruCellForward(cell, &x[positionOf(step) * I], before, stateOf(step), &gates[step * H]);
            double* tape = &want.tape[(2 * positionOf(step) + direction) * 4 * H];
            for (int j = 0; j < H; ++j) {
                const GruGates<double>& gate = gates[step * H + j];
                tape[j] = gate.r, tape[H + j] = gate.z, tape[2 * H + j] = gate.n, tape[3 * H + j] = gate.hn;
            }
        }
        Doubles carry(H, 0.0), total(H), passed(H), dx(I);
        for (int step = L - 1; step >= 0; --step) {
            for (int j = 0; j < H; ++j) total[j] = dh[(2 * positionOf(step) + direction) * H + j] + carry[j];
            const double* before = step == 0 ? zero.data() : stateOf(step - 1);
            gruCellBackward(cell, &x[positionOf(step) * I], before, &gates[step * H], total.data(), passed.data(),
                            dx.data(), GruGradients<double>{g[0].data(), g[1].data(), g[2].data(), g[3].data()});
            for (int i = 0; i < I; ++i) want.dx[positionOf(step) * I + i] += dx[i];
            carry = passed;
        }
    }
    return want;
}

struct Outputs {
    Floats h, tape, dx;
    std::array<Floats, kArrays> gradients;
};

Outputs runKernels(const Problem& problem, bool withDx, const DeviceLimits& limits) {
    OddBuffer x(problem.x), dh(problem.dh), h(problem.dh.size()), tape(problem.dh.size() * 4), dx(problem.x.size());
    std::vector<std::unique_ptr<OddBuffer>> weights, gradients;
    for (const Floats& values : problem.weights) {
        weights.push_back(std::make_unique<OddBuffer>(values));
        gradients.push_back(std::make_unique<OddBuffer>(values.size()));
    }
    GruParams p;
    p.x = x.data();
    for (int d = 0; d < 2; ++d) {
        const auto arrays = [&](const std::vector<std::unique_ptr<OddBuffer>>& from) {
            return GruArrays{from[4 * d]->data(), from[4 * d + 1]->data(), from[4 * d + 2]->data(),
                             from[4 * d + 3]->data()};
        };
        p.weights[d] = arrays(weights);
        p.gradients[d] = arrays(gradients);
    }
    p.h = h.data();
    p.tape = tape.data();
    p.dh = dh.data();
    p.dx = withDx ? dx.data() : nullptr;
    p.steps = problem.steps;
    p.inputs = problem.inputs;
    p.hidden = problem.hidden;
    for (const GruPass pass : {GruPass::kForward, GruPass::kGradient}) {
        const LaunchSequence sequence = planGru(p, pass, limits);
        DeviceBuffer<float> workspace(static_cast<std::size_t>(sequence.workspaceBytes / 4));
        p.workspace = workspace.data();
        launchAll(sequence, p);
    }
    Outputs outputs{h.download(), tape.download(), {}, {}};
    if (withDx) outputs.dx = dx.download();
    for (int i = 0; i < kArrays; ++i) outputs.gradients[i] = gradients[i]->download();
    return outputs;
}

void checkProblem(const Problem& problem, bool withDx = true, const DeviceLimits& limits = deviceLimits()) {
    const Expected want = reference(problem);
    const std::string name = text(" of %d steps, %d inputs, hidden %d", problem.steps, problem.inputs, problem.hidden);
    double least = 0;
    for (const Doubles& gradient : want.gradients) least = std::max(least, 0.01 * largestOf(gradient));
    Outputs first;
    forEachThreadOrder([&](int order) {
        const Outputs got = runKernels(problem, withDx, limits);
        if (order == 0) {
            first = got;
            checkArray("h" + name, got.h, want.h);
            checkArray("tape" + name, got.tape, want.tape);
            if (withDx) checkArray("dx" + name, got.dx, want.dx, 1, least);
        }
        checkSameBits("h" + name, got.h, first.h);
        checkSameBits("tape" + name, got.tape, first.tape);
        checkSameBits("dx" + name, got.dx, first.dx);
        for (int i = 0; i < kArrays; ++i) {
            const std::string what = std::string("gradient of ") + kNames[i] + name;
            if (order == 0) checkArray(what, got.gradients[i], want.gradients[i], 1, least);
            checkSameBits(what, got.gradients[i], first.gradients[i]);
        }
    });
}

}  // namespace

EC_TEST(gru_chosen_shapes) {
    Random random(61);
    checkProblem(drawProblem(1, 1, 1, random));
    checkProblem(drawProblem(2, 3, 4, random));
    checkProblem(drawProblem(3, 33, 31, random));
    checkProblem(drawProblem(5, 7, 130, random));  // more units than a block takes at a time
}

EC_TEST(gru_drawn_shapes) {
    Random random(62);
    DeviceLimits small = deviceLimits();
    small.sharedBytesPerBlock = 8 * 1024;  // U does not fit from 24 hidden units on
    for (int draw = 0; draw < 60; ++draw) {
        const int steps = random.pick({1, 2, 3, 4, 6});
        const int inputs = random.pick({1, 2, 6, 13, 32, 70});
        const int hidden = random.pick({1, 2, 3, 5, 16, 17, 31, 40});
        checkProblem(drawProblem(steps, inputs, hidden, random), draw % 4 != 0, draw % 3 == 0 ? small : deviceLimits());
    }
}

EC_TEST(gru_full_size) {
    Random random(63);
    DeviceLimits ampere = deviceLimits();
    ampere.sharedBytesPerBlock = 99 * 1024;
    const Problem problem = drawProblem(4, 6, 128, random);
    checkProblem(problem);
    checkProblem(problem, true, ampere);
}

EC_TEST(gru_residence_of_the_matrix) {
    DeviceBuffer<float> buffer(64);
    GruParams p;
    p.x = p.h = p.tape = buffer.data();
    for (GruArrays& arrays : p.weights) arrays = {buffer.data(), buffer.data(), buffer.data(), buffer.data()};
    p.steps = p.inputs = 1;
    p.hidden = 128;
    DeviceLimits limits;
    limits.sharedBytesPerBlock = 232448;
    EC_CHECK(planGru(p, GruPass::kForward, limits).result.ok() && p.resident == 1);
    limits.sharedBytesPerBlock = 49152;
    EC_CHECK(planGru(p, GruPass::kForward, limits).result.ok() && p.resident == 0);
    p.hidden = kGruMaxHidden;
    EC_CHECK(planGru(p, GruPass::kForward, limits).result.ok() && p.resident == 0);
}

EC_TEST(gru_bad_requests_are_refused) {
    DeviceBuffer<float> buffer(64);
    const auto refuse = [&](GruPass pass, Status status, const char* message, auto change) {
        GruParams p;
        p.x = p.dh = p.h = p.tape = p.dx = buffer.data();
        for (int d = 0; d < 2; ++d) {
            p.weights[d] = p.gradients[d] = {buffer.data(), buffer.data(), buffer.data(), buffer.data()};
        }
        p.steps = p.inputs = p.hidden = 2;
        DeviceLimits limits = deviceLimits();
        change(p, limits);
        const LaunchSequence sequence = planGru(p, pass, limits);
        checkRefused(sequence.result, status, message);
        EC_CHECK(sequence.count == 0);
    };
    using P = GruParams;
    using L = DeviceLimits;
    for (const GruPass pass : {GruPass::kForward, GruPass::kGradient}) {
        refuse(pass, Status::kNullPointer, "x is null", [](P& p, L&) { p.x = nullptr; });
        refuse(pass, Status::kNullPointer, "U of direction 1 is null", [](P& p, L&) { p.weights[1].U = nullptr; });
        refuse(pass, Status::kNullPointer, "tape is null", [](P& p, L&) { p.tape = nullptr; });
        refuse(pass, Status::kMisaligned, "h must be aligned",
               [](P& p, L&) { p.h = reinterpret_cast<float*>(reinterpret_cast<char*>(p.h) + 2); });
        refuse(pass, Status::kInvalidShape, "steps is 0", [](P& p, L&) { p.steps = 0; });
        refuse(pass, Status::kInvalidShape, "inputs is -1", [](P& p, L&) { p.inputs = -1; });
        refuse(pass, Status::kUnsupported, "hidden is 2049", [](P& p, L&) { p.hidden = 2049; });
        refuse(pass, Status::kResourceLimit, "blocks", [](P&, L& l) { l.gridX = 1; });
        refuse(pass, Status::kResourceLimit, "shared memory", [](P&, L& l) { l.sharedBytesPerBlock = 16; });
    }
    refuse(GruPass::kGradient, Status::kNullPointer, "dh is null", [](P& p, L&) { p.dh = nullptr; });
    refuse(GruPass::kGradient, Status::kNullPointer, "gradient of c of direction 0",
           [](P& p, L&) { p.gradients[0].c = nullptr; });
}
