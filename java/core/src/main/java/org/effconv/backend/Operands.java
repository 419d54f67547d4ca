package org.effconv.backend;

import java.nio.ByteBuffer;
import java.util.List;
import org.effconv.tensor.DataType;
import org.effconv.tensor.Shape;
import org.effconv.tensor.Tensor;

/**
 * The checks of shapes and types before an operation; a refusal is an {@link IllegalArgumentException} that names the
 * operand, what it is and what was expected. {@link CheckedBackend} makes them, for every backend.
 */
public final class Operands {
    private Operands() {}

    // ---- the parts --------------------------------------------------------------------------------------------

    public static void require(boolean condition, String message) {
        if (!condition) {
            throw new IllegalArgumentException(message);
        }
    }

    public static void typed(Tensor t, String name, DataType type, int... dims) {
        present(t, name);
        Shape shape = t.shape();
        boolean same = t.type() == type && shape.rank() == dims.length;
        for (int i = 0; same && i < dims.length; i++) {
            same = shape.dim(i) == dims[i];
        }
        if (!same) {
            throw new IllegalArgumentException(
                    name + " is " + t.type() + " " + shape + "; expected " + type + " " + Shape.of(dims));
        }
    }

    /** Of the type in which parameters are kept beside {@code activations}. */
    public static void parameter(Tensor t, String name, Tensor activations, int... dims) {
        typed(t, name, activations.type().parameterType(), dims);
    }

    public static void like(Tensor t, String name, Tensor model) {
        present(t, name);
        if (t.type() != model.type() || !t.shape().equals(model.shape())) {
            throw new IllegalArgumentException(
                    name + " is " + t.type() + " " + t.shape() + "; expected " + model.type() + " " + model.shape());
        }
    }

    public static void likeOrNull(Tensor t, String name, Tensor model) {
        if (t != null) {
            like(t, name, model);
        }
    }

    /** A tensor of F32, BF16 or F64 with {@code rank} dimensions; -1 for any rank. */
    public static void activations(Tensor t, String name, int rank) {
        present(t, name);
        boolean floating = t.type() == DataType.F32 || t.type() == DataType.BF16 || t.type() == DataType.F64;
        if (!floating || (rank >= 0 && t.shape().rank() != rank)) {
            throw new IllegalArgumentException(name + " is " + t.type() + " " + t.shape()
                    + "; expected F32, BF16 or F64" + (rank >= 0 ? " of rank " + rank : ""));
        }
        if (t.count() == 0) {
            throw new IllegalArgumentException(name + " " + t.shape() + " is empty");
        }
    }

    public static void sameCount(Tensor a, String aName, Tensor b, String bName) {
        present(a, aName);
        present(b, bName);
        if (a.count() != b.count()) {
            throw new IllegalArgumentException(aName + " holds " + a.count() + " elements, " + bName + " " + b.count());
        }
    }

    /** Number of values a host array brings. */
    public static void length(Tensor t, int values) {
        present(t, "tensor");
        if (t.count() != values) {
            throw new IllegalArgumentException(values + " values for " + t);
        }
    }

    /** Raw bytes a host buffer brings, from its position on. */
    public static void bytes(Tensor t, ByteBuffer values) {
        present(t, "tensor");
        require(t.type() == DataType.U8, "raw bytes go into a U8 tensor, not into " + t);
        require(values.remaining() >= t.count(), values.remaining() + " bytes for " + t);
    }

    static void sameCounts(List<Tensor> from, List<Tensor> to) {
        require(from.size() == to.size(), from.size() + " tensors onto " + to.size());
        for (int i = 0; i < from.size(); i++) {
            sameCount(from.get(i), "from", to.get(i), "to");
        }
    }

    static void sameLength(String what, int length, int other) {
        require(length == other, what + ": arrays of different lengths");
    }

    private static void present(Tensor t, String name) {
        if (t == null) {
            throw new IllegalArgumentException(name + " is null");
        }
    }

    private static void linearOrRelu(Activation act) {
        require(act == Activation.NONE || act == Activation.RELU, "activation " + act + "; expected NONE or RELU");
    }

    // ---- the operations ---------------------------------------------------------------------------------------

