package org.effconv;

import com.fasterxml.jackson.databind.JsonNode;
import com.fasterxml.jackson.databind.node.ObjectNode;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Locale;
import java.util.Map;
import java.util.Objects;
import java.util.SortedSet;
import java.util.TreeSet;
import java.util.function.Predicate;
import java.util.stream.Collectors;
import java.util.stream.Stream;
import org.effconv.Setting.Range;
import org.effconv.backend.MaskKind;
import org.effconv.backend.cuda.ConvolutionChoice;
import org.effconv.cost.Budget;
import org.effconv.cost.BudgetRange;
import org.effconv.cost.Cost;
import org.effconv.data.Datasets;
import org.effconv.data.Images;
import org.effconv.error.EffconvException.InvalidInput;
import org.effconv.io.Json;
import org.effconv.nn.Architecture;
import org.effconv.predict.SearchSettings;

/**
 * Everything a user can set, in one table, and a set of values for it. A value comes from whoever is nearest: the
 * builder or the command line, else the system property, else the standard value of the table. Immutable.
 */
public final class Settings {
    /** What the names of EffConv's system properties begin with. */
    public static final String PROPERTIES = "effconv.";

    /** Properties that are no settings: what the launcher tells, and what serves the search for faults and tests. */
    private static final List<String> OTHER_PROPERTIES = List.of(
            "home",
            "commit",
            "terminal",
            "leaks",
            "memory",
            "poison",
            "contract",
            "testdata",
            "onednn-shapes",
            "onednn-way");

    /** Peak rates and decays where the user leaves them open. */
    public static final double ADAMW_RATE = 0.003;

    static final double SGD_RATE = 0.1;
    public static final double ADAMW_DECAY = 0.02;
    static final double SGD_DECAY = 5e-4;

    private static final SearchSettings SEARCH = SearchSettings.standard();
    private static final Map<String, Setting<?>> TABLE = new LinkedHashMap<>();

    public static final Setting<String> ARCH = in(Setting.text(
            "arch",
            "cnn6",
            "a name or a file",
            "Architecture: " + String.join(", ", Architecture.builtIns()) + ", or a JSON file."));
    public static final Setting<String> DATA = in(Setting.place(
            "data",
            "fashion-mnist",
            Datasets::isName,
            "a dataset",
            "Dataset: fashion-mnist (ships here), planted:N (generated, needs kernels of NxN), a folder or an .npz "
                    + "file. Folders hold train/cat/1.png and so on, or the published files of MNIST, CIFAR, STL-10, SVHN "
                    + "or ImageNet-32."));
    public static final Setting<Integer> TRAIN_IMAGES = in(Setting.integer(
            "train-images",
            0,
            0,
            Integer.MAX_VALUE,
            "Use only this many training images, the first of each class; validation images are among them. 0: all."));
    public static final Setting<Integer> TEST_IMAGES = in(Setting.integer(
            "test-images",
            0,
            0,
            Integer.MAX_VALUE,
            "Use only this many test images, the first of each class. 0: all."));
    public static final Setting<Double> VALIDATION = in(Setting.number(
            "validation",
            0,
            Range.fromBelow(0, 1),
            "Fraction of the training images held back for validation, the same images at every seed. They "
                    + "are not trained on."));
    public static final Setting<Integer> IMAGE_SIZE = in(Setting.integer(
            "image-size",
            0,
            0,
            Images.MAX_SIDE,
            "Scale every image to a square of this many pixels a side; what stands out of the middle square is cut off. "
                    + "0: leave them as they are, which must be one size."));
    public static final Setting<Long> DATA_MEMORY = in(Setting.bytes(
                    "data-memory",
                    0,
                    "Most memory for decoded images, such as 2g; those beyond it are decoded whenever they are read. 0: "
                            + "half of the Java heap.")
            .asPlace());
    public static final Setting<Long> SEED =
            in(Setting.seed("seed", 1, "Seed of weights, data order, augmentation and search."));

