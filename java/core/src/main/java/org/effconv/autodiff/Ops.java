package org.effconv.autodiff;

import java.util.function.LongSupplier;
import org.effconv.backend.Activation;
import org.effconv.backend.Backend;
import org.effconv.backend.Convolution;
import org.effconv.backend.GruDirection;
import org.effconv.backend.Pooling;
import org.effconv.tensor.DataType;
import org.effconv.tensor.Shape;
import org.effconv.tensor.Tensor;

/**
 * The differentiable operations: each runs its forward half at once and records its backward half on the tape.
 * Activations are (N, H, W, C) in the activation type, parameters in its {@link DataType#parameterType()} (see
 * {@link Backend}). No work is done for gradients that nobody needs.
 */
public final class Ops {
    private Ops() {}

    /**
     * @param w (K, k, k, C / groups), k odd
     * @param bias (K), or null
     * @return (N, Ho, Wo, K)
     */
    public static Variable convolution(Tape tape, Convolution c, Variable x, Variable w, Variable bias) {
        Shape in = x.shape();
        Tensor y = tape.allocate(
                x.value().type(),
                Shape.of(
                        in.dim(0),
                        c.outputExtent(in.dim(1)),
                        c.outputExtent(in.dim(2)),
                        w.shape().dim(0)));
        Backend backend = tape.backend();
        backend.convolution(c, x.value(), w.value(), valueOf(bias), y);
        return recordProduct(
                tape,
                y,
                x,
                w,
                bias,
                (dy, dx) -> backend.convolutionDataGradient(c, dy, w.value(), dx),
                (dy, dw, dbias) -> backend.convolutionWeightGradient(c, x.value(), dy, dw, dbias));
    }

    /**
     * @param x (N, D)
     * @param w (O, D)
     * @param bias (O), or null
     * @return (N, O)
     */
    public static Variable linear(Tape tape, Variable x, Variable w, Variable bias) {
        Tensor y = tape.allocate(
                x.value().type(), Shape.of(x.shape().dim(0), w.shape().dim(0)));
        Backend backend = tape.backend();
        backend.linear(x.value(), w.value(), valueOf(bias), y);
        return recordProduct(
                tape,
                y,
                x,
                w,
                bias,
                (dy, dx) -> backend.linearDataGradient(dy, w.value(), dx),
                (dy, dw, dbias) -> backend.linearWeightGradient(x.value(), dy, dw, dbias));
    }

    @FunctionalInterface
    private interface DataGradient {
        void run(Tensor dy, Tensor dx);
    }

    @FunctionalInterface
    private interface WeightGradient {
        void run(Tensor dy, Tensor dw, Tensor dbias);
    }

    private static Variable recordProduct(
            Tape tape, Tensor y, Variable x, Variable w, Variable bias, DataGradient data, WeightGradient weight) {
        return tape.record(y, needsGradient(x, w, bias), dy -> {
            Tensor dx = x.needsGradient() ? like(tape, x) : null;
            if (dx != null) {
                data.run(dy, dx);
            }
            Tensor dw = needsGradient(w, bias) ? like(tape, w) : null;
            Tensor dbias = needsGradient(bias) ? like(tape, bias) : null;
            if (dw != null) {
                weight.run(dy, dw, dbias);
                tape.addGradient(w, dw);
            }
            if (dbias != null) {
                tape.addGradient(bias, dbias);
            }
            if (dx != null) {
                tape.addGradient(x, dx);
            }
        });
    }

    /**
     * Constants and running statistics of one batch normalisation.
     *
     * @param momentum share of a new batch in the running statistics
     * @param runningMean (C) in P; updated by training, used by inference
     * @param runningVariance (C) in P
     */
    public record BatchNormState(double epsilon, double momentum, Tensor runningMean, Tensor runningVariance) {}

    /**
     * act(scale * (x - mean) / sqrt(variance + epsilon) + shift + residual) per channel; batch statistics while the
     * tape records, running ones otherwise.
     *
     * @param scale (C); {@code shift} likewise
     * @param residual shape of x, or null
     * @param act NONE or RELU
     */
    public static Variable batchNorm(
            Tape tape,
            Variable x,
            Variable scale,
            Variable shift,
            Variable residual,
            Activation act,
            BatchNormState state) {
        Backend backend = tape.backend();
        Tensor y = like(tape, x);
        if (!tape.recording()) {
            backend.batchNormInference(
                    x.value(),
                    scale.value(),
                    shift.value(),
                    valueOf(residual),
                    act,
                    state.epsilon(),
                    state.runningMean(),
                    state.runningVariance(),
                    y);
            return tape.record(y, false, null);
        }
        Tensor mean = like(tape, scale);
        Tensor invStd = like(tape, scale);
        backend.batchNorm(
                x.value(),
                scale.value(),
                shift.value(),
                valueOf(residual),
                act,
                state.epsilon(),
                state.momentum(),
                state.runningMean(),
                state.runningVariance(),
                mean,
                invStd,
                y);
        return tape.record(y, needsGradient(x, scale, shift, residual), dy -> {
            Tensor dscale = like(tape, scale);
            Tensor dshift = like(tape, shift);
            Tensor dresidual = needsGradient(residual) ? like(tape, residual) : null;
            backend.batchNormGradient(
                    x.value(), y, dy, scale.value(), mean, invStd, act, dy, dscale, dshift, dresidual);
            tape.recycle(mean);
            tape.recycle(invStd);
            if (dresidual != null) {
                tape.addGradient(residual, dresidual);
            }
            tape.addGradient(scale, dscale);
            tape.addGradient(shift, dshift);
            tape.addGradient(x, dy);
        });
    }

