package org.effconv.backend.cpu;

import org.bytedeco.dnnl.global.dnnl;
import org.bytedeco.dnnl.memory;
import org.bytedeco.dnnl.primitive;
import org.bytedeco.dnnl.primitive_desc_base;
import org.bytedeco.dnnl.reorder;
import org.bytedeco.javacpp.PointerScope;
import org.effconv.tensor.Tensor;

/**
 * One pass of a layer with weights (a convolution, a linear layer). oneDNN may want the weights, or give their
 * gradient, in another layout or type than ours: they then pass through a reorder into, or out of, scratch memory.
 * Reorders cost 0.1 to 1 ns per weight (seen for k = 3 and 11 with 3 to 64 channels), so they are done at every call.
 */
final class OneDnnOperation implements AutoCloseable {
    /** Which of a layer's three computations. */
    enum Pass {
        FORWARD,
        DATA_GRADIENT,
        WEIGHT_GRADIENT
    }

    /** The layer's tensors; layouts of activations and weights are ours, bias is null without one. */
    record Layout(memory.desc input, memory.desc weights, memory.desc bias, memory.desc output) {}

    private final OneDnn dnn;
    private final Pass pass;
    private final OneDnnPrimitive main;
    private final OneDnnPrimitive reorder; // null if our layout of the weights is the primitive's
    private final long stagedBytes;

    /**
     * Within an open {@link PointerScope}, which the operation outlives.
     *
     * @param chosen the primitive's layout of the weights, or of their gradient
     */
    OneDnnOperation(
            OneDnn dnn,
            Pass pass,
            primitive_desc_base description,
            primitive primitive,
            memory.desc chosen,
            Layout ours) {
        this.dnn = dnn;
        this.pass = pass;
        main = new OneDnnPrimitive(dnn, description, primitive);
        main.argument(weightsArgument(), chosen);
        if (pass != Pass.DATA_GRADIENT) {
            main.argument(dnnl.DNNL_ARG_SRC, ours.input);
        } else {
            main.argument(dnnl.DNNL_ARG_DIFF_SRC, ours.input);
        }
        main.argument(pass == Pass.FORWARD ? dnnl.DNNL_ARG_DST : dnnl.DNNL_ARG_DIFF_DST, ours.output);
        if (ours.bias != null) {
            main.argument(biasArgument(), ours.bias);
        }
        if (chosen.equals(ours.weights)) {
            reorder = null;
            stagedBytes = 0;
        } else {
            reorder = written() ? reorder(chosen, ours.weights) : reorder(ours.weights, chosen);
            stagedBytes = chosen.get_size();
        }
    }

    private OneDnnPrimitive reorder(memory.desc from, memory.desc to) {
        var pd = new reorder.primitive_desc(dnn.engine(), from, dnn.engine(), to, dnn.attributes(), false);
        OneDnnPrimitive r = new OneDnnPrimitive(dnn, pd, new reorder(pd));
        r.argument(dnnl.DNNL_ARG_FROM, from);
        r.argument(dnnl.DNNL_ARG_TO, to);
        return r;
    }

    void forward(Tensor x, Tensor w, Tensor bias, Tensor y) {
        main.address(dnnl.DNNL_ARG_SRC, x.address());
        main.address(dnnl.DNNL_ARG_DST, y.address());
        execute(w, bias);
    }

    void dataGradient(Tensor dy, Tensor w, Tensor dx) {
        main.address(dnnl.DNNL_ARG_DIFF_DST, dy.address());
        main.address(dnnl.DNNL_ARG_DIFF_SRC, dx.address());
        execute(w, null);
    }

    void weightGradient(Tensor x, Tensor dy, Tensor dw, Tensor dbias) {
        main.address(dnnl.DNNL_ARG_SRC, x.address());
        main.address(dnnl.DNNL_ARG_DIFF_DST, dy.address());
        execute(dw, dbias);
    }

    private void execute(Tensor weights, Tensor bias) {
        if (bias != null) {
            main.address(biasArgument(), bias.address());
        }
        long scratchpad = dnn.scratch(Math.max(main.scratchBytes(), reorder == null ? 0 : reorder.scratchBytes()));
        long staged = dnn.staged(stagedBytes);
        main.address(weightsArgument(), reorder == null ? weights.address() : staged);
        if (reorder == null) {
            main.execute(scratchpad);
        } else if (written()) {
            main.execute(scratchpad);
            reorder(staged, weights.address(), scratchpad);
        } else {
            reorder(weights.address(), staged, scratchpad);
            main.execute(scratchpad);
        }
    }

    private void reorder(long from, long to, long scratchpad) {
        reorder.address(dnnl.DNNL_ARG_FROM, from);
        reorder.address(dnnl.DNNL_ARG_TO, to);
        reorder.execute(scratchpad);
    }

    private boolean written() {
        return pass == Pass.WEIGHT_GRADIENT;
    }

    private int weightsArgument() {
        return written() ? dnnl.DNNL_ARG_DIFF_WEIGHTS : dnnl.DNNL_ARG_WEIGHTS;
    }

    private int biasArgument() {
        return written() ? dnnl.DNNL_ARG_DIFF_BIAS : dnnl.DNNL_ARG_BIAS;
    }

    /** oneDNN's name of the code it chose. */
    String implementation() {
        return main.implementation();
    }

    @Override
    public void close() {
        main.close();
        if (reorder != null) {
            reorder.close();
        }
    }
}
