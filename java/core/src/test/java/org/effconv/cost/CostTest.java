package org.effconv.cost;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;

import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;
import java.util.Random;
import org.effconv.backend.Backend;
import org.effconv.backend.cpu.CpuBackend;
import org.effconv.choice.SizeRounding;
import org.effconv.nn.Architecture;
import org.effconv.nn.NetworkPlan;
import org.effconv.nn.SizedLayer;
import org.effconv.search.SmallSearch;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.MethodSource;
import org.junit.jupiter.params.provider.ValueSource;

/** Every kind of cost against a naive count in fp64, and its slopes against central differences. */
public class CostTest {
    private final Backend backend = CpuBackend.open(1);

    @AfterEach
    void close() {
        backend.close();
    }

    private static NetworkPlan plan(String architecture) {
        return SmallSearch.plan(architecture, 32, 32, architecture.equals("lenet") ? 1 : 3, 10);
    }

    /** The cost of a built-in architecture on images of 32 x 32 x 3 and 10 classes. */
    public static Cost of(Backend backend, String architecture, String kind) {
        NetworkPlan plan = SmallSearch.plan(architecture, 32, 32, 3, 10);
        return switch (Cost.Kind.of(kind)) {
            case PARAMETERS -> Cost.parameters(backend, plan);
            case MULTIPLY_ADDS -> Cost.multiplyAdds(backend, plan);
            case LATENCY -> latency(backend, plan);
        };
    }

    /** Made-up times, with a plateau, a jump and unequal layers, as measured ones have. */
    static Cost latency(Backend backend, NetworkPlan plan) {
        List<double[]> rows = new ArrayList<>();
        for (SizedLayer layer : plan.sizedLayers()) {
            double[] row = new double[(layer.kmax() + 1) / 2];
            for (int i = 0; i < row.length; i++) {
                int k = Math.max(3, 2 * i + 1); // size 1 is no faster than size 3
                row[i] = 0.01 + 1e-7 * layer.multiplyAddsPerTap() * k * k + (k > 9 ? 0.02 : 0) + 0.001 * layer.index();
            }
            rows.add(row);
        }
        return Cost.latency(backend, plan, 0.5, rows);
    }

    private List<Cost> all(NetworkPlan plan) {
        return List.of(Cost.parameters(backend, plan), Cost.multiplyAdds(backend, plan), latency(backend, plan));
    }

    // m(d; v) of every tap of a kmax grid, added up one by one.
    private static double taps(double v, int kmax) {
        double sum = 0;
        int reach = kmax / 2;
        for (int i = -reach; i <= reach; i++) {
            for (int j = -reach; j <= reach; j++) {
                sum += Math.max(0, Math.min(1, (v + 1) / 2 - Math.max(Math.abs(i), Math.abs(j))));
            }
        }
        return sum;
    }

    private static double[] random(NetworkPlan plan, Random random) {
        return plan.sizedLayers().stream()
                .mapToDouble(l -> 1 + random.nextDouble() * (l.kmax() + 1))
                .toArray();
    }

    static List<String> builtIns() {
        return Architecture.builtIns();
    }

    @ParameterizedTest
    @MethodSource("builtIns")
    void countsAreThoseOfEveryTapAndEveryOutput(String architecture) {
        NetworkPlan plan = plan(architecture);
        Random random = new Random(1);
        for (int draw = 0; draw < 3; draw++) {
            double[] v = random(plan, random);
            double parameters = plan.fixedParameters();
            double multiplyAdds = plan.fixedMultiplyAdds();
            for (SizedLayer layer : plan.sizedLayers()) {
                double perOutput = taps(v[layer.index()], layer.kmax()) * layer.inputChannels() / layer.groups();
                parameters += perOutput * layer.outputChannels();
                multiplyAdds += perOutput
                        * layer.outputChannels()
                        * ((layer.height() - 1) / layer.stride() + 1)
                        * ((layer.width() - 1) / layer.stride() + 1);
            }
            assertEquals(parameters, Cost.parameters(backend, plan).soft(v).total(), 1e-12 * parameters);
            assertEquals(multiplyAdds, Cost.multiplyAdds(backend, plan).soft(v).total(), 1e-12 * multiplyAdds);
        }
    }

