package org.effconv.sweep;

import com.fasterxml.jackson.databind.node.ObjectNode;
import java.util.ArrayList;
import java.util.HashMap;
import java.util.HashSet;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.Set;
import java.util.stream.IntStream;
import org.effconv.Device;
import org.effconv.Job;
import org.effconv.KernelSizeSearch;
import org.effconv.Settings;
import org.effconv.choice.Baselines;
import org.effconv.choice.SizeRounding;
import org.effconv.cost.Budget;
import org.effconv.cost.Cost;
import org.effconv.data.Dataset;
import org.effconv.data.Datasets;
import org.effconv.error.EffconvException.InvalidInput;
import org.effconv.error.EffconvException.JobFailed;
import org.effconv.flexconv.ContinuousKernels;
import org.effconv.io.Digest;
import org.effconv.io.Json;
import org.effconv.latency.LatencyTable;
import org.effconv.nn.Architecture;
import org.effconv.nn.NetworkPlan;
import org.effconv.train.DataIdentity;
import org.effconv.train.Work;

/**
 * All runs of a sweep, checked against architectures, data and budgets; seeds outermost, so that a sweep that is cut
 * short compares whole seeds.
 */
public final class SweepPlan implements AutoCloseable {
    private final SweepOptions options;
    private final Device device; // counts parameters; computes nothing
    private final Map<String, Cost> costs = new HashMap<>(); // by task and budget
    private final Map<String, Dataset> datasets = new HashMap<>(); // what is used of them, by place and images
    private final Map<String, ObjectNode> identities = new HashMap<>(); // of what is used of them, by name and images
    private final List<SweepRun.Data> names = new ArrayList<>();
    private final LatencyTable table; // null: none is named
    private final List<SweepRun> runs = new ArrayList<>();

    private SweepPlan(SweepOptions options) {
        this.options = options;
        Optional<Settings> timed = options.budgets().stream()
                .map(b -> options.settings().with(Settings.BUDGET, b))
                .filter(Settings::countTime)
                .findFirst();
        boolean named = !options.settings().get(Settings.LATENCY_TABLE).equals(Settings.LATENCY_TABLE.standard());
        table = named || timed.isPresent() ? KernelSizeSearch.latencyTable(timed.orElse(options.settings())) : null;
        // A table of times belongs to its device; for the rest a GPU need not be taken.
        device = Device.open(
                timed.isPresent() ? options.settings() : options.settings().with(Settings.DEVICE, "cpu"));
    }

    /**
     * @throws InvalidInput if architectures, data or budgets do not fit together, or a baseline cannot meet a budget
     */
    public static SweepPlan of(SweepOptions options) {
        return of(options, Map.of());
    }

    /**
     * @param known names that the sweep has given to datasets before, by {@linkplain DataIdentity#digest digest}: they
     *     stay the same wherever the data are now
     */
    public static SweepPlan of(SweepOptions options, Map<String, String> known) {
        SweepPlan plan = new SweepPlan(options);
        try {
            plan.build(known);
            return plan;
        } catch (Throwable e) {
            plan.close();
            throw e;
        }
    }

    private void build(Map<String, String> known) {
        Map<String, Architecture> architectures = new LinkedHashMap<>();
        for (String spec : options.architectures()) {
            Architecture a = Job.architecture(spec);
            if (architectures.put(a.name(), a) != null) {
                throw new InvalidInput(
                        "--arch " + spec + ": another architecture of this sweep is named '" + a.name() + "', too");
            }
        }
        List<SweepRun.Data> data =
                options.data().stream().map(spec -> open(spec, known)).toList();
        for (long seed : options.seeds()) {
            for (int d = 0; d < data.size(); d++) {
                for (int images : options.trainImages()) {
                    for (Architecture architecture : architectures.values()) {
                        Settings settings = options.settings()
                                .with(Settings.ARCH, architecture.name())
                                .with(Settings.DATA, options.data().get(d))
                                .with(Settings.TRAIN_IMAGES, images)
                                .with(Settings.SEED, seed);
                        addTask(architecture, data.get(d), settings);
                    }
                }
            }
        }
    }

    private SweepRun.Data open(String spec, Map<String, String> known) {
        // Of the whole, since the numbers of images are a list, which may grow. What runs use of it is opened as they
        // open it.
        String digest = DataIdentity.digest(Datasets.open(
                options.settings().with(Settings.DATA, spec).get(Settings.DATA),
                Job.reading(options.settings()).images(Integer.MAX_VALUE, Integer.MAX_VALUE)));
        SweepRun.Data data = new SweepRun.Data(known.getOrDefault(digest, spec), digest);
        if (names.stream().anyMatch(d -> d.digest().equals(digest) || d.name().equals(data.name()))) {
            throw new InvalidInput("--data " + spec + ": another dataset of this sweep holds the same or is named '"
                    + data.name() + "', too");
        }
        names.add(data);
        return data;
    }