    public static final Setting<String> DEVICE = in(Setting.matching(
            "device",
            "auto",
            "auto, cpu, cuda or cuda:N",
            "Where to compute: cpu, cuda (the first card) or cuda:N. auto takes the first card if usable, else the "
                    + "CPU, and says why.",
            "auto|cpu|cuda(:[0-9]{1,4})?"));
    public static final Setting<Long> GPU_MEMORY = in(Setting.bytes(
            "gpu-memory",
            0,
            "Most device memory to take, such as 20g; a request beyond it fails. 0: no limit but the card's."));
    public static final Setting<String> CONV = in(Setting.choice(
            "conv",
            lower(ConvolutionChoice.AUTO),
            "Whose convolutions run on a card: auto and own are the project's. cudnn takes cuDNN 9 where it serves a "
                    + "shape, and fails if it is missing.",
            names(ConvolutionChoice.values())));
    public static final Setting<String> GRAPHS = in(Setting.choice(
            "graphs",
            "on",
            "Whether steps on a card are recorded as CUDA graphs and replayed. Results are the same either way.",
            List.of("on", "off")));
    public static final Setting<Integer> THREADS = in(Setting.integer(
            "threads", 0, 0, 1024, "CPU threads to compute with. 0: half the processors, at least one."));
    public static final Setting<String> PRECISION = in(Setting.choice(
            "precision",
            "auto",
            "Type of activations; parameters stay fp32. auto: bf16 on cards from compute capability 8.0 on and CPUs "
                    + "with AMX or AVX512-BF16, else fp32.",
            List.of("auto", "fp32", "bf16")));

    public static final Setting<String> BUDGET = in(Setting.text(
            "budget",
            "as-good-as:k5",
            "a number, a ratio or a size",
            "What the network may cost: 120k (parameters), 30MMAC (million multiply-adds), 4.2ms (by "
                    + "--latency-table), 1.5x (times 3x3 everywhere) or k5 (as 5x5 everywhere). "
                    + "as-good-as:k5 seeks the least cost that is as good as k5; auto has no amount, only a --price."));
    public static final Setting<String> COST = in(Setting.choice(
            "cost",
            Budget.BY_UNIT,
            "What a budget without a unit counts, such as 1.5x or k5. auto: multiply-adds (macs) for as-good-as, else "
                    + "parameters.",
            List.of(
                    Budget.BY_UNIT,
                    Cost.Kind.PARAMETERS.key(),
                    Cost.Kind.MULTIPLY_ADDS.key(),
                    Cost.Kind.LATENCY.key())));
    /** The value of {@link #LATENCY_TABLE} that names no file. */
    static final String NO_TABLE = "none";

    public static final Setting<String> LATENCY_TABLE = in(Setting.place(
            "latency-table",
            NO_TABLE,
            NO_TABLE::equals,
            "a file",
            "File of layer times by which a budget of time is counted. 'effconv latency-table' measures it on "
                    + "this device."));
    private static final String ONE_RUN = "one-run";

    /** The value of {@link #FLOW} whose search ends before the training begins. */
    public static final String TWO_STAGES = "two-stage";

    public static final Setting<String> FLOW = in(Setting.choice(
            "flow",
            ONE_RUN,
            "How sizes are learned: one-run chooses them early in the training itself; two-stage first searches, then "
                    + "trains. "
                    + "--budget auto and --ceiling always take two stages.",
            List.of(ONE_RUN, TWO_STAGES)));

    /**
     * Of the search of two stages whose epochs are a fraction of a training's: a long training needs no long search.
     */
    static final int MOST_SEARCH_EPOCHS = 5;

    /** The same without a budget. */
    static final int MOST_OPEN_SEARCH_EPOCHS = 12;

    public static final Setting<Double> SEARCH_FRACTION = in(Setting.number(
            "search-fraction",
            0.375,
            Range.above(0),
            "Epochs of a two-stage search, as a fraction of --epochs and rounded up. At most " + MOST_SEARCH_EPOCHS
                    + " epochs, or " + MOST_OPEN_SEARCH_EPOCHS
                    + " with --budget auto, with --ceiling and for a range of budgets."));