    @ParameterizedTest
    @ValueSource(strings = {"cnn6", "lenet", "resnet20", "flexnet7", "dwnet", "planted1", "planted3"})
    void slopesAreThoseOfDifferencesAndOddSizesAreExact(String architecture) {
        NetworkPlan plan = plan(architecture);
        Random random = new Random(2);
        double h = 1e-4;
        for (Cost cost : all(plan)) {
            double[] v = random(plan, random);
            for (int l = 0; l < v.length; l++) { // away from the kinks at odd sizes
                v[l] += Math.abs(Math.IEEEremainder(v[l] - 1, 2)) < 2 * h ? 4 * h : 0;
            }
            double[] slopes = cost.soft(v).slopes();
            for (int l = 0; l < v.length; l++) {
                double[] above = v.clone();
                double[] below = v.clone();
                above[l] += h;
                below[l] -= h;
                double expected = (cost.soft(above).total() - cost.soft(below).total()) / (2 * h);
                assertEquals(
                        expected,
                        slopes[l],
                        1e-6 * expected + 1e-9 * cost.soft(v).total() / h,
                        cost.kind() + " layer " + l);
            }
            int[] odd = plan.sizedLayers().stream()
                    .mapToInt(x -> 1 + 2 * random.nextInt((x.kmax() + 1) / 2))
                    .toArray();
            double[] soft = Arrays.stream(odd).asDoubleStream().toArray();
            assertEquals(cost.at(odd), cost.soft(soft).total(), 1e-12 * cost.at(odd));
            double parts = cost.fixed();
            for (int l = 0; l < odd.length; l++) {
                parts += cost.layer(l, odd[l]);
                assertTrue(l == 0 || cost.layer(l, odd[l]) >= cost.layer(l, 1));
            }
            assertEquals(cost.at(odd), parts, 1e-12 * parts);
        }
    }

    @ParameterizedTest
    @ValueSource(strings = {"cnn6", "resnet20", "dwnet"})
    void budgetsOfEveryKindAreMetByOddSizes(String architecture) {
        NetworkPlan plan = plan(architecture);
        Random random = new Random(3);
        for (Cost cost : all(plan)) {
            for (String text : List.of("k5", "1.5x")) {
                Budget budget = Budget.parse(text, cost.kind().key());
                double target = budget.target(cost);
                double uniform = EqualCost.uniform(cost, target);
                for (int draw = 0; draw < 3; draw++) {
                    double[] v = plan.sizedLayers().stream()
                            .mapToDouble(l -> Math.min(l.kmax(), uniform * (0.8 + 0.4 * random.nextDouble())))
                            .toArray();
                    int[] sizes = SizeRounding.repair(v, cost, target);
                    assertTrue(
                            Cost.deviation(cost.at(sizes), target)
                                    <= cost.kind().choiceTolerance(),
                            cost.kind() + " " + text + ": " + Arrays.toString(sizes));
                }
            }
        }
    }

    @Test
    void aTableMustNotFallOrHaveGaps() {
        NetworkPlan plan = plan("planted1");
        int count = (plan.sizedLayers().get(0).kmax() + 1) / 2;
        double[] row = new double[count];
        Arrays.setAll(row, i -> 1 + i);
        row[3] = 0.5;
        assertThrows(IllegalArgumentException.class, () -> Cost.latency(backend, plan, 0, List.of(row)));
        assertThrows(
                IllegalArgumentException.class, () -> Cost.latency(backend, plan, 0, List.of(new double[count - 1])));
        assertThrows(
                IllegalArgumentException.class,
                () -> Cost.latency(backend, plan, Double.NaN, List.of(new double[count])));
    }
}
