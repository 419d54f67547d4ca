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
            "architecture: " + String.join(", ", Architecture.builtIns()) + ", or a JSON file"));
    public static final Setting<String> DATA =
            in(Setting.place("data", "fashion-mnist", Datasets::isName, "a dataset", Datasets.SPEC_HELP));
    public static final Setting<Integer> TRAIN_IMAGES = in(
            Setting.integer(
                    "train-images",
                    0,
                    0,
                    Integer.MAX_VALUE,
                    "use the first training images of each class, this many in all, before a validation part is split off; 0: all"));
    public static final Setting<Integer> TEST_IMAGES = in(Setting.integer(
            "test-images",
            0,
            0,
            Integer.MAX_VALUE,
            "use the first test images of each class, this many in all; 0: all"));
    public static final Setting<Double> VALIDATION = in(Setting.number(
            "validation",
            0,
            Range.fromBelow(0, 1),
            "fraction of the training images to keep for validation: not trained on, the same ones at every seed"));
    public static final Setting<Long> SEED =
            in(Setting.seed("seed", 1, "of weights, data order, augmentation and search"));

    public static final Setting<String> DEVICE = in(Setting.matching(
            "device",
            "auto",
            "auto, cpu, cuda or cuda:N",
            "auto, cpu, cuda (the first card) or cuda:N; auto takes the first card if it can be used, else the CPU, and says why",
            "auto|cpu|cuda(:[0-9]{1,4})?"));
    public static final Setting<Long> GPU_MEMORY = in(Setting.bytes(
            "gpu-memory",
            0,
            "most device memory to take, such as 20g; a request beyond it fails; 0: no limit but the card's"));
    public static final Setting<String> CONV = in(Setting.choice(
            "conv",
            lower(ConvolutionChoice.AUTO),
            "whose convolutions run on a card: auto and own are the project's; cudnn takes cuDNN 9 where it serves a shape, and fails if it is missing",
            names(ConvolutionChoice.values())));
    public static final Setting<String> GRAPHS = in(Setting.choice(
            "graphs",
            "on",
            "whether steps on a card are recorded as CUDA graphs and replayed; results are the same",
            List.of("on", "off")));
    public static final Setting<Integer> THREADS =
            in(Setting.integer("threads", 0, 0, 1024, "CPU threads; 0: half the processors, at least one"));
    public static final Setting<String> PRECISION = in(Setting.choice(
            "precision",
            "auto",
            "of activations; auto is bf16 on a card from compute capability 8.0 on and on a processor that computes in it (AMX, "
                    + "AVX512-BF16), else fp32",
            List.of("auto", "fp32", "bf16")));

    public static final Setting<String> BUDGET = in(
            Setting.text(
                    "budget",
                    "as-good-as:k5",
                    "a number, a ratio or a size",
                    "what the network to find may cost: parameters (120k), multiply-adds (30MMAC), a time (4.2ms), a ratio to uniform 3 (1.5x), "
                            + "what a uniform size does (k5), as little as is as good as a uniform size (as-good-as:k5), or auto; for effconv search a range of them, any (k3 to k7) or any:100k..300k"));
    public static final Setting<String> COST = in(Setting.choice(
            "cost",
            Budget.BY_UNIT,
            "what a budget of 1.5x, k5, as-good-as:k5 or auto counts; auto: multiply-adds with as-good-as, else parameters, or what the budget's unit says",
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
            "what a budget of time is counted by: a file that 'effconv latency-table' has measured on this device"));
    private static final String ONE_RUN = "one-run";

    /** The value of {@link #FLOW} whose search ends before the training begins. */
    public static final String TWO_STAGES = "two-stage";

    public static final Setting<String> FLOW = in(Setting.choice(
            "flow",
            ONE_RUN,
            "how sizes are learned. one-run: a short probe tells which way sizes should go, a few candidates begin the training side by side, and the best "
                    + "one's training goes on to the end. two-stage: a longer search whose weights are thrown away, then a training (always so with "
                    + "--budget auto and with --ceiling)",
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
            "epochs of the search of two stages, as a fraction of --epochs; rounded up to a whole epoch, at most "
                    + MOST_SEARCH_EPOCHS + ", or " + MOST_OPEN_SEARCH_EPOCHS + " with --budget auto"));

    public static final Setting<Integer> SEARCH_EPOCHS = in(Setting.integer(
            "search-epochs",
            0,
            0,
            1_000_000,
            "epochs to spend on learning sizes, as many as are asked for; 0: a twelfth of a short training, a twenty-fifth of one of 100 epochs "
                    + "(two-stage: by --search-fraction)"));
    public static final Setting<String> MASK = in(Setting.choice(
            "mask", lower(SEARCH.mask()), "how a soft size fades a kernel's outer ring", names(MaskKind.values())));
    public static final Setting<String> PREDICTOR = in(Setting.choice(
            "predictor",
            lower(SEARCH.kernels()),
            "where kernels come from in a search: a coordinate network or an elastic table",
            names(SearchSettings.Kernels.values())));
    public static final Setting<String> SIZE_PREDICTOR = in(Setting.choice(
            "size-predictor",
            "gru",
            "what says the sizes in a search: a recurrent network that is moved to them, or nothing, each layer having a size of its own "
                    + "(with --size-update steady)",
            List.of("gru", "none")));
    public static final Setting<String> SIZE_UPDATE = in(Setting.choice(
            "size-update",
            lower(SEARCH.update()),
            "how sizes follow the loss: averaged pulls on their logarithms, or the optimiser's own step",
            names(SearchSettings.Update.values())));
    public static final Setting<Double> START_SIZE = in(Setting.number(
            "start-size",
            SEARCH.start(),
            Range.atLeast(0),
            "size all layers start at; 0: the uniform one that meets the budget"));
    public static final Setting<Double> FROZEN = in(Setting.number(
            "frozen",
            SEARCH.frozen(),
            Range.fromBelow(0, 1),
            "first part of the search, in which sizes stay at their start, as a fraction"));
    public static final Setting<Double> CLOSING = in(Setting.number(
            "closing",
            SEARCH.closing(),
            Range.fromBelow(0, 1),
            "last part of the search, in which kernels learn at odd sizes around those that were found, as a fraction; none where nothing "
                    + "is judged (--polish 0, --ceiling)"));
    public static final Setting<Double> SPREAD = in(
            Setting.number(
                    "spread",
                    SEARCH.spread(),
                    Range.atLeast(0),
                    "how widely each step of the search draws sizes of equal cost around the predicted ones: standard deviation of their logarithm"));
    public static final Setting<Double> PRICE = in(Setting.number(
            "price",
            SEARCH.price(),
            Range.atLeast(0),
            "weight of the cost in the loss, with --budget auto or --size-update gradient"));
    public static final Setting<Boolean> CEILING = in(Setting.flag(
            "ceiling", SEARCH.ceiling(), "take the budget as an upper bound only, not as a number to meet"));

    public static final Setting<Integer> POLISH = in(
            Setting.integer(
                    "polish",
                    8,
                    0,
                    1000,
                    "after the search, moves at most to a choice of equal cost whose loss under the predicted kernels is clearly smaller; 0: the soft sizes are rounded"));

    public static final Setting<Integer> EPOCHS = in(Setting.integer("epochs", 16, 1, 1_000_000, "epochs of training"));
    public static final Setting<Integer> BATCH = in(Setting.integer("batch", 128, 2, 1 << 16, "images in a batch"));
    public static final Setting<String> OPTIMIZER =
            in(Setting.choice("optimizer", "adamw", "sgd is with momentum 0.9 (Nesterov)", List.of("adamw", "sgd")));
    public static final Setting<Double> LR = in(Setting.number(
            "lr",
            0,
            Range.atLeast(0),
            "peak learning rate; 0: " + ADAMW_RATE + " with adamw, " + SGD_RATE + " with sgd"));
    public static final Setting<Double> WEIGHT_DECAY = in(Setting.number(
            "weight-decay",
            -1,
            Range.atLeast(-1),
            "of convolution and linear weights; -1: " + ADAMW_DECAY + " with adamw, " + SGD_DECAY + " with sgd"));
    public static final Setting<String> SCHEDULE = in(Setting.choice(
            "schedule",
            "cosine",
            "of the learning rate; step is a tenth after 1/2 and again after 3/4",
            List.of("cosine", "step", "constant")));
    public static final Setting<Double> WARMUP =
            in(Setting.number("warmup", 0.1, Range.fromBelow(0, 1), "linear warm-up, as a fraction of the run"));
    public static final Setting<Double> CLIP =
            in(Setting.number("clip", 0, Range.atLeast(0), "bound of the gradient norm; 0: none"));
    public static final Setting<Double> SMOOTHING =
            in(Setting.number("label-smoothing", 0, Range.fromBelow(0, 1), "label smoothing"));
    public static final Setting<Boolean> AUGMENT = in(Setting.flag(
            "augment", true, "shift training images by up to an eighth, and mirror those of three channels"));
    public static final Setting<Boolean> WARM_START = in(Setting.flag(
            "warm-start", false, "start the training from the weights of the search instead of fresh ones"));
    public static final Setting<Boolean> BEST_EPOCH = in(Setting.flag(
            "best-epoch",
            false,
            "read the test part after every epoch, too, and tell the best beside the last: chosen by the test part, so too good; "
                    + "only to stand beside peers' figures that were chosen so"));
    public static final Setting<Boolean> COMPARE =
            in(Setting.flag("compare", true, "train the uniform-size network of the same cost, too"));
    public static final Setting<Boolean> COMPARE_SHAPES = in(
            Setting.flag(
                    "compare-shapes",
                    false,
                    "train the choices of the same cost whose sizes rise and fall with depth, too, and compare with the best of all"));

    private final Map<Setting<?>, Object> values;

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

    /** Names of settings that a search of two stages alone takes and that do not stand at their standard values. */
    List<String> givenForTwoStages() {
        return Stream.<Setting<?>>of(
                        SEARCH_FRACTION,
                        SIZE_PREDICTOR,
                        SIZE_UPDATE,
                        START_SIZE,
                        FROZEN,
                        CLOSING,
                        SPREAD,
                        PRICE,
                        POLISH)
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
        return Budget.parse(get(BUDGET), get(COST));
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
