package org.effconv.autodiff;

import org.effconv.tensor.Shape;
import org.effconv.tensor.Tensor;

/** A value on a {@link Tape} and, during the backward pass, its gradient. */
public final class Variable {
    final boolean needsGradient;
    final Memory memory;
    private final Tensor value;
    Tensor gradient;
    /** The arena tensor whose memory {@link #gradient} uses: the same one, or the one it is a view of. */
    Tensor gradientMemory;

    Variable(Tensor value, boolean needsGradient, Memory memory) {
        this.value = value;
        this.needsGradient = needsGradient;
        this.memory = memory;
    }

    /** The value; reading its memory throws once the backward pass has given it back (see {@link Tape#keep}). */
    public Tensor value() {
        return value;
    }

    public Shape shape() {
        return value.shape();
    }

    /** Whether the backward pass reaches this value. */
    public boolean needsGradient() {
        return needsGradient;
    }

    /** Gradient after {@link Tape#backward}; null where none flowed. Kept for leaves (parameters, inputs) only. */
    public Tensor gradient() {
        return gradient;
    }

    /** Arena memory of a value, shared by the variables that are reshapes of one another. */
    static final class Memory {
        final Tensor tensor;
        int holders;

        Memory(Tensor tensor) {
            this.tensor = tensor;
        }
    }
}
