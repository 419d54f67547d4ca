package org.effconv.benchmark;

/** One case on one backend, ready to be run: operands in memory, outputs poisoned. */
abstract class KernelRun implements AutoCloseable {
    /** Runs the kernel once; on a card it may still be running afterwards. */
    abstract void run();

    /** |got - want| / |want| over sampled outputs (Euclidean norms), against fp64; NaN if a sample is. */
    abstract double error();

    @Override
    public abstract void close();

    /** Gathers the error of samples. */
    static final class ErrorNorm {
        private double difference;
        private double size;

        void add(double got, double want) {
            difference += (got - want) * (got - want);
            size += want * want;
        }

        double value() {
            return Math.sqrt(difference / size);
        }
    }
}
