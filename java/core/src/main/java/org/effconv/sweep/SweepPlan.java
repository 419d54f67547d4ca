package org.effconv.sweep;

import com.fasterxml.jackson.databind.node.ObjectNode;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.HashMap;
import java.util.HashSet;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.Set;
import java.util.stream.IntStream;
import org.effconv.Device;
import org.effconv.EffconvException.InvalidInput;
import org.effconv.EffconvException.JobFailed;
import org.effconv.Job;
import org.effconv.KernelSizeSearch;
import org.effconv.Settings;
import org.effconv.data.Dataset;
import org.effconv.data.Datasets;
import org.effconv.io.Digest;
import org.effconv.io.Json;
import org.effconv.nn.Architecture;
import org.effconv.nn.NetworkPlan;
import org.effconv.size.Baselines;
import org.effconv.size.Budget;
import org.effconv.size.Cost;
import org.effconv.size.SizeRounding;

/** All runs of a sweep, checked against architectures, data and budgets; seeds outermost, so that a sweep that is cut short compares whole seeds. */
public final class SweepPlan implements AutoCloseable {
    private final SweepOptions options;
    private final Device device; // counts parameters; computes nothing
    private final Map<String, Cost> costs = new HashMap<>(); // by task and budget
    private final Map<String, Dataset> datasets = new HashMap<>(); // by data spec, whole
    private final List<SweepRun> runs = new ArrayList<>();

    private SweepPlan(SweepOptions options) {
        this.options = options;
        // A table of times belongs to its device; for the rest a GPU need not be taken.
        boolean timed = options.budgets().stream()
                .anyMatch(b -> options.settings().with(Settings.BUDGET, b).budget().cost() == Cost.Kind.LATENCY);
        device = Device.open(timed ? options.settings() : options.settings().with(Settings.DEVICE, "cpu"));
    }

    /**
     * @throws InvalidInput if architectures, data or budgets do not fit together, or a baseline cannot meet a budget
     */
    public static SweepPlan of(SweepOptions options) {
        SweepPlan plan = new SweepPlan(options);
        try {
            plan.build();
            return plan;
        } catch (Throwable e) {
            plan.close();
            throw e;
        }
    }

    private void build() {
        Map<String, Architecture> architectures = new LinkedHashMap<>();
        for (String spec : options.architectures()) {
            Architecture a = Job.architecture(spec);
            if (architectures.put(a.name(), a) != null) {
                throw new InvalidInput("--arch " + spec + ": another architecture of this sweep is named '" + a.name() + "', too");
            }
        }
        for (long seed : options.seeds()) {
            for (String data : options.data()) {
                for (int images : options.trainImages()) {
                    for (Architecture architecture : architectures.values()) {
                        Settings settings = options.settings().with(Settings.ARCH, architecture.name()).with(Settings.DATA, data)
                                .with(Settings.TRAIN_IMAGES, images).with(Settings.SEED, seed);
                        addTask(architecture, settings);
                    }
                }
            }
        }
    }

    private void addTask(Architecture architecture, Settings settings) {
        for (String text : options.budgets()) {
            Settings withBudget = settings.with(Settings.BUDGET, text);
            Budget budget = withBudget.budget();
            if (!budget.hasTarget()) {
                throw new InvalidInput("--budget " + text + ": expected a number to meet, a sweep compares networks of equal cost");
            }
            Cost cost = cost(architecture, withBudget);
            double target = budget.target(cost);
            SizeRounding.requireReachable(cost, target);
            addBudget(architecture, withBudget, text, cost, target);
        }
    }