    public static final Setting<Integer> SEARCH_EPOCHS = in(Setting.integer(
            "search-epochs",
            0,
            0,
            1_000_000,
            "Epochs to spend on learning sizes. 0: a twelfth of --epochs if these are few, a twenty-fifth of 100; "
                    + "in two stages, as --search-fraction says."));
    public static final Setting<String> MASK = in(Setting.choice(
            "mask",
            lower(SEARCH.mask()),
            "How a kernel's outer ring fades in and out while its size is learned.",
            names(MaskKind.values())));
    public static final Setting<String> PREDICTOR = in(Setting.choice(
            "predictor",
            lower(SEARCH.kernels()),
            "Where kernels come from while sizes are learned. coordinate: a network gives each value by its "
                    + "position; elastic: a free table per layer.",
            names(SearchSettings.Kernels.values())));
    public static final Setting<String> SIZE_PREDICTOR = in(Setting.choice(
            "size-predictor",
            "gru",
            "What gives the sizes in a search. gru: a recurrent network; none: a free size per layer, with "
                    + "--size-update steady only.",
            List.of("gru", "none")));
    public static final Setting<String> SIZE_UPDATE = in(Setting.choice(
            "size-update",
            lower(SEARCH.update()),
            "How sizes follow the loss. steady: by the gradients of log size, averaged over many steps; gradient: by "
                    + "the optimiser's own step.",
            names(SearchSettings.Update.values())));
    public static final Setting<Double> START_SIZE = in(Setting.number(
            "start-size",
            SEARCH.start(),
            Range.atLeast(0),
            "Size at which all layers start. 0: the uniform size that meets the budget."));
    public static final Setting<Double> FROZEN = in(Setting.number(
            "frozen",
            SEARCH.frozen(),
            Range.fromBelow(0, 1),
            "Fraction of the search, at its beginning, in which sizes stay where they start and only kernels learn."));
    public static final Setting<Double> CLOSING = in(Setting.number(
            "closing",
            SEARCH.closing(),
            Range.fromBelow(0, 1),
            "Fraction of the search, at its end, in which kernels learn at odd sizes around those found. Off "
                    + "with --polish 0 or --ceiling."));
    public static final Setting<Double> SPREAD = in(Setting.number(
            "spread",
            SEARCH.spread(),
            Range.atLeast(0),
            "Each search step draws random sizes of equal cost around the predicted ones. This is their standard "
                    + "deviation, of log size."));
    public static final Setting<Double> PRICE = in(Setting.number(
            "price",
            SEARCH.price(),
            Range.atLeast(0),
            "Weight of the cost in the loss, with --budget auto or --size-update gradient."));
    public static final Setting<Boolean> CEILING = in(Setting.flag(
            "ceiling", SEARCH.ceiling(), "Take the budget as an upper bound only, not as an amount to meet."));

    public static final Setting<Integer> POLISH = in(Setting.integer(
            "polish",
            8,
            0,
            1000,
            "Most improvement rounds after a two-stage search. Each tries other odd sizes at the same cost "
                    + "and switches only when clearly better; 0: only round to odd sizes."));

