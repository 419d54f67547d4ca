package org.effconv.autodiff;

import org.effconv.tensor.Tensor;

/** A learned tensor in the parameter type, with a name unique in its model; owns its value. */
public final class Parameter implements AutoCloseable {
    private final String name;
    private final Tensor value;
    private final boolean decayed;

    /** @param decayed whether weight decay applies (convolution and linear weights; not biases, scales, shifts) */
    public Parameter(String name, Tensor value, boolean decayed) {
        this.name = name;
        this.value = value;
        this.decayed = decayed;
    }

    public String name() {
        return name;
    }

    public Tensor value() {
        return value;
    }

    public boolean decayed() {
        return decayed;
    }

    @Override
    public void close() {
        value.close();
    }

    @Override
    public String toString() {
        return "Parameter " + name + " " + value.shape();
    }
}
