package org.effconv.autodiff;

import org.effconv.tensor.Shape;
import org.effconv.tensor.Tensor;

/** A value on a {@link Tape} and, during the backward pass, its gradient. */
public final class Variable {
    final boolean needsGradient;
    private final Tensor value;
    Tensor gradient;

    Variable(Tensor value, boolean needsGradient) {
        this.value = value;
        this.needsGradient = needsGradient;
    }

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
}