    public static final Setting<Integer> EPOCHS = in(Setting.integer(
            "epochs", 16, 1, 1_000_000, "Epochs of training; how long sizes are learned follows from it."));
    public static final Setting<Integer> BATCH = in(Setting.integer("batch", 128, 2, 1 << 16, "Images in a batch."));
    public static final Setting<String> OPTIMIZER = in(Setting.choice(
            "optimizer", "adamw", "Optimiser: adamw, or sgd with Nesterov momentum of 0.9.", List.of("adamw", "sgd")));
    public static final Setting<Double> LR = in(Setting.number(
            "lr",
            0,
            Range.atLeast(0),
            "Peak learning rate. 0: " + ADAMW_RATE + " with adamw, " + SGD_RATE + " with sgd."));
    public static final Setting<Double> WEIGHT_DECAY = in(Setting.number(
            "weight-decay",
            -1,
            Range.atLeast(-1),
            "Weight decay of convolution and linear weights. -1: " + ADAMW_DECAY + " with adamw, " + SGD_DECAY
                    + " with sgd."));
    public static final Setting<String> SCHEDULE = in(Setting.choice(
            "schedule",
            "cosine",
            "How the learning rate falls after the warm-up. step: to a tenth after 1/2 of the run, and again after "
                    + "3/4.",
            List.of("cosine", "step", "constant")));
    public static final Setting<Double> WARMUP = in(Setting.number(
            "warmup",
            0.1,
            Range.fromBelow(0, 1),
            "Fraction of the run in which the learning rate rises linearly to its peak."));
    public static final Setting<Double> CLIP =
            in(Setting.number("clip", 0, Range.atLeast(0), "Upper bound of the gradient's norm. 0: none."));
    public static final Setting<Double> SMOOTHING = in(Setting.number(
            "label-smoothing",
            0,
            Range.fromBelow(0, 1),
            "Label smoothing: the share of each label that is spread over all classes."));
    public static final Setting<Boolean> AUGMENT = in(Setting.flag(
            "augment",
            true,
            "Shift training images at random by up to an eighth, and mirror those of three channels."));
    public static final Setting<Boolean> WARM_START = in(Setting.flag(
            "warm-start",
            false,
            "Start the training after a two-stage search from its weights instead of fresh ones."));
    public static final Setting<Boolean> BEST_EPOCH = in(Setting.flag(
            "best-epoch",
            false,
            "Also measure test accuracy after every epoch and report the best. That figure is chosen on test "
                    + "data, so it is too good."));
    public static final Setting<Boolean> COMPARE = in(Setting.flag(
            "compare",
            true,
            "Also train a plain network that costs the whole budget, its sizes as uniform as can be, "
                    + "and report both."));
    public static final Setting<Boolean> COMPARE_SHAPES = in(Setting.flag(
            "compare-shapes",
            false,
            "Also train plain networks of that cost whose sizes rise or fall with depth. The summary compares "
                    + "with the best of all."));

    private final Map<Setting<?>, Object> values;
    private Budget budget; // of BUDGET and COST; null until it is asked for

    private Settings(Map<Setting<?>, Object> values) {
        this.values = values;
    }

    private static String lower(Enum<?> e) {
        return e.name().toLowerCase(Locale.ROOT);
    }

    private static List<String> names(Enum<?>[] values) {
        return Arrays.stream(values).map(Settings::lower).toList();
    }

    /** Whether a budget has to be met, and is no mere ceiling. */
    boolean hasTarget() {
        return !BudgetRange.isRange(get(BUDGET)) && budget().hasTarget() && !get(CEILING);
    }

    /** Whether sizes are chosen within the training that they are for. */
    boolean oneRun() {
        return get(FLOW).equals(ONE_RUN) && hasTarget();
    }

    /** Those that a search of two stages alone takes. */
    public static List<Setting<?>> ofTwoStages() {
        return List.of(
                SEARCH_FRACTION, SIZE_PREDICTOR, SIZE_UPDATE, START_SIZE, FROZEN, CLOSING, SPREAD, PRICE, POLISH);
    }

    /** Names of settings that a search of two stages alone takes and that do not stand at their standard values. */
    List<String> givenForTwoStages() {
        return ofTwoStages().stream()
                .filter(s -> !get(s).equals(s.standard()))
                .map(s -> "--" + s.key())
                .toList();
    }

    /**
     * The budget these settings ask for.
     *
     * @throws InvalidInput if it is none, or not of the cost asked for
     */
    public Budget budget() {
        Budget known = budget; // read once: two threads may both parse it, and each returns a whole one
        if (known == null) {
            known = Budget.parse(get(BUDGET), get(COST));
            budget = known;
        }
        return known;
    }

    /**
     * The range of budgets these settings ask for.
     *
     * @throws InvalidInput if it is none, or not of the cost asked for
     */
    BudgetRange budgetRange() {
        return BudgetRange.parse(get(BUDGET), get(COST));
    }

    /** What their budget counts, be it one or a range. */
    Cost.Kind costKind() {
        return BudgetRange.isRange(get(BUDGET)) ? budgetRange().cost() : budget().cost();
    }

    /** Whether their budget, be it one or a range, counts time. */
    public boolean countTime() {
        return costKind() == Cost.Kind.LATENCY;
    }

