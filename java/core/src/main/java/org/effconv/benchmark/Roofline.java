package org.effconv.benchmark;

import java.util.Arrays;
import org.effconv.backend.Backend;
import org.effconv.tensor.DataType;
import org.effconv.tensor.Shape;
import org.effconv.tensor.Tensor;

/**
 * What a device reaches at best through its backend: a copy and a matrix product, measured. A case's share of the
 * roofline is its floor at these rates over its time.
 */
public final class Roofline {
    private static final int RUNS = 25;
    private static final double ENOUGH = 1.5; // seconds for one rate, after which no further run begins
    private static final double BF16_PRODUCT =
            1e-2; // error with which the product must be right before its rate counts
    private static final double FP32_PRODUCT = 1e-4;

    private Roofline() {}

    /**
     * @param elements of the copy; above any cache
     * @param extent of the square matrices
     * @param bf16 whether the device computes products in bf16
     */
    public static Rates measure(Backend backend, int elements, int extent, boolean bf16) {
        return new Rates(
                bf16 ? product(backend, extent, DataType.BF16) : Double.NaN,
                product(backend, extent, DataType.F32),
                copy(backend, elements),
                true);
    }

    private static double copy(Backend backend, int elements) {
        RandomValues values = new RandomValues(3);
        try (Tensor from = values.tensor(backend, DataType.F32, 0, elements);
                Tensor to = Tensor.allocate(backend.memory(), DataType.F32, Shape.of(elements))) {
            return 2.0 * from.bytes() / quickest(backend, () -> backend.copy(from, to));
        }
    }

    private static double product(Backend backend, int n, DataType type) {
        RandomValues values = new RandomValues(4);
        try (Tensor x = values.tensor(backend, type, 0, n, n);
                Tensor w = values.tensor(backend, DataType.F32, 333_333, n, n);
                Tensor y = Tensor.allocate(backend.memory(), type, Shape.of(n, n))) {
            double seconds = quickest(backend, () -> backend.linear(x, w, null, y));
            double want = 0;
            for (int i = 0; i < n; i++) {
                want += values.at(i, 0) * values.at(i, 333_333);
            }
            double got = backend.readDoubles(y.slice(0, Shape.of(1)))[0];
            if (!(Math.abs(got - want) <= (type == DataType.BF16 ? BF16_PRODUCT : FP32_PRODUCT) * Math.sqrt(n))) {
                throw new IllegalStateException(
                        "the product whose rate is the roofline is wrong: " + got + " instead of " + want);
            }
            return 2.0 * n * n * n / seconds;
        }
    }

    // The smallest time: a roofline is what can be reached.
    private static double quickest(Backend backend, Runnable work) {
        backend.seconds(work);
        double[] times = new double[RUNS];
        double used = 0;
        int done = 0;
        while (done < RUNS && (done < Sampling.LEAST || used < ENOUGH)) {
            times[done] = backend.seconds(work);
            used += times[done++];
        }
        return Arrays.stream(times, 0, done).min().orElseThrow();
    }
}
