package org.effconv.bench;

import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;
import java.util.Locale;
import java.util.concurrent.Callable;
import java.util.stream.IntStream;
import org.effconv.Device;
import org.effconv.Settings;
import org.effconv.Training;
import org.effconv.TrainingResult;
import org.effconv.backend.OptimizerRule;
import org.effconv.choice.Baselines;
import org.effconv.cost.Budget;
import org.effconv.cost.Cost;
import org.effconv.data.Augmentation;
import org.effconv.data.Dataset;
import org.effconv.data.Datasets;
import org.effconv.nn.Architecture;
import org.effconv.nn.Network;
import org.effconv.nn.NetworkPlan;
import org.effconv.predict.SearchSettings;
import org.effconv.search.SynthesisedWeights;
import org.effconv.train.Evaluation;
import org.effconv.train.Normalisation;
import org.effconv.train.OptimizerSettings;
import org.effconv.train.Schedule;
import org.effconv.train.StopSignal;
import org.effconv.train.TrainingLoop;
import org.effconv.train.TrainingOptions;
import picocli.CommandLine;
import picocli.CommandLine.Command;
import picocli.CommandLine.Option;

/**
 * Does the loss under predicted kernels rank sizes as trainings of their own do? Trains kernels with sizes drawn around
 * uniform sizes, judges choices of equal cost by them, trains a network of each choice, and prints both with their rank
 * correlation.
 */
@Command(name = "judge-study", mixinStandardHelpOptions = true, showDefaultValues = true)
final class JudgeStudy implements Callable<Integer> {
    private static final double RATE = 0.003; // what jobs use with adamw
    private static final double DECAY = 0.02;
    private static final int MOST_BATCHES = 64;

    @Option(names = "--arch", defaultValue = "cnn6")
    private String arch;

    @Option(names = "--data", required = true)
    private String data;

    @Option(names = "--budget", defaultValue = "k3")
    private String budget;

    @Option(names = "--images", defaultValue = "4000", description = "to train on")
    private int images;

    @Option(names = "--held", defaultValue = "1024", description = "training images kept for judging")
    private int held;

    @Option(names = "--test-images", defaultValue = "5000")
    private int testImages;

    @Option(names = "--search-epochs", defaultValue = "6")
    private int searchEpochs;

    @Option(names = "--epochs", defaultValue = "8")
    private int epochs;

    @Option(names = "--spread", defaultValue = "0.4")
    private double spread;

    @Option(names = "--seeds", split = ",", defaultValue = "1,2")
    private List<Long> seeds;

    @Option(
            names = "--draws",
            defaultValue = "8",
            description = "random choices of equal cost beside uniform sizes and --sizes")
    private int draws;

    @Option(
            names = "--sizes",
            description = "a choice: one odd size per layer, with commas; may be given more than once")
    private List<String> given = List.of();

    @Option(names = "--no-training", description = "judge only")
    private boolean noTraining;

    public static void main(String[] arguments) {
        System.exit(new CommandLine(new JudgeStudy()).execute(arguments));
    }

    @Override
    public Integer call() {
        Dataset all = Datasets.open(data).take(images + held, testImages);
        Dataset split = all.withValidation((double) held / all.train().count(), 1);
        try (Device device = Device.open(Settings.standard())) {
            Architecture architecture = Architecture.named(arch);
            NetworkPlan plan = architecture.plan(
                    new NetworkPlan.Input(split.height(), split.width(), split.channels(), split.classes()));
            Cost cost = Cost.parameters(device.backend(), plan);
            Budget asked = Budget.parse(budget);
            List<int[]> choices = choices(cost, asked.target(cost));
            double[] losses = new double[choices.size()];
            double[] errors = new double[choices.size()];
            for (long seed : seeds) {
                double[] judged = judge(device, plan, cost, asked, split, seed, choices);
                for (int i = 0; i < losses.length; i++) {
                    losses[i] += judged[i] / seeds.size();
                }
            }
            System.out.println(
                    "| sizes | parameters | judged loss | test errors of trainings, % | mean |\n|---|---|---|---|---|");
            for (int i = 0; i < choices.size(); i++) {
                List<String> each = new ArrayList<>();
                for (long seed : noTraining ? List.<Long>of() : seeds) {
                    try (TrainingResult r = Training.of(architecture, choices.get(i))
                            .epochs(epochs)
                            .seed(seed)
                            .run(device, split)) {
                        double error = 100 * (1 - r.testAccuracy());
                        errors[i] += error / seeds.size();
                        each.add(String.format(Locale.ROOT, "%.2f", error));
                    }
                }
                System.out.printf(
                        Locale.ROOT,
                        "| %s | %,.0f | %.4f | %s | %.2f |%n",
                        Arrays.toString(choices.get(i)),
                        cost.at(choices.get(i)),
                        losses[i],
                        String.join(" ", each),
                        errors[i]);
            }
            if (!noTraining) {
                System.out.printf(
                        Locale.ROOT,
                        "%nrank correlation of judged loss and mean error: %.2f (%d choices)%n",
                        rankCorrelation(losses, errors),
                        choices.size());
            }
        }
        return 0;
    }

