package org.effconv.autodiff;

import java.util.ArrayList;
import java.util.Collections;
import java.util.IdentityHashMap;
import java.util.List;
import java.util.Map;
import java.util.Set;
import org.effconv.autodiff.Variable.Memory;
import org.effconv.backend.Backend;
import org.effconv.tensor.Arena;
import org.effconv.tensor.DataType;
import org.effconv.tensor.Shape;
import org.effconv.tensor.Tensor;

/**
 * Records the operations of one step and runs them backwards. All its tensors live in the step's arena; a tape is used
 * once. The operations themselves are in {@link Ops}.
 *
 * <p>Memory: an operation's consumers are recorded after it, so once the backward pass has done with an operation
 * nobody on the tape reads its output or its output's gradient any more, and both go back to the arena at once. Exempt
 * are leaves, scalars and whatever {@link #keep} names. A recycled tensor throws when it is read;
 * {@code -Deffconv.poison=true} also fills it with NaN, which shows readers that kept a bare address.
 */
public final class Tape {
    private record Node(Variable output, Backward backward) {}

    private final Backend backend;
    private final Arena arena;
    private final boolean recording;
    private final Runnable between;
    private final boolean poison = Boolean.getBoolean("effconv.poison");
    private final List<Node> nodes = new ArrayList<>();
    private final Map<Parameter, Variable> leaves = new IdentityHashMap<>();
    private final Set<Variable> kept = identitySet();
    private final Set<Tensor> ones = identitySet(); // gradients known to be 1 without asking the device
    private final Set<Tensor> adopted = identitySet(); // memory that the running backward function gave to a variable
    private final Set<Tensor> spent = identitySet(); // memory that it had added into a gradient already there
    private Variable current; // whose backward function runs

    /** @param recording false for inference: nothing is kept for a backward pass */
    public Tape(Backend backend, Arena arena, boolean recording) {
        this(backend, arena, recording, () -> {});
    }