    private void addBudget(Architecture architecture, Settings settings, String budget, Cost cost, double target) {
        Set<String> searches = new HashSet<>();
        for (Method method : options.methods()) {
            if (method.searches()) {
                SweepRun search = search(method, architecture, settings, budget, target);
                if (searches.add(search.id())) {
                    runs.add(search);
                }
                runs.add(new SweepRun(SweepRun.Kind.TRAINING, architecture, budget, target, method, "", null, search.id(), settings));
                continue;
            }
            if (method == Method.FLEXCONV) {
                runs.add(new SweepRun(SweepRun.Kind.CONTINUOUS, architecture, budget, target, method, "", null, null, settings));
                continue;
            }
            try {
                sizes(method, cost, target, settings.get(Settings.SEED)).forEach((variant, sizes) -> runs.add(new SweepRun(
                        SweepRun.Kind.TRAINING, architecture, budget, target, method, variant, sizes, null, settings)));
            } catch (JobFailed e) {
                throw new InvalidInput("--budget " + budget + ", method " + method + ", " + cost.plan() + ": " + e.getMessage(), e);
            }
        }
    }

    // Learned and shuffled sizes share a search.
    private static SweepRun search(Method method, Architecture architecture, Settings settings, String budget, double target) {
        boolean elastic = method == Method.ELASTIC;
        Settings own = elastic ? settings.with(Settings.PREDICTOR, "elastic").with(Settings.SIZE_PREDICTOR, "none").with(Settings.SIZE_UPDATE, "steady")
                : settings;
        return new SweepRun(SweepRun.Kind.SEARCH, architecture, budget, target, method, elastic ? "elastic" : "", null, null, own);
    }

    private Map<String, int[]> sizes(Method method, Cost cost, double target, long seed) {
        Map<String, int[]> found = new LinkedHashMap<>();
        switch (method) {
            case UNIFORM -> Baselines.uniform(cost, target).forEach(sizes -> found.put("k" + IntStream.of(sizes).max().orElseThrow(), sizes));
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
        String data = settings.get(Settings.DATA);
        Dataset whole = datasets.computeIfAbsent(data, Datasets::open);
        String key = architecture.name() + "/" + data + "/" + settings.get(Settings.TRAIN_IMAGES) + "/" + settings.get(Settings.BUDGET);
        return costs.computeIfAbsent(key, k -> {
            Dataset d = Job.select(whole, settings);
            NetworkPlan plan = architecture.plan(new NetworkPlan.Input(d.height(), d.width(), d.channels(), d.classes()));
            return KernelSizeSearch.cost(device, plan, settings);
        });
    }

    /** In the order to run them; a search stands before the trainings that need it. */
    public List<SweepRun> runs() {
        return List.copyOf(runs);
    }

    /** Parameters of a run's network; 0 while its sizes are not known. */
    public long parameters(SweepRun run) {
        return run.sizes() == null ? 0 : cost(run.architecture(), run.settings()).plan().parameters(run.sizes());
    }

    /** (cost - target) / target of the run's network; continuous kernels own other numbers of parameters than plain ones of their sizes. */
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
        return Job.select(datasets.get(run.settings().get(Settings.DATA)), run.settings());
    }

    /** The run with the sizes of its search. */
    public SweepRun resolved(SweepRun run, int[] found) {
        return run.withSizes(run.method() == Method.SHUFFLED
                ? Baselines.shuffled(found, cost(run.architecture(), run.settings()), run.target(), run.seed())
                : found);
    }

    /** What all runs have in common, so that a results file holds nothing else: the settings that are no lists. */
    public ObjectNode common() {
        ObjectNode json = Json.object().put("format", 1);
        ObjectNode settings = options.settings().toJson();
        settings.remove(List.of(Settings.ARCH.key(), Settings.DATA.key(), Settings.TRAIN_IMAGES.key(), Settings.BUDGET.key(),
                Settings.SEED.key()));
        json.set("settings", settings);
        String table = options.settings().get(Settings.LATENCY_TABLE);
        if (!table.equals(Settings.LATENCY_TABLE.standard())) {
            json.put("latencyTable", Digest.of(Json.line(Json.read(Path.of(table))))); // measured anew it would be another budget
        }
        return json;
    }

    @Override
    public void close() {
        device.close();
    }
}
