package org.effconv.benchmark;

import java.util.ArrayList;
import java.util.List;
import org.effconv.benchmark.KernelCase.Family;
import org.effconv.benchmark.KernelCase.Layer;
import org.effconv.benchmark.KernelCase.Pass;
import org.effconv.benchmark.KernelCase.Shape;
import org.effconv.tensor.DataType;

/** The shapes that are measured: those of cuda/bench/cases.cpp, and smaller ones for a CPU. */
public final class Suites {
    /** Those that a card's kernels are for, in the order of printing. */
    public static final List<String> CARD = List.of("paper", "cifar", "stl", "depthwise", "synthesis");
    /** Batches of a CPU. */
    public static final String CPU = "cpu";

    private static final int FEATURES = 32;
    private static final List<Pass> PASSES = List.of(Pass.FORWARD, Pass.DATA_GRADIENT, Pass.WEIGHT_GRADIENT);
    private static final DataType[] TYPES = {DataType.BF16, DataType.F32};

    private Suites() {}

    /** Its cases; empty if there is no suite of that name. */
    public static List<KernelCase> of(String suite) {
        return switch (suite) {
            case "paper" -> paper();
            case "cifar" -> stages("cifar", 512, 32, 3, 7, 11, 21);
            case "stl" -> stages("stl", 64, 96, 3, 11, 21, 33);
            case "depthwise" -> depthwise();
            case "synthesis" -> synthesis();
            case CPU -> cpu();
            default -> List.of();
        };
    }

    private static KernelCase convolution(
            String suite, Family family, int batch, int channels, int extent, int kernel, Pass pass, DataType type) {
        String name = (family == Family.DEPTHWISE ? "depthwise" : "dense") + " C" + channels + " " + extent + "x"
                + extent + " k" + kernel + " N" + batch;
        return new KernelCase(
                suite,
                name,
                family,
                pass,
                type,
                new Shape(batch, channels, extent, kernel, family == Family.DEPTHWISE ? channels : 1),
                List.of());
    }

    /**
     * All convolutions of a residual network of three stages, the first layer with it; blocks of two layers per stage.
     */
    private static KernelCase synthesis(
            String suite, String network, int width, int blocks, int kernel, Pass pass, DataType type) {
        List<Layer> layers = new ArrayList<>();
        layers.add(new Layer(3, width, kernel, FEATURES));
        int in = width;
        for (int stage = 0; stage < 3; stage++) {
            for (int layer = 0; layer < 2 * blocks; layer++) {
                layers.add(new Layer(in, width << stage, kernel, FEATURES));
                in = width << stage;
            }
        }
        return new KernelCase(
                suite,
                "synthesis " + network + " h" + FEATURES + " k" + kernel,
                Family.SYNTHESIS,
                pass,
                type,
                null,
                layers);
    }

    private static List<KernelCase> paper() {
        List<KernelCase> cases = new ArrayList<>();
        int[][] dense = {
            {16, 32, 3}, {16, 32, 11}, {16, 32, 21}, {32, 32, 7}, {64, 32, 3}, {64, 32, 11}, {128, 16, 5}, {256, 8, 7}
        };
        for (int[] d : dense) {
            cases.add(convolution("paper", Family.DENSE, 512, d[0], d[1], d[2], Pass.FORWARD, DataType.BF16));
        }
        int[][] depthwise = {
            {512, 64, 32, 7}, {256, 256, 16, 7}, {512, 64, 32, 15}, {512, 64, 32, 31}, {128, 96, 96, 21}
        };
        for (int[] d : depthwise) {
            cases.add(convolution("paper", Family.DEPTHWISE, d[0], d[1], d[2], d[3], Pass.FORWARD, DataType.BF16));
        }
        for (int kernel : new int[] {5, 11, 21}) {
            cases.add(synthesis("paper", "ResNet-20", 16, 3, kernel, Pass.FORWARD, DataType.BF16));
        }
        return cases;
    }

    /** The stages of a residual network on small images, every pass in both types. */
    private static List<KernelCase> stages(String suite, int batch, int extent, int... kernels) {
        List<KernelCase> cases = new ArrayList<>();
        for (int stage = 0; stage < 3; stage++) {
            for (int kernel : kernels) {
                for (Pass pass : PASSES) {
                    for (DataType type : TYPES) {
                        cases.add(convolution(
                                suite, Family.DENSE, batch, 16 << stage, extent >> stage, kernel, pass, type));
                    }
                }
            }
        }
        return cases;
    }

    private static List<KernelCase> depthwise() {
        List<KernelCase> cases = new ArrayList<>();
        int[][] stages = {{512, 64, 32}, {256, 256, 16}, {128, 96, 96}};
        for (int[] s : stages) {
            for (int kernel : new int[] {3, 7, 15, 31}) {
                for (Pass pass : PASSES) {
                    cases.add(
                            convolution("depthwise", Family.DEPTHWISE, s[0], s[1], s[2], kernel, pass, DataType.BF16));
                }
            }
        }
        return cases;
    }

    private static List<KernelCase> synthesis() {
        List<KernelCase> cases = new ArrayList<>();
        for (int kernel : new int[] {3, 5, 11, 21, 33}) {
            for (Pass pass : new Pass[] {Pass.FORWARD, Pass.BACKWARD}) {
                for (DataType type : TYPES) {
                    cases.add(synthesis("synthesis", "ResNet-20", 16, 3, kernel, pass, type));
                }
                cases.add(synthesis("synthesis", "WRN-16-4", 64, 2, kernel, pass, DataType.BF16));
            }
        }
        return cases;
    }

    private static List<KernelCase> cpu() {
        List<KernelCase> cases = new ArrayList<>();
        int[][] dense = {{16, 32, 3}, {16, 32, 7}, {16, 32, 15}, {64, 8, 3}, {64, 8, 7}};
        for (DataType type : TYPES) {
            for (Pass pass : PASSES) {
                for (int[] d : dense) {
                    cases.add(convolution(CPU, Family.DENSE, 32, d[0], d[1], d[2], pass, type));
                }
                for (int kernel : new int[] {3, 7}) {
                    cases.add(convolution(CPU, Family.DEPTHWISE, 32, 64, 16, kernel, pass, type));
                }
            }
            for (Pass pass : new Pass[] {Pass.FORWARD, Pass.BACKWARD}) {
                for (int kernel : new int[] {5, 11}) {
                    cases.add(synthesis(CPU, "ResNet-20", 16, 3, kernel, pass, type));
                }
            }
        }
        return cases;
    }
}
