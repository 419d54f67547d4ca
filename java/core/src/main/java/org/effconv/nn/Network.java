package org.effconv.nn;

import java.util.Collections;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.function.LongSupplier;
import org.effconv.autodiff.Ops;
import org.effconv.autodiff.Parameter;
import org.effconv.autodiff.Tape;
import org.effconv.autodiff.Variable;
import org.effconv.backend.Backend;
import org.effconv.tensor.DataType;
import org.effconv.tensor.Shape;
import org.effconv.tensor.Tensor;

/**
 * A network without the weights of its sized convolutions: it owns the parameters that do not depend on the sizes and
 * the running statistics of its batch norms, and asks a {@link WeightSource} for the rest.
 */
public final class Network implements AutoCloseable {
    static final double EPSILON = 1e-5;
    private static final double MOMENTUM = 0.1;

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
            for (Step.ParameterSpec spec : plan.parameterSpecs()) {
                Tensor value = Tensor.allocate(backend.memory(), type, spec.shape());
                parameters.put(spec.name(), new Parameter(spec.name(), value, spec.decayed()));
                if (spec.deviation() == 0) {
                    backend.fill(value, spec.mean());
                } else {
                    int count = Math.toIntExact(spec.shape().count());
                    backend.write(value, Initialization.normal(seed, spec.name(), count, spec.deviation()));
                }
            }
            for (Step.BatchNorm norm : plan.batchNorms()) {
                buffer(backend, norm.runningMean(), type, 0);
                buffer(backend, norm.runningVariance(), type, 1);
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
        return new Pass(tape, source, stepSeed).run(plan.steps(), x);
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

    /**
     * One forward pass. Values are released as soon as inference is done with them; training keeps them for the
     * gradients.
     */
    private final class Pass {
        private final Tape tape;
        private final WeightSource source;
        private final LongSupplier stepSeed;

        Pass(Tape tape, WeightSource source, LongSupplier stepSeed) {
            this.tape = tape;
            this.source = source;
            this.stepSeed = stepSeed;
        }

        /** The caller keeps x. */
        Variable run(List<Step> steps, Variable x) {
            Variable now = x;
            for (Step step : steps) {
                Variable next = step(step, now);
                if (next != now) {
                    release(now, x);
                }
                now = next;
            }
            return now;
        }

        private void release(Variable v, Variable unless) {
            if (v != unless) {
                tape.release(v);
            }
        }

        private Variable step(Step step, Variable x) {
            if (step instanceof Step.Conv conv) {
                Variable w = conv.sized() == null
                        ? leaf(conv.weight())
                        : source.weights(tape, conv.sized().index());
                return Ops.convolution(tape, conv.convolution(), x, w, leaf(conv.bias()));
            } else if (step instanceof Step.BatchNorm norm) {
                return batchNorm(norm, x, null);
            } else if (step instanceof Step.Activate activate) {
                return Ops.activation(tape, activate.activation(), x);
            } else if (step instanceof Step.Pool pool) {
                return Ops.pool(tape, pool.pooling(), x);
            } else if (step instanceof Step.GlobalAveragePool) {
                return Ops.globalAveragePool(tape, x);
            } else if (step instanceof Step.Linear linear) {
                return linear(linear, x);
            } else if (step instanceof Step.Dropout dropout) {
                return Ops.dropout(
                        tape, x, dropout.rate(), () -> Initialization.seed(stepSeed.getAsLong(), dropout.ordinal()));
            } else if (step instanceof Step.Residual residual) {
                return residual(residual, x);
            }
            throw new IllegalStateException("no operation for " + step);
        }

        private Variable batchNorm(Step.BatchNorm norm, Variable x, Variable residual) {
            return Ops.batchNorm(
                    tape,
                    x,
                    leaf(norm.scale()),
                    leaf(norm.shift()),
                    residual,
                    norm.activation(),
                    new Ops.BatchNormState(
                            EPSILON,
                            MOMENTUM,
                            buffers.get(norm.runningMean().name()),
                            buffers.get(norm.runningVariance().name())));
        }

        private Variable linear(Step.Linear linear, Variable x) {
            Variable flat = x.shape().rank() == 2 ? x : Ops.flatten(tape, x);
            Variable y = Ops.linear(tape, flat, leaf(linear.weight()), leaf(linear.bias()));
            release(flat, x);
            return y;
        }

        private Variable residual(Step.Residual block, Variable x) {
            List<Step> body = block.body();
            boolean folded = block.folded();
            Variable inner = run(folded ? body.subList(0, body.size() - 1) : body, x);
            Variable shortcut = run(block.shortcut(), x);
            Variable y = folded
                    ? batchNorm((Step.BatchNorm) body.get(body.size() - 1), inner, shortcut)
                    : Ops.add(tape, inner, shortcut, block.activation());
            release(inner, x);
            release(shortcut, x);
            return y;
        }

        private Variable leaf(Step.ParameterSpec spec) {
            return spec == null ? null : tape.parameter(parameters.get(spec.name()));
        }
    }
}