    private void addTask(Architecture architecture, SweepRun.Data data, Settings settings) {
        for (String text : options.budgets()) {
            Settings withBudget = settings.with(Settings.BUDGET, text);
            Budget budget = withBudget.budget();
            if (!budget.hasTarget()) {
                throw new InvalidInput(
                        "--budget " + text + ": expected a number to meet, a sweep compares networks of equal cost");
            }
            Cost cost = cost(architecture, withBudget);
            double target = budget.target(cost);
            SizeRounding.requireReachable(cost, target);
            addBudget(architecture, data, withBudget, cost, target);
        }
    }

    private void addBudget(Architecture architecture, SweepRun.Data data, Settings settings, Cost cost, double target) {
        String budget = settings.get(Settings.BUDGET);
        Set<String> searches = new HashSet<>();
        String matched = options.match() == Match.WORK
                ? addSearch(Method.LEARNED, architecture, data, settings, cost, target, searches)
                : null;
        for (Method method : options.methods()) {
            if (method.searches()) {
                String search = addSearch(method, architecture, data, settings, cost, target, searches);
                runs.add(new SweepRun(
                        SweepRun.Kind.TRAINING,
                        architecture,
                        budget,
                        target,
                        method,
                        "",
                        null,
                        search,
                        data,
                        settings));
                continue;
            }
            if (method == Method.FLEXCONV) {
                ContinuousKernels.values(cost.plan()); // refuses too many
                runs.add(new SweepRun(
                        SweepRun.Kind.CONTINUOUS,
                        architecture,
                        budget,
                        target,
                        method,
                        "",
                        null,
                        null,
                        data,
                        settings));
                continue;
            }
            try {
                sizes(method, cost, target, settings.get(Settings.SEED))
                        .forEach((variant, sizes) -> runs.add(new SweepRun(
                                SweepRun.Kind.TRAINING,
                                architecture,
                                budget,
                                target,
                                method,
                                variant,
                                sizes,
                                matched,
                                data,
                                settings)));
            } catch (JobFailed e) {
                throw new InvalidInput(
                        "--budget " + budget + ", method " + method + ", " + cost.plan() + ": " + e.getMessage(), e);
            }
        }
    }

    // The id of a method's search, which is added once: learned and shuffled sizes share one.
    private String addSearch(
            Method method,
            Architecture architecture,
            SweepRun.Data data,
            Settings settings,
            Cost cost,
            double target,
            Set<String> searches) {
        SweepRun search = new SweepRun(
                SweepRun.Kind.SEARCH,
                architecture,
                settings.get(Settings.BUDGET),
                target,
                method,
                method.searchVariant(),
                null,
                null,
                data,
                method.search(settings));
        if (searches.add(search.id())) {
            KernelSizeSearch.check(search.settings(), cost.plan());
            runs.add(search);
        }
        return search.id();
    }

    private Map<String, int[]> sizes(Method method, Cost cost, double target, long seed) {
        Map<String, int[]> found = new LinkedHashMap<>();
        switch (method) {
            case UNIFORM -> Baselines.uniform(cost, target)
                    .forEach(sizes -> found.put("k" + IntStream.of(sizes).max().orElseThrow(), sizes));
            case MIXED -> found.put("", Baselines.mixed(cost, target));
            case RANDOM -> IntStream.rangeClosed(1, options.draws())
                    .forEach(draw -> found.put("draw" + draw, Baselines.random(cost, target, seed * 1_000_003 + draw)));
            case SMALL_FIRST -> found.put("", Baselines.smallFirst(cost, target));
            case LARGE_FIRST -> found.put("", Baselines.largeFirst(cost, target));
            default -> throw new IllegalArgumentException(method + " has no sizes before a search");
        }
        return found;
    }

    private Cost cost(Architecture architecture, Settings settings) {
        String key = architecture.name() + "/" + images(settings) + "/" + settings.get(Settings.BUDGET);
        return costs.computeIfAbsent(key, k -> {
            Dataset d = data(settings);
            NetworkPlan plan =
                    architecture.plan(new NetworkPlan.Input(d.height(), d.width(), d.channels(), d.classes()));
            return KernelSizeSearch.cost(device, plan, settings, table);
        });
    }

    /** In the order to run them; a search stands before the trainings that need it. */
    public List<SweepRun> runs() {
        return List.copyOf(runs);
    }