    private static <T> Setting<T> in(Setting<T> setting) {
        TABLE.put(setting.key(), setting);
        return setting;
    }

    /** The whole table, in the order of help texts. */
    public static List<Setting<?>> table() {
        return new ArrayList<>(TABLE.values());
    }

    /** Names of all system properties that EffConv reads. */
    public static SortedSet<String> properties() {
        return Stream.concat(TABLE.keySet().stream(), OTHER_PROPERTIES.stream())
                .map(name -> PROPERTIES + name)
                .collect(Collectors.toCollection(TreeSet::new));
    }

    /** Those that concern a search alone. */
    public static List<Setting<?>> ofSearch() {
        return List.of(
                BUDGET,
                COST,
                LATENCY_TABLE,
                FLOW,
                SEARCH_FRACTION,
                SEARCH_EPOCHS,
                MASK,
                PREDICTOR,
                SIZE_PREDICTOR,
                SIZE_UPDATE,
                START_SIZE,
                FROZEN,
                CLOSING,
                SPREAD,
                PRICE,
                CEILING,
                POLISH,
                WARM_START,
                COMPARE,
                COMPARE_SHAPES);
    }

    /**
     * System properties where they are set, standard values elsewhere.
     *
     * @throws InvalidInput if a property does not parse
     */
    public static Settings standard() {
        Map<Setting<?>, Object> values = new LinkedHashMap<>();
        for (Setting<?> s : TABLE.values()) {
            String property = System.getProperty(s.property());
            values.put(s, property == null ? s.standard() : s.parse(property, "-D" + s.property()));
        }
        return new Settings(values);
    }

    public <T> T get(Setting<T> setting) {
        @SuppressWarnings("unchecked") // with() and the parsers put in nothing but T
        T value = (T) values.get(setting);
        return value;
    }

    /**
     * These settings with one changed.
     *
     * @throws InvalidInput if the value is out of range
     */
    public <T> Settings with(Setting<T> setting, T value) {
        return withText(setting, String.valueOf(value), setting.key());
    }

    /** The same for a value as text; {@code source} says where it stands, for errors. */
    public Settings withText(Setting<?> setting, String text, String source) {
        Map<Setting<?>, Object> changed = new LinkedHashMap<>(values);
        changed.put(setting, setting.parse(text, source));
        return new Settings(changed);
    }

    /** Every setting, by key. */
    public ObjectNode toJson() {
        return toJson(s -> true);
    }

    /** What a run is: the settings but its {@linkplain #places() places}. */
    public ObjectNode identity() {
        return toJson(s -> !s.isPlace());
    }

    /** Where a run finds what it reads. */
    public ObjectNode places() {
        return toJson(Setting::isPlace);
    }

    private ObjectNode toJson(Predicate<Setting<?>> chosen) {
        ObjectNode json = Json.object();
        values.forEach((s, v) -> {
            if (chosen.test(s)) {
                json.set(s.key(), Json.tree(v));
            }
        });
        return json;
    }

    /**
     * @param json every setting, by key
     * @param source names the file in errors
     * @throws InvalidInput if a key is unknown or missing or a value does not parse
     */
    public static Settings fromJson(ObjectNode json, String source) {
        Map<Setting<?>, Object> values = new LinkedHashMap<>();
        for (Setting<?> s : TABLE.values()) {
            JsonNode v = json.path(s.key());
            if (!v.isValueNode()) {
                throw new InvalidInput(source + ": '" + s.key() + "' is " + (v.isMissingNode() ? "missing" : v)
                        + ", expected " + s.form());
            }
            values.put(s, s.parse(v.asText(), source + ": " + s.key()));
        }
        for (Map.Entry<String, JsonNode> e : json.properties()) {
            if (!TABLE.containsKey(e.getKey())) {
                throw new InvalidInput(source + ": '" + e.getKey() + "' is no setting");
            }
        }
        return new Settings(values);
    }

    @Override
    public boolean equals(Object o) {
        return o instanceof Settings s && s.values.equals(values);
    }

    @Override
    public int hashCode() {
        return Objects.hash(values);
    }

    @Override
    public String toString() {
        return values.toString();
    }
}
