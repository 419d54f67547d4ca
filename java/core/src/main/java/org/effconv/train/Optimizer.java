package org.effconv.train;

import java.util.ArrayList;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.function.DoubleSupplier;
import java.util.function.Function;
import java.util.function.Supplier;
import java.util.function.ToDoubleFunction;
import org.effconv.autodiff.Parameter;
import org.effconv.backend.Backend;
import org.effconv.backend.OptimizerRates;
import org.effconv.backend.OptimizerRule;
import org.effconv.backend.OptimizerSlot;
import org.effconv.tensor.Construction;
import org.effconv.tensor.Tensor;

/**
 * Updates a set of parameters, all in one call per step, and owns their moments. A parameter without a gradient is left
 * out of a step; one whose rate is 0 keeps its value, but its moments go on.
 */
public final class Optimizer implements AutoCloseable {
    private record Moments(Parameter parameter, Tensor first, Tensor second) {}

    private final Backend backend;
    private final OptimizerSettings settings;
    private final List<Moments> moments = new ArrayList<>();
    private final List<Tensor> owned = new ArrayList<>();
    private long steps;
    private ToDoubleFunction<Parameter> factors; // of the step begun last
    private double scheduled;

    public Optimizer(Backend backend, OptimizerSettings settings, List<Parameter> parameters) {
        this.backend = backend;
        this.settings = settings;
        boolean adam = settings.rule().kind() == OptimizerRule.Kind.ADAMW;
        try (Construction construction = new Construction()) {
            construction.own(this);
            for (Parameter p : parameters) {
                moments.add(new Moments(p, zeros(p.value()), adam ? zeros(p.value()) : null));
            }
            construction.done();
        }
    }

    private Tensor zeros(Tensor like) {
        Tensor t = Tensor.allocate(backend.memory(), like.type(), like.shape());
        owned.add(t);
        backend.fill(t, 0);
        return t;
    }

    /**
     * One update.
     *
     * @param gradients of a parameter, or null where there is none
     * @param factors on the scheduled rate, per parameter
     * @param scheduled the schedule's factor at this step
     * @return the global gradient norm before clipping; asking for it may wait for the device
     */
    public DoubleSupplier step(
            Function<Parameter, Tensor> gradients, ToDoubleFunction<Parameter> factors, double scheduled) {
        begin(factors, scheduled);
        return update(gradients).get();
    }

    /** Counts a step and takes its rates, before its {@link #update}, which may then be part of a recorded step. */
    public void begin(ToDoubleFunction<Parameter> factors, double scheduled) {
        steps++;
        this.factors = factors;
        this.scheduled = scheduled;
    }

    /**
     * The update of the step that {@link #begin} began; one that a device repeats takes the rates of the step begun
     * last.
     *
     * @return asked after each step, starts reading its global gradient norm before clipping, and gives what waits for
     *     it
     */
    public Supplier<DoubleSupplier> update(Function<Parameter, Tensor> gradients) {
        List<Parameter> updated = new ArrayList<>(moments.size());
        List<OptimizerSlot> slots = new ArrayList<>(moments.size());
        for (Moments m : moments) {
            Tensor gradient = gradients.apply(m.parameter);
            if (gradient != null) {
                double decay = m.parameter.decayed() ? settings.weightDecay() : 0;
                updated.add(m.parameter);
                slots.add(new OptimizerSlot(m.parameter.value(), gradient, m.first, m.second, 0, decay));
            }
        }
        return backend.update(settings.rule(), () -> rates(updated), slots);
    }

    private OptimizerRates rates(List<Parameter> updated) {
        double rate = settings.learningRate() * scheduled;
        return new OptimizerRates(
                steps,
                updated.stream()
                        .mapToDouble(p -> rate * factors.applyAsDouble(p))
                        .toArray());
    }

    /** Updates made so far. */
    public long steps() {
        return steps;
    }

    /** For a resumed run, whose moments are restored through {@link #tensors}. */
    public void setSteps(long steps) {
        this.steps = steps;
    }

    /** The moments by name, in parameter order. */
    public Map<String, Tensor> tensors() {
        Map<String, Tensor> named = new LinkedHashMap<>();
        for (Moments m : moments) {
            named.put(m.parameter.name() + ".first", m.first);
            if (m.second != null) {
                named.put(m.parameter.name() + ".second", m.second);
            }
        }
        return named;
    }

    @Override
    public void close() {
        owned.forEach(Tensor::close);
    }
}