    public static void augment(Tensor images, Tensor draws, float[] mean, float[] std, Tensor y) {
        present(images, "images");
        require(
                images.type() == DataType.U8 && images.shape().rank() == 4,
                "images are " + images + "; expected U8 (N, H, W, C)");
        Shape s = images.shape();
        typed(draws, "draws", DataType.I32, s.dim(0), 3);
        require(
                mean.length == s.dim(3) && std.length == s.dim(3),
                "mean and std of " + mean.length + " and " + std.length + " channels; expected " + s.dim(3));
        activations(y, "y", 4);
        typed(y, "y", y.type(), s.dims());
    }

    public static void augmentChosen(
            Tensor dataset, Tensor indices, Tensor draws, float[] mean, float[] std, Tensor y) {
        present(dataset, "dataset");
        present(indices, "indices");
        Shape s = dataset.shape();
        require(
                dataset.type() == DataType.U8 && s.rank() == 4,
                "dataset is " + dataset + "; expected U8 (count, H, W, C)");
        int n = indices.shape().dim(0);
        typed(indices, "indices", DataType.I32, n, 2);
        typed(draws, "draws", DataType.I32, n, 3);
        require(
                mean.length == s.dim(3) && std.length == s.dim(3),
                "mean and std of " + mean.length + " and " + std.length + " channels; expected " + s.dim(3));
        activations(y, "y", 4);
        typed(y, "y", y.type(), n, s.dim(1), s.dim(2), s.dim(3));
    }

    /** @param x the larger side: input or its gradient */
    public static void convolution(Convolution c, Tensor x, Tensor w, Tensor bias, Tensor y) {
        activations(x, "x", 4);
        present(w, "w");
        require(w.shape().rank() == 4, "w is " + w + "; expected rank 4");
        Shape in = x.shape();
        int size = w.shape().dim(1);
        require(size % 2 == 1 && size <= 33, "kernel size " + size + "; expected an odd number from 1 to 33");
        require(c.stride() == 1 || c.stride() == 2, "stride " + c.stride() + "; expected 1 or 2");
        int outputs = w.shape().dim(0);
        require(
                c.groups() > 0 && in.dim(3) % c.groups() == 0 && outputs % c.groups() == 0,
                c.groups() + " groups do not divide " + in.dim(3) + " input and " + outputs + " output channels");
        parameter(w, "w", x, outputs, size, size, in.dim(3) / c.groups());
        if (bias != null) {
            parameter(bias, "bias", x, outputs);
        }
        typed(y, "y", x.type(), in.dim(0), c.outputExtent(in.dim(1)), c.outputExtent(in.dim(2)), outputs);
    }

    public static void linear(Tensor x, Tensor w, Tensor bias, Tensor y) {
        activations(x, "x", 2);
        present(w, "w");
        int outputs = w.shape().dim(0);
        parameter(w, "w", x, outputs, x.shape().dim(1));
        if (bias != null) {
            parameter(bias, "bias", x, outputs);
        }
        typed(y, "y", x.type(), x.shape().dim(0), outputs);
    }

    public static void batchNorm(Tensor x, Tensor residual, Activation act, Tensor y, Tensor... perChannel) {
        activations(x, "x", 4);
        linearOrRelu(act);
        likeOrNull(residual, "residual", x);
        like(y, "y", x);
        for (Tensor t : perChannel) {
            parameter(t, "scale, shift or statistics", x, x.shape().dim(3));
        }
    }

    public static void batchNormGradient(
            Tensor x, Tensor y, Tensor dy, Activation act, Tensor dx, Tensor dresidual, Tensor... perChannel) {
        batchNorm(x, dresidual, act, dx, perChannel);
        like(dy, "dy", x);
        likeOrNull(y, "y", x);
        require(y != null || act == Activation.NONE, "y is null; the gradient of RELU needs it");
    }

