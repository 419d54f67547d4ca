package org.effconv.nn.layer;

import org.effconv.autodiff.Ops;
import org.effconv.autodiff.Variable;
import org.effconv.backend.Activation;
import org.effconv.nn.model.ModelTensor;
import org.effconv.nn.model.NetworkOperations;
import org.effconv.tensor.Shape;

/**
 * Batch normalisation per channel. A ReLU or the sum of a residual block that follows is done in the same operation.
 */
record BatchNormLayer(String name) implements Layer {
    private static final double EPSILON = 1e-5;
    private static final double MOMENTUM = 0.1;

    @Override
    public void plan(Planner planner, String name) {
        Extent image = planner.image(name);
        Shape shape = Shape.of(image.channels());
        planner.unique(name);
        ModelTensor scale = ModelTensor.vector(name + ".scale", name + ".weight", shape);
        ModelTensor shift = ModelTensor.vector(name + ".shift", name + ".bias", shape);
        Bound step = new Bound(
                planner.parameter(ParameterSpec.constant(scale, 1)),
                planner.parameter(ParameterSpec.constant(shift, 0)),
                ModelTensor.vector(name + ".runningMean", name + ".running_mean", shape),
                ModelTensor.vector(name + ".runningVariance", name + ".running_var", shape),
                Activation.NONE);
        planner.statistic(step.mean, 0);
        planner.statistic(step.variance, 1);
        planner.add(name, step, image);
    }

    private record Bound(
            ParameterSpec scale, ParameterSpec shift, ModelTensor mean, ModelTensor variance, Activation activation)
            implements Step {
        @Override
        public Variable forward(Pass pass, Variable x) {
            return normalised(pass, x, null);
        }

        private Variable normalised(Pass pass, Variable x, Variable addend) {
            return Ops.batchNorm(
                    pass.tape(),
                    x,
                    pass.parameter(scale),
                    pass.parameter(shift),
                    addend,
                    activation,
                    new Ops.BatchNormState(EPSILON, MOMENTUM, pass.statistic(mean), pass.statistic(variance)));
        }

        @Override
        public <V> V trace(NetworkOperations<V> to, V x) {
            V y = to.batchNorm(x, scale.name(), shift.name(), mean.name(), variance.name(), EPSILON);
            return ActivationLayer.trace(to, y, activation);
        }

        @Override
        public Step followedBy(Activation next) {
            return activation == Activation.NONE && next == Activation.RELU ? with(next) : null;
        }

        @Override
        public Sum plus(Activation next) {
            return activation == Activation.NONE ? with(next)::normalised : null;
        }

        private Bound with(Activation next) {
            return new Bound(scale, shift, mean, variance, next);
        }
    }
}
