package org.effconv.nn;

import java.util.Collections;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.function.LongSupplier;
import org.effconv.autodiff.Parameter;
import org.effconv.autodiff.Tape;
import org.effconv.autodiff.Variable;
import org.effconv.backend.Backend;
import org.effconv.nn.layer.ParameterSpec;
import org.effconv.nn.layer.Pass;
import org.effconv.nn.layer.Step;
import org.effconv.nn.model.ModelTensor;
import org.effconv.tensor.DataType;
import org.effconv.tensor.Shape;
import org.effconv.tensor.Tensor;

/**
 * A network without the weights of its sized convolutions: it owns the parameters that do not depend on the sizes and
 * the running statistics of its batch norms, and asks a {@link WeightSource} for the rest.
 */
public final class Network implements AutoCloseable {
    private final NetworkPlan plan;
    private final DataType activationType;
    private final Map<String, Parameter> parameters = new LinkedHashMap<>();
    private final Map<String, Tensor> buffers = new LinkedHashMap<>();

    /**
     * @param activationType F32 or BF16; F64 to verify gradients
     * @param seed of the start values; a parameter's values depend on it and on its name alone
     */
    public Network(Backend backend, NetworkPlan plan, DataType activationType, long seed) {
        this.plan = plan;
        this.activationType = activationType;
        DataType type = activationType.parameterType();
        try {
            for (ParameterSpec spec : plan.parameterSpecs()) {
                Tensor value = Tensor.allocate(backend.memory(), type, spec.shape());
                parameters.put(spec.name(), new Parameter(spec.name(), value, spec.decayed()));
                if (spec.deviation() == 0) {
                    backend.fill(value, spec.mean());
                } else {
                    int count = Math.toIntExact(spec.shape().count());
                    backend.write(value, Initialization.normal(seed, spec.name(), count, spec.deviation()));
                }
            }
            for (PlanBuilder.Statistic statistic : plan.statistics()) {
                buffer(backend, statistic.tensor(), type, statistic.start());
            }
        } catch (Throwable e) { // or an Error: the heap may run out, too
            close();
            throw e;
        }
    }

    private void buffer(Backend backend, ModelTensor statistic, DataType type, double value) {
        Tensor t = Tensor.allocate(backend.memory(), type, statistic.shape());
        buffers.put(statistic.name(), t);
        backend.fill(t, value);
    }

    public NetworkPlan plan() {
        return plan;
    }

    public DataType activationType() {
        return activationType;
    }

    /** Everything the network itself owns and trains, in network order; the weight source has the rest. */
    public List<Parameter> parameters() {
        return List.copyOf(parameters.values());
    }

    /** Running statistics by name: no parameters, yet part of a checkpoint. */
    public Map<String, Tensor> buffers() {
        return Collections.unmodifiableMap(buffers);
    }

    /**
     * @param x (N, H, W, C) in the activation type; {@link WeightSource#begin} has been called on the source
     * @param stepSeed another one each step; draws the dropout
     * @return logits (N, classes) in the activation type
     * @throws IllegalArgumentException if x is not of the plan's input
     */
    public Variable forward(Tape tape, Variable x, WeightSource source, long stepSeed) {
        return forward(tape, x, source, () -> stepSeed);
    }

    /** The same with a seed that is asked for when a dropout needs it, forwards and backwards. */
    public Variable forward(Tape tape, Variable x, WeightSource source, LongSupplier stepSeed) {
        NetworkPlan.Input in = plan.input();
        Shape expected = Shape.of(x.shape().dim(0), in.height(), in.width(), in.channels());
        if (!x.shape().equals(expected) || x.value().type() != activationType) {
            throw new IllegalArgumentException(
                    "network input is " + x.value() + ", expected " + activationType + " " + expected);
        }
        return new Forward(tape, source, stepSeed).run(plan.steps(), x);
    }

    /**
     * Takes over a copy of the parameters and running statistics of another network; what the weight source has is not
     * among them.
     *
     * @param other of the same plan and activation type, on the same backend
     * @throws IllegalArgumentException if its plan or type is another
     */
    public void startFrom(Backend backend, Network other) {
        if (other.plan != plan || other.activationType != activationType) {
            throw new IllegalArgumentException("a network of " + plan + " in " + activationType
                    + " cannot start from one of " + other.plan + " in " + other.activationType);
        }
        parameters.forEach(
                (name, own) -> backend.copy(other.parameters.get(name).value(), own.value()));
        buffers.forEach((name, own) -> backend.copy(other.buffers.get(name), own));
    }

    @Override
    public void close() {
        parameters.values().forEach(Parameter::close);
        buffers.values().forEach(Tensor::close);
    }

    /** One forward pass. */
    private final class Forward implements Pass {
        private final Tape tape;
        private final WeightSource source;
        private final LongSupplier stepSeed;

        Forward(Tape tape, WeightSource source, LongSupplier stepSeed) {
            this.tape = tape;
            this.source = source;
            this.stepSeed = stepSeed;
        }

        @Override
        public Tape tape() {
            return tape;
        }

        @Override
        public Variable run(List<Step> steps, Variable x) {
            Variable now = x;
            for (Step step : steps) {
                Variable next = step.forward(this, now);
                if (next != now) {
                    release(now, x);
                }
                now = next;
            }
            return now;
        }

        @Override
        public void release(Variable v, Variable unless) {
            if (v != unless) {
                tape.release(v);
            }
        }

        @Override
        public Variable parameter(ParameterSpec spec) {
            return spec == null ? null : tape.parameter(parameters.get(spec.name()));
        }

        @Override
        public Variable weights(int sizedLayer) {
            return source.weights(tape, sizedLayer);
        }

        @Override
        public Tensor statistic(ModelTensor tensor) {
            return buffers.get(tensor.name());
        }

        @Override
        public LongSupplier seed(int draws) {
            return () -> Initialization.seed(stepSeed.getAsLong(), draws);
        }
    }
}
