package org.effconv;

import com.fasterxml.jackson.databind.node.ObjectNode;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.Comparator;
import java.util.List;
import org.effconv.choice.Baselines;
import org.effconv.cost.Cost;
import org.effconv.data.Dataset;
import org.effconv.error.EffconvException;
import org.effconv.latency.LatencyTable;
import org.effconv.latency.NetworkTime;
import org.effconv.nn.Architecture;
import org.effconv.nn.NetworkPlan;
import org.effconv.run.RunInputs;
import org.effconv.run.SizeLearning;
import org.effconv.run.SizeTarget;
import org.effconv.tensor.Construction;
import org.effconv.train.Phase;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;

/**
 * The whole job: learn kernel sizes, train the network found, and train the uniform network of the same cost beside it.
 */
public final class Learning extends Job<Learning> {
    private static final Logger LOG = LoggerFactory.getLogger(Learning.class);

    static final String UNIFORM_PHASE = "uniform";

    private static final int TIMED = 8; // batches of each network

    private Learning(Settings settings, Architecture architecture) {
        super("learn", settings, architecture);
    }

    private Learning(Path folder) {
        super("learn", folder);
    }

    /** For a built-in architecture, or one of the user's own in a .json file. */
    public static Learning of(String architecture) {
        return new Learning(Settings.standard(), architecture(architecture));
    }

    /** With all settings given; the architecture is this one. */
    public static Learning of(Settings settings, Architecture architecture) {
        return new Learning(settings, architecture);
    }

    /** Continues the run in a folder; its settings are the run's. */
    public static Learning resume(Path folder) {
        return new Learning(folder);
    }

    @Override
    Learning self() {
        return this;
    }

    @Override
    void addIdentity(ObjectNode identity) {
        addLatencyTable(identity);
    }

    /** As {@link KernelSizeSearch#budget}. */
    public Learning budget(String budget) {
        return set(Settings.BUDGET, budget);
    }

    /** Epochs of each training; what learning sizes takes follows from them, or from the setting search-epochs. */
    public Learning epochs(int epochs) {
        return set(Settings.EPOCHS, epochs);
    }

    /**
     * Runs, or goes on with, all phases. Everything is checked before anything is written.
     *
     * @return close it before the device
     * @throws EffconvException.InvalidInput if settings, data and architecture do not fit together
     * @throws EffconvException.JobFailed if the loss is no longer finite, or no odd sizes meet the budget
     */
    public LearningResult run(Device device, Dataset images) {
        Dataset data = select(images, settings());
        try (Device.Claim claim = device.claim()) {
            RunInputs inputs = inputs(device, data);
            SizeTarget target = Resolution.target(this, inputs);
            SizeLearning learning = Resolution.learning(this, inputs, target, data);
            Settings settings = settings();
            return inFolder(device, data, context -> {
                SizeLearning.Chosen chosen = SearchResult.write(learning.choose(context), context);
                return new Trainings(context, device, inputs, target, settings, chosen).run();
            });
        }
    }

    /** What follows once sizes are chosen. */
    private static final class Trainings {
        private final Phase.Context context;
        private final Device device;
        private final RunInputs inputs;
        private final SizeTarget target;
        private final Settings settings;
        private final SizeLearning.Chosen chosen;
        private final SearchResult found;
        private final Phase.TestPart testPart;
        private final int batch;

        Trainings(
                Phase.Context context,
                Device device,
                RunInputs inputs,
                SizeTarget target,
                Settings settings,
                SizeLearning.Chosen chosen) {
            this.context = context;
            this.device = device;
            this.inputs = inputs;
            this.target = target;
            this.settings = settings;
            this.chosen = chosen;
            found = new SearchResult(chosen.found());
            testPart = Resolution.testPart(settings);
            batch = Math.min(inputs.training().batch(), context.data().train().count());
        }