    /** Parameters of a run's network; 0 while its sizes are not known. */
    public long parameters(SweepRun run) {
        return run.sizes() == null
                ? 0
                : cost(run.architecture(), run.settings()).plan().parameters(run.sizes());
    }

    /**
     * (cost - target) / target of the run's network; continuous kernels own other numbers of parameters than plain ones
     * of their sizes.
     */
    public double deviation(SweepRun run, int[] sizes, long parameters) {
        Cost cost = cost(run.architecture(), run.settings());
        return (cost.kind() == Cost.Kind.PARAMETERS ? parameters : cost.at(sizes)) / run.target() - 1;
    }

    /** Multiply-adds of the run's network on one image. */
    public long multiplyAdds(SweepRun run) {
        return cost(run.architecture(), run.settings()).plan().multiplyAdds(run.sizes());
    }

    /** The near-uniform sizes at the run's budget, standing for ones that are not known yet. */
    int[] mixed(SweepRun run) {
        return Baselines.mixed(cost(run.architecture(), run.settings()), run.target());
    }

    long mixedMultiplyAdds(SweepRun run) {
        return cost(run.architecture(), run.settings()).plan().multiplyAdds(mixed(run));
    }

    /** The images that a run uses. */
    public Dataset data(SweepRun run) {
        return data(run.settings());
    }

    private Dataset data(Settings settings) {
        return datasets.computeIfAbsent(images(settings), key -> Job.data(settings));
    }

    // What of the settings says which images are used, and is a list.
    private static String images(Settings settings) {
        return settings.get(Settings.DATA) + "/" + settings.get(Settings.TRAIN_IMAGES);
    }

    /** What the images that a run uses are. */
    ObjectNode dataIdentity(SweepRun run) {
        return identities.computeIfAbsent(
                run.data().name() + "/" + run.settings().get(Settings.TRAIN_IMAGES), key -> DataIdentity.of(data(run)));
    }

    /**
     * The run with what its search has found out: its sizes or, where it has sizes of its own, the epochs that take as
     * much work.
     *
     * @param work of the search
     */
    public SweepRun resolved(SweepRun run, int[] found, Work work) {
        if (run.method().takesWork()) {
            return run.withEpochs(epochs(run, found, work));
        }
        return run.withSizes(
                run.method() == Method.SHUFFLED
                        ? Baselines.shuffled(found, cost(run.architecture(), run.settings()), run.target(), run.seed())
                        : found);
    }

    // The learned network's training is counted, not read from its row: so nobody waits for it.
    private int epochs(SweepRun run, int[] found, Work search) {
        long images = imagesOfAnEpoch(run);
        double training =
                (double) Work.STEP * images * run.settings().get(Settings.EPOCHS) * multiplyAdds(run.withSizes(found));
        double epochs = new Work(search.multiplyAdds() + training, 0).epochs(multiplyAdds(run), images);
        return (int) Math.max(1, Math.ceil(epochs - 1e-9)); // less than that is rounding
    }

    // Whole batches.
    private long imagesOfAnEpoch(SweepRun run) {
        int images = data(run).train().count();
        return (long) images - images % Math.min(run.settings().get(Settings.BATCH), images);
    }

    /** A run's work in epochs of training the mix nearest to uniform at its budget. */
    double uniformEpochs(SweepRun run, Work work) {
        return work.epochs(mixedMultiplyAdds(run), imagesOfAnEpoch(run));
    }

    /** What the networks are given alike. */
    Match match() {
        return options.match();
    }

    /** What the runs' budgets of time are counted by; null without one. */
    LatencyTable table() {
        return table;
    }

    /**
     * What all runs have in common, so that a results file holds nothing else: the settings that are no lists; and what
     * datasets are called.
     */
    public ObjectNode common() {
        ObjectNode json = Json.object()
                .put("format", SweepResults.FORMAT)
                .put(Match.KEY, options.match().text());
        ObjectNode settings = options.settings().identity();
        settings.remove(
                List.of(Settings.ARCH.key(), Settings.TRAIN_IMAGES.key(), Settings.BUDGET.key(), Settings.SEED.key()));
        json.set("settings", settings);
        if (table != null) {
            json.put(SweepResults.TABLE, tableDigest()); // measured anew it would be another budget
        }
        ObjectNode data = json.putObject(SweepResults.DATA);
        names.forEach(d -> data.put(d.name(), d.digest()));
        return json;
    }

    /** Of the table's content. */
    String tableDigest() {
        return Digest.of(Json.line(table.toJson()));
    }

    @Override
    public void close() {
        device.close();
    }
}