    /** Layer normalisation over the last dimension D; scale and shift (D). */
    public static Variable layerNorm(Tape tape, Variable x, Variable scale, Variable shift, double epsilon) {
        Tensor y = like(tape, x);
        DataType statistics = x.value().type().parameterType();
        Shape rows = Shape.of((int) (x.value().count() / x.shape().dim(-1)));
        Tensor mean = tape.allocate(statistics, rows);
        Tensor invStd = tape.allocate(statistics, rows);
        tape.backend().layerNorm(x.value(), scale.value(), shift.value(), epsilon, mean, invStd, y);
        return tape.record(y, needsGradient(x, scale, shift), dy -> {
            Tensor dx = like(tape, x);
            Tensor dscale = like(tape, scale);
            Tensor dshift = like(tape, shift);
            tape.backend().layerNormGradient(x.value(), dy, scale.value(), mean, invStd, dx, dscale, dshift);
            tape.recycle(mean);
            tape.recycle(invStd);
            tape.addGradient(x, dx);
            tape.addGradient(scale, dscale);
            tape.addGradient(shift, dshift);
        });
    }

    public static Variable activation(Tape tape, Activation act, Variable x) {
        Tensor y = like(tape, x);
        tape.backend().activation(act, x.value(), y);
        return tape.record(y, x.needsGradient(), dy -> {
            tape.backend().activationGradient(act, x.value(), dy, dy);
            tape.addGradient(x, dy);
        });
    }

    /** act(a + b), act NONE or RELU; equal shapes. */
    public static Variable add(Tape tape, Variable a, Variable b, Activation act) {
        Tensor y = like(tape, a);
        tape.backend().add(a.value(), b.value(), act, y);
        return tape.record(y, needsGradient(a, b), dy -> {
            if (act != Activation.NONE) {
                tape.backend().activationGradient(act, y, dy, dy); // a ReLU's output is positive where its input is
            }
            tape.addGradient(a, dy);
            tape.addGradient(b, dy);
        });
    }

    public static Variable pool(Tape tape, Pooling p, Variable x) {
        Shape in = x.shape();
        Tensor y = tape.allocate(
                x.value().type(), Shape.of(in.dim(0), p.outputExtent(in.dim(1)), p.outputExtent(in.dim(2)), in.dim(3)));
        tape.backend().pool(p, x.value(), y);
        return tape.record(y, x.needsGradient(), dy -> {
            Tensor dx = like(tape, x);
            tape.backend().poolGradient(p, x.value(), dy, dx);
            tape.addGradient(x, dx);
        });
    }

    /** (N, H, W, C) to (N, C). */
    public static Variable globalAveragePool(Tape tape, Variable x) {
        Tensor y = tape.allocate(
                x.value().type(), Shape.of(x.shape().dim(0), x.shape().dim(3)));
        tape.backend().globalAveragePool(x.value(), y);
        return tape.record(y, x.needsGradient(), dy -> {
            Tensor dx = like(tape, x);
            tape.backend().globalAveragePoolGradient(dy, dx);
            tape.addGradient(x, dx);
        });
    }

    /** (N, ...) to (N, D), sharing x's memory. */
    public static Variable flatten(Tape tape, Variable x) {
        int rows = x.shape().dim(0);
        int columns = (int) (x.value().count() / Math.max(1, rows));
        return reshape(tape, x, Shape.of(rows, columns));
    }

    /** The same elements in another shape, sharing x's memory. */
    public static Variable reshape(Tape tape, Variable x, Shape shape) {
        return tape.recordAlias(x.value().view(shape), x, dy -> tape.addGradient(x, dy));
    }

    /**
     * Zeroes elements with probability {@code rate} and scales the others by 1 / (1 - rate) while the tape records;
     * returns x itself otherwise.
     *
     * @param seed another one for every call
     */
    public static Variable dropout(Tape tape, Variable x, double rate, long seed) {
        return dropout(tape, x, rate, () -> seed);
    }

    /** The same with a seed that is asked for when it is needed, forwards and backwards. */
    public static Variable dropout(Tape tape, Variable x, double rate, LongSupplier seed) {
        if (!tape.recording() || rate == 0) {
            return x;
        }
        Tensor y = like(tape, x);
        tape.backend().dropout(x.value(), rate, seed, y);
        return tape.record(y, x.needsGradient(), dy -> {
            tape.backend().dropout(dy, rate, seed, dy);
            tape.addGradient(x, dy);
        });
    }

