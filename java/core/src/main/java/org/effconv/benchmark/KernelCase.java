package org.effconv.benchmark;

import java.util.List;
import org.effconv.backend.Convolution;
import org.effconv.tensor.DataType;

/**
 * One measurement of a kernel. The counting is that of cuda/bench/cases.cpp; tests/bench/floors.csv holds both to it.
 *
 * @param suite where it belongs
 * @param type of activations and weights: BF16 or F32
 * @param shape of a convolution; null for a synthesis
 * @param layers of a synthesis; empty for a convolution
 */
public record KernelCase(
        String suite, String name, Family family, Pass pass, DataType type, Shape shape, List<Layer> layers) {
    private static final int MMA_COLUMNS = 16; // outputs of one band of a Toeplitz product, and the depth of one mma
    private static final int TOEPLITZ_FROM_KERNEL = 9; // smaller kernels are cheaper on fp32 units

    public KernelCase {
        layers = List.copyOf(layers);
    }

    /** What is computed. */
    public enum Family {
        DENSE,
        DEPTHWISE,
        SYNTHESIS
    }

    /** Which direction; a synthesis has FORWARD and BACKWARD. */
    public enum Pass {
        FORWARD("forward"),
        DATA_GRADIENT("data gradient"),
        WEIGHT_GRADIENT("weight gradient"),
        BACKWARD("backward");

        private final String text;

        Pass(String text) {
            this.text = text;
        }

        @Override
        public String toString() {
            return text;
        }
    }

    /**
     * A convolution of stride 1 with as many input as output channels on square images; groups 1, or channels for
     * depthwise.
     */
    public record Shape(int batch, int channels, int extent, int kernel, int groups) {
        Convolution convolution() {
            return new Convolution(1, groups);
        }

        int channelsPerGroup() {
            return channels / groups;
        }

        int[] images() {
            return new int[] {batch, extent, extent, channels};
        }

        int[] weights() {
            return new int[] {channels, kernel, kernel, channelsPerGroup()};
        }
    }

    /** A layer of a synthesis: input and output channels, size, width of the coordinate features. */
    public record Layer(int inputs, int outputs, int kernel, int features) {}

    public String typeName() {
        return type == DataType.BF16 ? "bf16" : "fp32";
    }

    public Work work() {
        return family == Family.SYNTHESIS ? synthesisWork() : convolutionWork();
    }

    private Work convolutionWork() {
        int k = shape.kernel;
        double perTap = 2.0 * shape.batch * shape.channels * shape.channelsPerGroup();
        double flops = perTap * shape.extent * shape.extent * k * k;
        double inside = tapsInside(shape.extent, k);
        // 16 outputs of a row read 16 + k - 1 inputs: a band of that depth, rounded up to whole products of depth 16
        int depth = (MMA_COLUMNS + k - 1 + MMA_COLUMNS - 1) / MMA_COLUMNS * MMA_COLUMNS;
        double activations = 2.0 * shape.batch * shape.extent * shape.extent * shape.channels;
        double weights = (double) shape.channels * k * k * shape.channelsPerGroup();
        return new Work(
                flops,
                perTap * inside * inside,
                family == Family.DEPTHWISE ? flops * depth / k : 0,
                type.bytes() * (activations + weights));
    }

    /** Products of taps and outputs along one axis that lie inside the image. */
    private static double tapsInside(int extent, int kernel) {
        double sum = 0;
        for (int o = 0; o < extent; o++) {
            sum += Math.min(extent - 1, o + kernel / 2) - Math.max(0, o - kernel / 2) + 1;
        }
        return sum;
    }

    private Work synthesisWork() {
        boolean backward = pass == Pass.BACKWARD;
        double flops = 0;
        double bytes = 0;
        for (Layer l : layers) {
            double columns = (double) l.inputs * l.outputs;
            double taps = (double) l.kernel * l.kernel;
            flops += (backward ? 4 : 2) * columns * taps * l.features;
            bytes += type.bytes() * columns * taps + (backward ? 2 : 1) * 4.0 * l.features * (columns + taps);
        }
        return new Work(flops, flops, 0, bytes);
    }

    /** @param rates of the device */
    public Floor floor(Rates rates) {
        Work work = work();
        double memory = work.bytes() / rates.bytes();
        double ffma = work.flops() / rates.fp32Flops();
        double math = ffma;
        String unit = "ffma";
        if (type == DataType.BF16 && family == Family.DENSE) {
            math = work.flops() / rates.tensorFlops();
            unit = "tensor";
        } else if (type == DataType.BF16 && family == Family.DEPTHWISE && shape.kernel >= TOEPLITZ_FROM_KERNEL) {
            math = work.toeplitzFlops() / rates.tensorFlops();
            unit = "toeplitz";
        }
        return new Floor(memory, math, ffma, memory > math ? "memory" : unit);
    }

    /** Largest relative error that passes the gate. */
    public double errorLimit() {
        return type == DataType.BF16 ? 1e-2 : 1e-5;
    }
}
