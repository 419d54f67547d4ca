package org.effconv.predict;

import java.util.Random;
import java.util.function.DoubleSupplier;
import org.effconv.autodiff.Parameter;
import org.effconv.backend.Backend;
import org.effconv.tensor.Construction;
import org.effconv.tensor.DataType;
import org.effconv.tensor.Shape;
import org.effconv.tensor.Tensor;

/**
 * Makes parameters with their initial values; draws in the order of the calls. Predictors' parameters are not decayed.
 */
public final class Initial {
    private final Backend backend;
    private final DataType type;
    private final Random random;

    private final Construction of;

    /** @param of whatever has the parameters */
    public Initial(Backend backend, DataType type, Random random, Construction of) {
        this.backend = backend;
        this.type = type;
        this.random = random;
        this.of = of;
    }

    Parameter constant(String name, double value, int... shape) {
        Tensor t = of.own(Tensor.allocate(backend.memory(), type, Shape.of(shape)));
        backend.fill(t, value);
        return new Parameter(name, t, false);
    }

    /** Uniform in [-bound, bound). */
    Parameter uniform(String name, double bound, int... shape) {
        return drawn(name, () -> bound * (2 * random.nextDouble() - 1), shape);
    }

    public Parameter normal(String name, double deviation, int... shape) {
        return drawn(name, () -> deviation * random.nextGaussian(), shape);
    }

    private Parameter drawn(String name, DoubleSupplier draw, int... shape) {
        double[] values = new double[Math.toIntExact(Shape.of(shape).count())];
        for (int i = 0; i < values.length; i++) {
            values[i] = draw.getAsDouble();
        }
        return new Parameter(name, tensor(values, shape), false);
    }

    public Tensor tensor(double[] values, int... shape) {
        Tensor t = of.own(Tensor.allocate(backend.memory(), type, Shape.of(shape)));
        backend.write(t, values);
        return t;
    }
}
