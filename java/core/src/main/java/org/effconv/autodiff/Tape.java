package org.effconv.autodiff;

import java.util.ArrayList;
import java.util.IdentityHashMap;
import java.util.List;
import java.util.Map;
import org.effconv.backend.Backend;
import org.effconv.tensor.Arena;
import org.effconv.tensor.DataType;
import org.effconv.tensor.Shape;
import org.effconv.tensor.Tensor;

/**
 * Records the operations of one step and runs them backwards. All its tensors live in the step's arena; a tape is used
 * once. The operations themselves are in {@link Ops}.
 */
public final class Tape {
    private record Node(Variable output, Runnable backward, boolean alias) {}

    private final Backend backend;
    private final Arena arena;
    private final boolean recording;
    private final List<Node> nodes = new ArrayList<>();
    private final Map<Parameter, Variable> leaves = new IdentityHashMap<>();

    /**
     * @param recording false for inference: nothing is kept for a backward pass
     */
    public Tape(Backend backend, Arena arena, boolean recording) {
        this.backend = backend;
        this.arena = arena;
        this.recording = recording;
    }

    public Backend backend() {
        return backend;
    }

    /** True while training: batch statistics, dropout, gradients. */
    public boolean recording() {
        return recording;
    }

    /** A tensor of this step, contents undefined. */
    public Tensor allocate(DataType type, Shape shape) {
        return arena.allocate(type, shape);
    }

    /** A value no gradient flows into. */
    public Variable constant(Tensor value) {
        return new Variable(value, false);
    }

    /** A leaf whose gradient is kept, for values that are no parameters. */
    public Variable input(Tensor value) {
        return new Variable(value, recording);
    }

    /** The leaf of a parameter; the same one however often it is asked for. */
    public Variable parameter(Parameter p) {
        return leaves.computeIfAbsent(p, q -> new Variable(q.value(), recording));
    }

    /** The gradient of a parameter after {@link #backward}; null if none flowed. */
    public Tensor gradient(Parameter p) {
        Variable leaf = leaves.get(p);
        return leaf == null ? null : leaf.gradient;
    }

    /**
     * Adds an operation's output. {@code backward} runs only if a gradient reached the output (then in
     * {@code output.gradient()}) and hands gradients on by {@link #gradientTarget} or {@link #addGradient}.
     */
    public Variable record(Tensor value, boolean needsGradient, Backward backward) {
        return record(value, needsGradient, backward, false);
    }

    /** The same for an output that shares its input's memory (a reshape): its tensors are not recycled. */
    public Variable recordAlias(Tensor value, boolean needsGradient, Backward backward) {
        return record(value, needsGradient, backward, true);
    }

    private Variable record(Tensor value, boolean needsGradient, Backward backward, boolean alias) {
        Variable output = new Variable(value, recording && needsGradient);
        if (output.needsGradient) {
            nodes.add(new Node(output, () -> backward.run(output.gradient), alias));
        }
        return output;
    }

    /** Hands one finished gradient tensor to a variable; it becomes the gradient or is added to the one there. */
    public void addGradient(Variable v, Tensor gradient) {
        if (!v.needsGradient) {
            return;
        }
        if (v.gradient == null) {
            v.gradient = gradient;
        } else {
            backend.accumulate(gradient, 1, v.gradient);
        }
    }

    /** Runs the recorded operations backwards from a scalar whose gradient is 1. */
    public void backward(Variable loss) {
        if (loss.value().count() != 1) {
            throw new IllegalArgumentException("backward starts from a scalar, not from " + loss.shape());
        }
        loss.gradient = allocate(loss.value().type(), loss.shape());
        backend.fill(loss.gradient, 1);
        for (int i = nodes.size() - 1; i >= 0; i--) {
            Node node = nodes.get(i);
            if (node.output.gradient != null) {
                node.backward.run();
            }
        }
        nodes.clear();
    }

    /** The backward half of an operation. */
    @FunctionalInterface
    public interface Backward {
        void run(Tensor outputGradient);
    }
}