    public static void layerNorm(Tensor x, Tensor scale, Tensor mean, Tensor invStd, Tensor... others) {
        activations(x, "x", -1);
        require(x.shape().rank() >= 1, "x is a scalar");
        int width = x.shape().dim(-1);
        int rows = (int) (x.count() / width);
        parameter(scale, "scale", x, width);
        present(mean, "mean");
        present(invStd, "invStd");
        require(
                mean.type() == x.type().parameterType()
                        && invStd.type() == mean.type()
                        && mean.count() == rows
                        && invStd.count() == rows,
                "mean and invStd are " + mean + " and " + invStd + "; expected " + rows + " of type "
                        + x.type().parameterType());
        for (Tensor t : others) {
            like(t, "shift or its gradient", scale);
        }
    }

    public static void elementwise(Tensor x, Tensor... others) {
        activations(x, "x", -1);
        for (Tensor t : others) {
            like(t, "operand", x);
        }
    }

    public static void add(Tensor a, Tensor b, Activation act, Tensor y) {
        elementwise(a, b, y);
        linearOrRelu(act);
    }

    public static void dropout(Tensor x, double rate, Tensor y) {
        elementwise(x, y);
        require(rate >= 0 && rate < 1, "dropout rate " + rate + "; expected 0 <= rate < 1");
    }

    public static void pool(Pooling p, Tensor x, Tensor y) {
        activations(x, "x", 4);
        Shape s = x.shape();
        require(
                p.size() >= 1 && p.stride() >= 1 && p.padding() >= 0 && p.padding() < p.size(),
                p + "; expected size and stride of at least 1 and a padding below the size");
        int smallest = Math.min(s.dim(1), s.dim(2));
        require(
                smallest + 2 * p.padding() >= p.size(),
                "images of " + s.dim(1) + " x " + s.dim(2) + " are smaller than the window of " + p);
        typed(y, "y", x.type(), s.dim(0), p.outputExtent(s.dim(1)), p.outputExtent(s.dim(2)), s.dim(3));
    }

    public static void globalAveragePool(Tensor x, Tensor y) {
        activations(x, "x", 4);
        typed(y, "y", x.type(), x.shape().dim(0), x.shape().dim(3));
    }

    public static void softmaxCrossEntropy(
            Tensor logits, Tensor labels, double smoothing, Tensor loss, Tensor correct, Tensor dlogits) {
        activations(logits, "logits", 2);
        typed(labels, "labels", DataType.I32, logits.shape().dim(0));
        require(smoothing >= 0 && smoothing <= 1, "label smoothing " + smoothing + "; expected 0..1");
        parameter(loss, "loss", logits, 1);
        typed(correct, "correct", DataType.I32, 1);
        likeOrNull(dlogits, "dlogits", logits);
    }

    public static void gru(Tensor x, GruDirection forward, GruDirection reverse, Tensor h, Tensor gates) {
        activations(x, "x", 2);
        require(x.type() != DataType.BF16, "x is BF16; a GRU runs in the parameter type");
        int steps = x.shape().dim(0);
        int inputs = x.shape().dim(1);
        present(forward.hiddenWeights(), "hidden weights");
        int hidden = forward.hiddenWeights().shape().dim(-1);
        for (GruDirection d : new GruDirection[] {forward, reverse}) {
            typed(d.inputWeights(), "input weights", x.type(), 3 * hidden, inputs);
            typed(d.hiddenWeights(), "hidden weights", x.type(), 3 * hidden, hidden);
            typed(d.inputBias(), "input bias", x.type(), 3 * hidden);
            typed(d.hiddenBias(), "hidden bias", x.type(), 3 * hidden);
        }
        typed(h, "h", x.type(), steps, 2 * hidden);
        typed(gates, "gates", x.type(), steps, 2, 4 * hidden);
    }

    /** All parameters of one type. */
    public static void optimizer(OptimizerRule rule, List<OptimizerSlot> slots) {
        for (OptimizerSlot slot : slots) {
            Tensor value = slot.value();
            present(value, "value");
            require(
                    value.type() == slots.get(0).value().type()
                            && (value.type() == DataType.F32 || value.type() == DataType.F64),
                    "value is " + value + "; all parameters of a step are F32, or all F64");
            like(slot.gradient(), "gradient", value);
            like(slot.first(), "first moment", value);
            if (rule.kind() == OptimizerRule.Kind.ADAMW) {
                like(slot.second(), "second moment", value);
            }
        }
    }
}
