package org.effconv.nn;

import java.util.ArrayList;
import java.util.HashSet;
import java.util.List;
import java.util.Set;
import org.effconv.backend.Convolution;
import org.effconv.error.EffconvException.InvalidInput;
import org.effconv.nn.layer.Extent;
import org.effconv.nn.layer.Layer;
import org.effconv.nn.layer.NetworkLimits;
import org.effconv.nn.layer.ParameterSpec;
import org.effconv.nn.layer.Planner;
import org.effconv.nn.layer.Step;
import org.effconv.nn.model.ModelTensor;

/** Walks an architecture's layers, collects what they own, and holds it to the limits. */
final class PlanBuilder implements Planner {
    /** The image is too small for a window. */
    static final class TooSmall extends RuntimeException {
        private static final long serialVersionUID = 1L;

        TooSmall(String message) {
            super(message, null, false, false);
        }
    }

    /** A running statistic and the value it starts at. */
    record Statistic(ModelTensor tensor, double start) {}

    final List<SizedLayer> sized = new ArrayList<>();
    final List<ParameterSpec> parameters = new ArrayList<>();
    final List<Statistic> statistics = new ArrayList<>();
    long fixedMultiplyAdds;
    double values; // that all steps give for one image

    private final String source;
    private final int classes;
    private final Set<String> names = new HashSet<>();
    private long leastParameters; // with all sizes 1
    private long leastMultiplyAdds;
    private int draws;
    private Extent extent;
    private List<Step> steps = new ArrayList<>(); // of the branch that is being planned
    private Step preceding;

    /** @param source names the architecture's file in errors */
    PlanBuilder(String source, NetworkPlan.Input input) {
        this.source = source;
        this.classes = input.classes();
        this.extent = new Extent(input.height(), input.width(), input.channels(), false);
    }

    // ---- where the plan stands ----------------------------------------------------------------------------------

    @Override
    public Extent extent() {
        return extent;
    }

    @Override
    public int classes() {
        return classes;
    }

    @Override
    public void add(String layer, Step step, Extent to) {
        steps.add(step);
        preceding = step;
        extent = to;
        if (step.givesValues()) {
            values += atMost(layer, to.count(), "values an image", NetworkLimits.VALUES);
        }
    }

    @Override
    public Step preceding() {
        return preceding;
    }

    @Override
    public void replacePreceding(Step step) {
        steps.set(steps.size() - 1, step);
        preceding = step;
    }

    @Override
    public void layers(List<Layer> layers, String prefix) {
        preceding = null;
        for (Layer layer : layers) {
            layer.plan(this, prefix + layer.name());
        }
        preceding = null;
    }

    @Override
    public Branch branch(List<Layer> layers, String prefix, Extent from) {
        List<Step> around = steps;
        steps = new ArrayList<>();
        extent = from;
        layers(layers, prefix);
        Branch branch = new Branch(List.copyOf(steps), extent);
        steps = around;
        return branch;
    }

    // ---- what layers own ----------------------------------------------------------------------------------------

    @Override
    public String unique(String name) {
        if (!names.add(name)) {
            throw misfit(name, "two layers get this full name", "names that stay unique once repetitions are unrolled");
        }
        return name;
    }

    @Override
    public ParameterSpec countedParameter(ParameterSpec spec) {
        parameters.add(spec);
        return spec;
    }

    @Override
    public void statistic(ModelTensor tensor, double start) {
        statistics.add(new Statistic(tensor, start));
    }

    @Override
    public int sizedLayer(String name, Convolution convolution, Extent to, int kmax, int defaultSize) {
        SizedLayer layer = new SizedLayer(
                sized.size(),
                name,
                extent.channels(),
                to.channels(),
                convolution.stride(),
                convolution.groups(),
                extent.height(),
                extent.width(),
                to.height(),
                to.width(),
                kmax,
                defaultSize);
        sized.add(layer);
        countWeights(name, layer.parametersPerTap());
        countMultiplyAdds(name, layer.multiplyAddsPerTap());
        return layer.index();
    }

    @Override
    public int draws() {
        return draws++;
    }

    @Override
    public void multiplyAdds(String layer, long count) {
        countMultiplyAdds(layer, count);
        fixedMultiplyAdds += count;
    }

    // ---- what is held to limits, layer by layer, so that no sum overflows --------------------------------------

    @Override
    public void countWeights(String name, long count) {
        leastParameters += atMost(name, count, "weights", NetworkLimits.WEIGHTS);
        atMost(name, leastParameters, "parameters with those before it, at kernel size 1", NetworkLimits.PARAMETERS);
    }

    private void countMultiplyAdds(String name, long count) {
        leastMultiplyAdds += count;
        atMost(
                name,
                leastMultiplyAdds,
                "multiply-adds an image with those before it, at kernel size 1",
                NetworkLimits.MULTIPLY_ADDS);
    }

    private long atMost(String name, long count, String of, long most) {
        if (count > most) {
            throw misfit(name, NetworkLimits.number(count) + " " + of, "at most " + NetworkLimits.number(most));
        }
        return count;
    }

    @Override
    public InvalidInput misfit(String layer, String found, String expected) {
        return new InvalidInput(source + ": layer " + layer + ": " + found + "; expected " + expected);
    }

    @Override
    public RuntimeException tooSmall(String message) {
        return new TooSmall(message);
    }
}