    /**
     * @param between is run after each operation, forwards, and before each, backwards; what it throws ends the step,
     *     whose tensors stay in the arena
     */
    public Tape(Backend backend, Arena arena, boolean recording, Runnable between) {
        this.between = between;
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

    /**
     * The same where the shape changes from step to step.
     *
     * @param largest it may have; the step keeps room for that, so that its memory stays where it is
     */
    public Tensor allocate(DataType type, Shape shape, Shape largest) {
        return arena.allocate(type, shape, largest.count() * type.bytes());
    }

    /** A tensor of this step of a shape and type that are {@code t}'s, with as much room; contents undefined. */
    public Tensor allocateLike(Tensor t) {
        return arena.allocate(t.type(), t.shape(), arena.room(t));
    }

    /** A value no gradient flows into. */
    public Variable constant(Tensor value) {
        return new Variable(value, false, null);
    }

    /** A leaf whose gradient is kept, for values that are no parameters. */
    public Variable input(Tensor value) {
        return new Variable(value, recording, null);
    }

    /** The leaf of a parameter; the same one however often it is asked for. */
    public Variable parameter(Parameter p) {
        return leaves.computeIfAbsent(p, q -> new Variable(q.value(), recording, null));
    }

    /** The gradient of a parameter after {@link #backward}; null if none flowed. */
    public Tensor gradient(Parameter p) {
        Variable leaf = leaves.get(p);
        return leaf == null ? null : leaf.gradient;
    }

    /** Keeps an operation's output readable after the backward pass, until the step ends. */
    public Variable keep(Variable v) {
        kept.add(v);
        return v;
    }

    /**
     * Adds an operation's output. {@code backward} runs only if a gradient reached the output. A value of this tape's
     * arena belongs to the tape from here on.
     */
    public Variable record(Tensor value, boolean needsGradient, Backward backward) {
        return record(value, needsGradient, backward, arena.holds(value) ? new Memory(value) : null);
    }

    /** The same for an output that is a view of {@code source}'s value (a reshape). */
    public Variable recordAlias(Tensor value, Variable source, Backward backward) {
        return record(value, source.needsGradient, backward, source.memory);
    }

    private Variable record(Tensor value, boolean needsGradient, Backward backward, Memory memory) {
        between.run();
        Variable output = new Variable(value, recording && needsGradient, memory);
        if (memory != null) {
            memory.holders++;
        }
        if (output.needsGradient) {
            nodes.add(new Node(output, backward));
        }
        return output;
    }

    /**
     * Tells that the caller reads {@code v} no more. In inference its memory is reused at once; while recording this
     * does nothing, as the backward pass decides.
     */
    public void release(Variable v) {
        if (!recording) {
            drop(v);
        }
    }

    /** Gives back a tensor that an operation saved for its backward function, once that is done with it. */
    public void recycle(Tensor saved) {
        if (poison && saved.type() != DataType.I32 && saved.type() != DataType.U8) {
            backend.fill(saved, Double.NaN);
        }
        arena.recycle(saved);
    }

    /**
     * Hands a gradient (or one of equally many elements in another shape) to a variable, from within a backward
     * function. The tensor must be the function's own: the output gradient it was given or one it allocated. The tape
     * takes it over: a function computes everything first and hands on last. Handing the same tensor to a second
     * variable is fine, which gets its own copy.
     */
    public void addGradient(Variable v, Tensor gradient) {
        if (!v.needsGradient) {
            return;
        }
        Tensor memory = gradient == current.gradient ? current.gradientMemory : gradient;
        if (v.gradient != null) {
            accumulate(v, gradient);
            spent.add(memory);
        } else if (adopted.add(memory)) {
            adopt(v, gradient, memory);
        } else {
            Tensor copy = copyOf(gradient);
            if (ones.contains(memory)) {
                ones.add(copy);
            }
            adopt(v, copy, copy);
        }
    }

    private void adopt(Variable v, Tensor gradient, Tensor memory) {
        v.gradient = gradient.shape().equals(v.shape()) ? gradient : gradient.view(v.shape());
        v.gradientMemory = memory;
    }

    private void accumulate(Variable v, Tensor gradient) {
        ones.remove(v.gradientMemory);
        if (gradient.address() == v.gradient.address()) { // x + x: the same tensor twice into one variable
            Tensor copy = copyOf(gradient);
            backend.accumulate(copy, 1, v.gradient);
            recycle(copy);
        } else {
            backend.accumulate(gradient, 1, v.gradient);
        }
    }

    private Tensor copyOf(Tensor t) {
        Tensor copy = allocate(t.type(), t.shape());
        backend.copy(t, copy);
        return copy;
    }

    /** True if the output gradient of the running backward function is known to be 1, so that it need not be read. */
    boolean gradientIsOne() {
        return ones.contains(current.gradientMemory);
    }

    /** Runs the recorded operations backwards from a scalar whose gradient is 1. */
    public void backward(Variable loss) {
        if (loss.value().count() != 1) {
            throw new IllegalArgumentException("backward starts from a scalar, not from " + loss.shape());
        }
        loss.gradient = allocate(loss.value().type(), loss.shape());
        loss.gradientMemory = loss.gradient;
        backend.fill(loss.gradient, 1);
        ones.add(loss.gradient);
        for (int i = nodes.size() - 1; i >= 0; i--) {
            between.run();
            Node node = nodes.remove(i);
            current = node.output;
            adopted.clear();
            spent.clear();
            if (current.gradient != null) {
                node.backward.run(current.gradient);
                spent.add(current.gradientMemory);
            }
            finish(current);
        }
        current = null;
    }

    private void finish(Variable v) {
        for (Tensor t : spent) {
            if (!adopted.contains(t) && arena.holds(t)) {
                recycle(t);
            }
        }
        v.gradient = null;
        v.gradientMemory = null;
        if (v.value().count() > 1 && !kept.contains(v)) {
            drop(v);
        }
    }

    private void drop(Variable v) {
        if (v.memory != null && --v.memory.holders == 0) {
            recycle(v.memory.tensor);
        }
    }

    private static <T> Set<T> identitySet() {
        return Collections.newSetFromMap(new IdentityHashMap<>());
    }

    /** The backward half of an operation; it may overwrite the output's gradient, which is its own. */
    @FunctionalInterface
    public interface Backward {
        void run(Tensor outputGradient);
    }
}