    /**
     * A class loss and its count of right answers.
     *
     * @param loss (1) in P, mean over the batch
     * @param correct I32 (1), stays readable until the step ends
     */
    public record ClassLoss(Variable loss, Tensor correct) {}

    /**
     * Mean softmax cross entropy of logits (N, classes) with label smoothing.
     *
     * @param labels I32 (N)
     */
    public static ClassLoss softmaxCrossEntropy(Tape tape, Variable logits, Tensor labels, double smoothing) {
        DataType lossType = logits.value().type().parameterType();
        Tensor loss = tape.allocate(lossType, Shape.of(1));
        Tensor correct = tape.allocate(DataType.I32, Shape.of(1));
        boolean needed = tape.recording() && logits.needsGradient();
        Tensor dlogits = needed ? like(tape, logits) : null;
        tape.backend().softmaxCrossEntropy(logits.value(), labels, smoothing, loss, correct, dlogits);
        Variable result = tape.record(loss, needed, dy -> {
            if (tape.gradientIsOne()) {
                tape.addGradient(logits, dlogits);
            } else {
                tape.addGradient(logits, scaled(tape, dlogits, tape.backend().readDoubles(dy)[0]));
                tape.recycle(dlogits);
            }
        });
        return new ClassLoss(result, correct);
    }

    /** Variables of one direction of a GRU, shapes as in {@link GruDirection}. */
    public record GruWeights(Variable inputWeights, Variable hiddenWeights, Variable inputBias, Variable hiddenBias) {
        private GruDirection values() {
            return new GruDirection(inputWeights.value(), hiddenWeights.value(), inputBias.value(), hiddenBias.value());
        }

        private GruDirection gradients(Tape tape) {
            return new GruDirection(
                    like(tape, inputWeights), like(tape, hiddenWeights), like(tape, inputBias), like(tape, hiddenBias));
        }

        private void addGradients(Tape tape, GruDirection gradients) {
            tape.addGradient(inputWeights, gradients.inputWeights());
            tape.addGradient(hiddenWeights, gradients.hiddenWeights());
            tape.addGradient(inputBias, gradients.inputBias());
            tape.addGradient(hiddenBias, gradients.hiddenBias());
        }

        private boolean needGradient() {
            return needsGradient(inputWeights, hiddenWeights, inputBias, hiddenBias);
        }
    }

    /** Bidirectional GRU over x (L, input) in P; returns (L, 2 hidden), forward states then reverse ones. */
    public static Variable gru(Tape tape, Variable x, GruWeights forward, GruWeights reverse) {
        int length = x.shape().dim(0);
        int hidden = forward.hiddenWeights().shape().dim(1);
        DataType type = x.value().type();
        Tensor h = tape.allocate(type, Shape.of(length, 2 * hidden));
        Tensor gates = tape.allocate(type, Shape.of(length, 2, 4 * hidden));
        tape.backend().gru(x.value(), forward.values(), reverse.values(), h, gates);
        return tape.record(h, needsGradient(x) || forward.needGradient() || reverse.needGradient(), dh -> {
            Tensor dx = x.needsGradient() ? like(tape, x) : null;
            GruDirection dforward = forward.gradients(tape);
            GruDirection dreverse = reverse.gradients(tape);
            tape.backend()
                    .gruGradient(x.value(), h, gates, dh, forward.values(), reverse.values(), dforward, dreverse, dx);
            tape.recycle(gates);
            if (dx != null) {
                tape.addGradient(x, dx);
            }
            forward.addGradients(tape, dforward);
            reverse.addGradients(tape, dreverse);
        });
    }

    /** factor * x. */
    public static Variable scale(Tape tape, Variable x, double factor) {
        Tensor y = scaled(tape, x.value(), factor);
        return tape.record(y, x.needsGradient(), dy -> tape.addGradient(x, scaled(tape, dy, factor)));
    }

    /** a + b of equal shapes and types; for losses. */
    public static Variable sum(Tape tape, Variable a, Variable b) {
        Tensor y = like(tape, a);
        tape.backend().copy(a.value(), y);
        tape.backend().accumulate(b.value(), 1, y);
        return tape.record(y, needsGradient(a, b), dy -> {
            tape.addGradient(a, dy);
            tape.addGradient(b, dy);
        });
    }

    private static Tensor scaled(Tape tape, Tensor t, double factor) {
        Tensor y = tape.allocate(t.type(), t.shape());
        tape.backend().fill(y, 0);
        tape.backend().accumulate(t, factor, y);
        return y;
    }

    private static Tensor like(Tape tape, Variable v) {
        return tape.allocateLike(v.value());
    }

    private static Tensor valueOf(Variable v) {
        return v == null ? null : v.value();
    }

    private static boolean needsGradient(Variable... variables) {
        for (Variable v : variables) {
            if (v != null && v.needsGradient()) {
                return true;
            }
        }
        return false;
    }
}
