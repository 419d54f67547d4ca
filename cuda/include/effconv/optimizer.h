// Optimiser updates of one element, in the master's precision.
#pragma once

#include "effconv/types.h"

namespace effconv {

/// AdamW (Loshchilov and Hutter, arXiv 1711.05101), constants of one step. Bias corrections are 1 - beta^t.
template <typename Real>
struct AdamWStep {
    Real learningRate;
    Real beta1;
    Real beta2;
    Real epsilon;
    Real weightDecay;  ///< decoupled: the parameter shrinks by learningRate * weightDecay
    Real correction1;  ///< 1 - beta1^t
    Real correction2;  ///< 1 - beta2^t
};

/// 1 - beta^t for the t-th step (t from 1).
inline double biasCorrection(double beta, std::int64_t step) {
    return 1.0 - std::pow(beta, static_cast<double>(step));
}

template <typename Real>
EC_HD void adamWUpdate(const AdamWStep<Real>& step, Real gradient, Real& parameter, Real& first, Real& second) {
    using std::sqrt;
    first = step.beta1 * first + (Real(1) - step.beta1) * gradient;
    second = step.beta2 * second + (Real(1) - step.beta2) * gradient * gradient;
    const Real denominator = sqrt(second / step.correction2) + step.epsilon;
    parameter = parameter - step.learningRate * step.weightDecay * parameter -
                step.learningRate * (first / step.correction1) / denominator;
}

/// SGD with momentum; weight decay is the classic L2 term (added to the gradient). Nesterov as in PyTorch.
template <typename Real>
struct SgdStep {
    Real learningRate;
    Real momentum;
    Real weightDecay;
    bool nesterov;
};

/// `velocity` starts at zero: velocity = momentum * velocity + gradient.
template <typename Real>
EC_HD void sgdUpdate(const SgdStep<Real>& step, Real gradient, Real& parameter, Real& velocity) {
    const Real decayed = gradient + step.weightDecay * parameter;
    velocity = step.momentum * velocity + decayed;
    const Real direction = step.nesterov ? decayed + step.momentum * velocity : velocity;
    parameter = parameter - step.learningRate * direction;
}

/// Factor that brings a gradient of the given norm to at most `limit`; a limit <= 0 switches clipping off. A NaN norm
/// gives a NaN factor, so that a broken step is seen and not silently left out.
template <typename Real>
EC_HD Real clipFactor(Real norm, Real limit) {
    if (limit <= Real(0) || norm <= limit) return Real(1);
    return limit / norm;
}

}  // namespace effconv