    private List<int[]> choices(Cost cost, double target) {
        List<int[]> choices = new ArrayList<>();
        choices.add(Baselines.mixed(cost, target));
        for (int draw = 1; draw <= draws; draw++) {
            choices.add(Baselines.random(cost, target, draw));
        }
        for (String text : given) {
            choices.add(
                    Arrays.stream(text.split(",")).mapToInt(Integer::parseInt).toArray());
        }
        return choices;
    }

    // Mean loss on the held images of each choice. The kernels learn with sizes that stay where they start.
    private double[] judge(
            Device device, NetworkPlan plan, Cost cost, Budget asked, Dataset split, long seed, List<int[]> choices) {
        SearchSettings settings = SearchSettings.standard()
                .change()
                .spread(spread)
                .closing(0)
                .frozen(Math.nextDown(1.0))
                .build();
        OptimizerSettings optimizer =
                new OptimizerSettings(OptimizerRule.adamW(), RATE, DECAY, Schedule.named("cosine", 0.1));
        Augmentation augmentation = new Augmentation(split.height() / 8, split.channels() == 3);
        TrainingOptions options = new TrainingOptions(searchEpochs, 128, optimizer, 0, augmentation, seed);
        Normalisation normalisation = Normalisation.of(split);
        try (Network network = new Network(device.backend(), plan, device.activationType(), seed);
                SynthesisedWeights weights = SynthesisedWeights.of(
                        device.backend(), device.activationType().parameterType(), cost, asked, settings, seed);
                TrainingLoop loop =
                        new TrainingLoop(device.backend(), network, weights, split.train(), normalisation, options)) {
            while (loop.epochsDone() < searchEpochs) {
                loop.runEpoch(new StopSignal(), (batch, loss) -> {});
            }
            return choices.stream()
                    .mapToDouble(sizes -> {
                        weights.judge(sizes);
                        return Arrays.stream(Evaluation.batches(
                                                device.backend(),
                                                network,
                                                weights,
                                                loop.progress(),
                                                split.validation().orElseThrow(),
                                                normalisation,
                                                128,
                                                1,
                                                MOST_BATCHES,
                                                new StopSignal())
                                        .losses())
                                .average()
                                .orElseThrow();
                    })
                    .toArray();
        }
    }

    /** Spearman's. */
    private static double rankCorrelation(double[] a, double[] b) {
        double[] x = ranks(a);
        double[] y = ranks(b);
        double mean = (a.length + 1) / 2.0;
        double xy = IntStream.range(0, a.length)
                .mapToDouble(i -> (x[i] - mean) * (y[i] - mean))
                .sum();
        double xx = Arrays.stream(x).map(r -> (r - mean) * (r - mean)).sum();
        double yy = Arrays.stream(y).map(r -> (r - mean) * (r - mean)).sum();
        return xy / Math.sqrt(xx * yy);
    }

    private static double[] ranks(double[] values) {
        return Arrays.stream(values)
                .map(v -> 1
                        + Arrays.stream(values).filter(w -> w < v).count()
                        + (Arrays.stream(values).filter(w -> w == v).count() - 1) / 2.0)
                .toArray();
    }
}