        LearningResult run() {
            double measured = target.table()
                    .map(table -> table.measureNetwork(inputs.compute(), inputs.plan(), found.sizes()))
                    .orElse(Double.NaN);
            SearchResult warmStart = settings.get(Settings.WARM_START) ? found : null;
            try (Construction construction = new Construction()) {
                TrainingResult learned =
                        construction.own(train(Training.PHASE, found.sizes(), warmStart, chosen.left(found.sizes())));
                if (context.folder() != null) {
                    learned.model().write(context.folder().file("model.safetensors"));
                }
                LearningResult result = compared(learned).measured(measured);
                construction.done();
                return result;
            }
        }

        private TrainingResult train(String phase, int[] sizes, SearchResult warmStart, Phase.Left left) {
            return Training.train(context, device, inputs, new Training.Stage(phase, sizes, warmStart, left, testPart));
        }

        private LearningResult compared(TrainingResult learned) {
            int[] uniform = uniform(target.cost(), found);
            boolean same = Arrays.equals(uniform, found.sizes())
                    && !settings.get(Settings.WARM_START); // the same network from the same seed
            boolean compare = settings.get(Settings.COMPARE);
            TrainingResult other = !compare || same ? null : train(UNIFORM_PHASE, uniform, null, chosen.left(uniform));
            long images = context.data().train().count() / batch * (long) batch;
            LearningResult result = new LearningResult(
                    found,
                    learned,
                    uniform,
                    other,
                    compare && same,
                    compare && settings.get(Settings.COMPARE_SHAPES) ? shapes() : List.of(),
                    images,
                    context.data().test().count());
            if (other != null) {
                result.imageMilliseconds(imageMilliseconds(uniform));
            }
            return result;
        }

        // Of the network found and the uniform one, beside each other.
        private double[] imageMilliseconds(int[] uniform) {
            double[] milliseconds = NetworkTime.milliseconds(
                    inputs.compute(),
                    inputs.plan(),
                    List.of(found.sizes(), uniform),
                    LatencyTable.Pass.INFERENCE,
                    batch,
                    TIMED);
            return Arrays.stream(milliseconds).map(time -> time / batch).toArray();
        }

        // Sizes that rise and that fall with depth, where such sizes meet the budget.
        private List<LearningResult.Plain> shapes() {
            Cost cost = target.cost();
            NetworkPlan plan = inputs.plan();
            double amount = Double.isNaN(found.budget()) ? found.cost() : found.budget();
            List<LearningResult.Plain> trained = new ArrayList<>();
            for (boolean rising : new boolean[] {true, false}) {
                int[] sizes;
                try {
                    sizes = rising ? Baselines.smallFirst(cost, amount) : Baselines.largeFirst(cost, amount);
                } catch (EffconvException.JobFailed e) {
                    LOG.warn(
                            "no comparison with sizes that {} with depth: {}",
                            rising ? "rise" : "fall",
                            e.getMessage());
                    continue;
                }
                try (TrainingResult result = train(rising ? "rising" : "falling", sizes, null, null)) {
                    trained.add(new LearningResult.Plain(
                            rising ? "rising sizes" : "falling sizes",
                            sizes,
                            plan.multiplyAdds(sizes),
                            plan.parameters(sizes),
                            result.testAccuracy()));
                }
            }
            return trained;
        }
    }

    /**
     * The uniform size whose network costs what was asked for (without a budget: what was found), within the tolerance
     * of a repaired choice; where no odd size does, sizes as near to one size as the cost allows.
     */
    static int[] uniform(Cost cost, SearchResult found) {
        double target = Double.isNaN(found.budget()) ? found.cost() : found.budget();
        try {
            return Baselines.mixed(cost, target);
        } catch (EffconvException.JobFailed e) {
            int[] nearest = Baselines.uniform(cost, target).stream()
                    .min(Comparator.comparingDouble(sizes -> Cost.deviation(cost.at(sizes), target)))
                    .orElseThrow();
            LOG.warn(
                    "no mix of neighbouring sizes costs {}; the comparison is with uniform sizes {}, which cost {}",
                    cost.kind().format(target),
                    Arrays.toString(nearest),
                    cost.kind().format(cost.at(nearest)));
            return nearest;
        }
    }
}
