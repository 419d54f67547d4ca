package org.effconv.sweep;

import com.fasterxml.jackson.databind.JsonNode;
import com.fasterxml.jackson.databind.node.ObjectNode;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.Comparator;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.Set;
import java.util.SortedMap;
import java.util.TreeMap;
import java.util.TreeSet;
import java.util.stream.Collectors;
import java.util.stream.IntStream;
import java.util.stream.Stream;
import org.effconv.Setting;
import org.effconv.Settings;
import org.effconv.cost.Cost;
import org.effconv.error.EffconvException.InvalidInput;
import org.effconv.io.JsonLines;
import org.effconv.train.Checkpoint;

/**
 * Learned sizes against every baseline, from the rows of sweeps. Networks are compared within a group: one
 * architecture, dataset, number of images and budget, and what they were given alike. A method with several networks
 * per seed (random draws) counts with their mean, so that every seed weighs the same and differences are paired by
 * seed.
 */
public final class Comparison {
    /** What must not differ within a comparison, but may be told by its note: where runs were made. */
    private static final List<String> ENVIRONMENT =
            List.of("device", "processor", "activations", "threads", "jobs", "version", "commit", "java");

    /**
     * What else must not differ: one text of a budget may mean several ("k5" counts what --cost says), as may a name of
     * an architecture.
     */
    private static final List<String> OF_A_GROUP =
            List.of("archDigest", "dataDigest", "budgetCost", "budgetTarget", SweepResults.TABLE);

    private static final Set<String> OF_A_RUN = Stream.concat(
                    Stream.of(Settings.ARCH, Settings.TRAIN_IMAGES, Settings.BUDGET, Settings.SEED),
                    Settings.table().stream().filter(Setting::isPlace))
            .map(Setting::key)
            .collect(Collectors.toUnmodifiableSet());

    private static final String TRIALS = "trials"; // a setting of searches that only rows of early sweeps have

    private static final Set<String> OF_A_SEARCH = Stream.concat(
                    Settings.ofSearch().stream().map(Setting::key), Stream.of(TRIALS))
            .collect(Collectors.toUnmodifiableSet());

    private final List<Group> groups;
    private final List<String> notes;

    private Comparison(List<Group> groups, List<String> notes) {
        this.groups = groups;
        this.notes = notes;
    }

    /**
     * Networks that may be compared, but for their budgets.
     *
     * @param match what they were given alike
     */
    public record Task(String architecture, String data, int images, Match match) {}

    /**
     * What networks took to compute, on average; NaN where the row of one of them does not say.
     *
     * @param uniformEpochs all of it, in epochs of training the mix nearest to uniform
     * @param multiplyAdds all of them
     * @param searchMultiplyAdds those of the search, which may serve several networks; 0 without one
     * @param processorSeconds all of them
     * @param searchProcessorSeconds those of the search
     */
    public record Spent(
            double uniformEpochs,
            double multiplyAdds,
            double searchMultiplyAdds,
            double processorSeconds,
            double searchProcessorSeconds) {}

    /**
     * @param cost what the budget counts
     * @param target asked for, in its unit
     * @param entries in the order of {@link Method}
     * @param testImages that accuracies are of; 0 where rows do not say
     */
    public record Group(Task task, String budget, Cost.Kind cost, double target, List<Entry> entries, int testImages) {
        /**
         * Standard error of the accuracy of one network by the choice of the test images, which all seeds share; 0..1,
         * NaN where that is unknown.
         */
        public double imageError() {
            double accuracy =
                    entries.stream().mapToDouble(e -> e.accuracy().mean()).max().orElseThrow();
            return testImages == 0 ? Double.NaN : Math.sqrt(accuracy * (1 - accuracy) / testImages);
        }
    }

    /**
     * One method's networks.
     *
     * @param name of the method, and of the size for uniform ones
     * @param networks trained or taken over from an equal training
     * @param accuracies test accuracy after the last epoch, 0..1, mean over the networks of a seed
     * @param accuracy over the seeds; {@code validation} likewise, null without a validation part
     * @param networkAccuracy over all networks
     * @param bestEpoch over the seeds, the best epoch's test accuracy, chosen by the test part; null where it was not
     *     asked for
     * @param parameters over the networks
     * @param multiplyAdds mean over the networks, of one image
     * @param deviation largest |cost - budget| / budget
     * @param epochs mean over the networks, of the training; NaN where rows do not say
     * @param spent what search and training took
     * @param searchSeconds mean over the networks, of a search that may serve several; 0 without one
     * @param trainingSeconds mean over the networks
     * @param searchStepMillis mean; NaN without a search
     * @param stepMillis mean of a training step
     * @param advantage learned - this, per seed that both have; empty for the learned ones
     * @param sizes of each network: "seed 1: 3 5 5"
     */
    public record Entry(
            Method method,
            String name,
            int networks,
            SortedMap<Long, Double> accuracies,
            Summary accuracy,
            Summary networkAccuracy,
            Summary validation,
            Summary bestEpoch,
            Summary parameters,
            double multiplyAdds,
            double deviation,
            double epochs,
            Spent spent,
            double searchSeconds,
            double trainingSeconds,
            double searchStepMillis,
            double stepMillis,
            SortedMap<Long, Double> advantage,
            List<String> sizes) {
        /** Learned - this, over the seeds; null where there is no pair. */
        public Summary advantageSummary() {
            return advantage.isEmpty() ? null : Summary.of(advantage.values());
        }
    }

    /**
     * Reads results files whole.
     *
     * @throws InvalidInput if a row lacks something, which is told with its line, if there is no row, a run occurs
     *     twice, or runs of one group were made with different settings
     */
    public static Comparison of(List<Path> files) {
        Map<String, ObjectNode> rows = new LinkedHashMap<>();
        Map<String, Path> sources = new LinkedHashMap<>();
        for (Path file : files) {
            if (!Files.isRegularFile(file)) {
                throw new InvalidInput(file + ": no such file, expected the " + SweepResults.FILE + " of a sweep");
            }
            int line = 0;
            for (ObjectNode row : JsonLines.read(file)) {
                line++;
                if (!row.path("kind").asText().equals("training")) {
                    continue;
                }
                RowCheck.require(row, file + " line " + line);
                String id = row.path("id").asText();
                String key = match(row) + " " + id;
                if (rows.put(key, row) != null) {
                    throw new InvalidInput(
                            file + ": run '" + id + "' is also in " + sources.get(key) + "; expected every run once");
                }
                sources.put(key, file);
            }
        }
        if (rows.isEmpty()) {
            throw new InvalidInput(files + ": no row of a training, expected the " + SweepResults.FILE + " of a sweep");
        }
        Map<String, List<ObjectNode>> byGroup = new LinkedHashMap<>();
        rows.values().forEach(row -> byGroup.computeIfAbsent(groupKey(row), key -> new ArrayList<>())
                .add(row));
        List<Group> groups = byGroup.values().stream()
                .map(Comparison::group)
                .sorted(Comparator.comparing((Group g) -> g.task().toString()).thenComparingDouble(Group::target))
                .toList();
        return new Comparison(groups, notes(rows.values().stream().toList()));
    }

    private static String groupKey(ObjectNode row) {
        return row.path("arch").asText() + "|" + row.path("data").asText() + "|"
                + row.path("result").path("images").path("train").asInt() + "|"
                + row.path("budget").asText() + "|" + match(row);
    }

    private static Match match(ObjectNode row) {
        return Match.of(row, row.path("id").asText());
    }

    private static Group group(List<ObjectNode> rows) {
        requireSameSettings(rows);
        ObjectNode first = rows.get(0);
        SortedMap<String, List<ObjectNode>> byName =
                new TreeMap<>(Comparator.comparing(Comparison::order).thenComparing(n -> n));
        for (ObjectNode row : rows) {
            byName.computeIfAbsent(name(row), key -> new ArrayList<>()).add(row);
        }
        SortedMap<Long, Double> learned = byName.containsKey(Method.LEARNED.text())
                ? perSeed(byName.get(Method.LEARNED.text()), "testAccuracy")
                : new TreeMap<>();
        List<Entry> entries = new ArrayList<>();
        byName.forEach((name, own) -> entries.add(entry(name, own, learned)));
        return new Group(
                new Task(
                        first.path("arch").asText(),
                        first.path("data").asText(),
                        first.path("result").path("images").path("train").asInt(),
                        match(first)),
                first.path("budget").asText(),
                Cost.Kind.of(first.path("budgetCost").asText()),
                first.path("budgetTarget").asDouble(),
                entries,
                first.path("result").path("images").path("test").asInt());
    }

    private static String name(ObjectNode row) {
        String method = row.path("method").asText();
        return method.equals(Method.UNIFORM.text())
                ? method + " " + row.path("variant").asText()
                : method;
    }

    private static int order(String name) {
        return Method.parse(name.split(" ")[0], "method").ordinal();
    }

    private static Entry entry(String name, List<ObjectNode> rows, SortedMap<Long, Double> learned) {
        SortedMap<Long, Double> accuracies = perSeed(rows, "testAccuracy");
        Method method = Method.parse(name.split(" ")[0], "method");
        SortedMap<Long, Double> advantage = new TreeMap<>();
        if (method != Method.LEARNED) {
            accuracies.forEach((seed, accuracy) -> {
                if (learned.containsKey(seed)) {
                    advantage.put(seed, learned.get(seed) - accuracy);
                }
            });
        }
        SortedMap<Long, Double> validation = perSeed(rows, "validationAccuracy");
        SortedMap<Long, Double> best = perSeed(rows, "bestEpochTestAccuracyChosenOnTest");
        return new Entry(
                method,
                name,
                rows.size(),
                accuracies,
                Summary.of(accuracies.values()),
                Summary.of(values(rows, "testAccuracy")),
                validation.isEmpty() ? null : Summary.of(validation.values()),
                best.isEmpty() ? null : Summary.of(best.values()),
                Summary.of(values(rows, "parameters")),
                mean(rows, "/result/multiplyAdds", Double.NaN),
                values(rows, "budgetDeviation").stream()
                        .mapToDouble(Math::abs)
                        .max()
                        .orElseThrow(),
                mean(rows, "/settings/epochs", Double.NaN),
                spent(rows),
                mean(rows, "/search/seconds", 0),
                mean(rows, "/result/seconds", Double.NaN),
                mean(rows, "/search/stepMillis", Double.NaN),
                mean(rows, "/result/stepMillis", Double.NaN),
                advantage,
                rows.stream().map(Comparison::sizes).toList());
    }

    private static String sizes(ObjectNode row) {
        List<String> k = new ArrayList<>();
        row.path("result").path("sizes").forEach(size -> k.add(size.asText()));
        String variant = row.path("variant").asText();
        return "seed " + row.path("seed").asLong() + (variant.isEmpty() ? "" : " " + variant) + ": "
                + String.join(" ", k);
    }

    private static SortedMap<Long, Double> perSeed(List<ObjectNode> rows, String key) {
        return rows.stream()
                .filter(row -> row.path("result").path(key).isNumber())
                .collect(Collectors.groupingBy(
                        row -> row.path("seed").asLong(),
                        TreeMap::new,
                        Collectors.averagingDouble(
                                row -> row.path("result").path(key).asDouble())));
    }

    private static List<Double> values(List<ObjectNode> rows, String key) {
        return rows.stream().map(row -> row.path("result").path(key).asDouble()).toList();
    }

    private static double mean(List<ObjectNode> rows, String pointer, double otherwise) {
        return rows.stream()
                .map(row -> row.at(pointer))
                .filter(JsonNode::isNumber)
                .mapToDouble(JsonNode::asDouble)
                .average()
                .orElse(otherwise);
    }

    private static Spent spent(List<ObjectNode> rows) {
        return new Spent(
                ofAll(rows, "/work/uniformEpochs"),
                ofAll(rows, "/work/multiplyAdds"),
                ofAll(rows, "/work/search/multiplyAdds"),
                ofAll(rows, "/work/processorSeconds"),
                ofAll(rows, "/work/search/processorSeconds"));
    }

    private static double ofAll(List<ObjectNode> rows, String pointer) {
        return rows.stream().allMatch(row -> row.at(pointer).isNumber()) ? mean(rows, pointer, Double.NaN) : Double.NaN;
    }

    // Settings of a search do not matter to a network whose sizes are no search's, and at equal work the epochs follow
    // from it.
    private static void requireSameSettings(List<ObjectNode> rows) {
        Map<Boolean, List<ObjectNode>> byWork = rows.stream()
                .collect(Collectors.partitioningBy(
                        row -> match(row) == Match.WORK && method(row).takesWork()));
        Set<String> but = new TreeSet<>(OF_A_SEARCH);
        requireSame(byWork.get(false), but);
        if (!byWork.get(true).isEmpty()) {
            but.add(Settings.EPOCHS.key());
        }
        requireSame(rows, but);
        requireSame(rows.stream().filter(row -> method(row).searches()).toList(), Set.of());
    }

    private static Method method(ObjectNode row) {
        return Method.parse(row.path("method").asText(), "method");
    }

    private static void requireSame(List<ObjectNode> rows, Set<String> but) {
        for (ObjectNode row : rows) {
            List<String> differences =
                    new ArrayList<>(Checkpoint.differences(shared(rows.get(0), but), shared(row, but)));
            for (String key : OF_A_GROUP) {
                JsonNode there = rows.get(0).path(key);
                JsonNode here = row.path(key);
                if (!there.isMissingNode() && !here.isMissingNode() && !there.equals(here)) {
                    differences.add(key + " is " + there + " there and " + here + " here");
                }
            }
            if (!differences.isEmpty()) {
                throw new InvalidInput("runs '" + rows.get(0).path("id").asText() + "' and '"
                        + row.path("id").asText() + "' were made with different settings: "
                        + String.join("; ", differences) + "; expected the same within a comparison");
            }
        }
    }

    private static JsonNode shared(ObjectNode row, Set<String> but) {
        return row.path("settings") instanceof ObjectNode settings
                ? settings.deepCopy().remove(OF_A_RUN).remove(but)
                : row.path("settings");
    }

    private static List<String> notes(List<ObjectNode> rows) {
        List<String> notes = new ArrayList<>();
        for (String key : ENVIRONMENT) {
            Set<String> values = rows.stream()
                    .map(row -> row.path("environment").path(key).asText("unknown"))
                    .collect(Collectors.toCollection(TreeSet::new));
            notes.add(
                    key + ": " + String.join(", ", values) + (values.size() > 1 ? " (not the same for all runs)" : ""));
        }
        TreeSet<String> dates = rows.stream()
                .map(row -> row.path("environment").path("finished").asText("unknown"))
                .collect(Collectors.toCollection(TreeSet::new));
        notes.add("finished: " + dates.first() + " to " + dates.last());
        return notes;
    }

    /** By task and budget. */
    public List<Group> groups() {
        return groups;
    }

    /** Where and by what the runs were made, one fact each. */
    public List<String> notes() {
        return notes;
    }

    /** Tasks in the order of {@link #groups}. */
    public List<Task> tasks() {
        return groups.stream().map(Group::task).distinct().toList();
    }

    static List<String> seeds(SortedMap<Long, Double> values, java.util.function.DoubleFunction<String> format) {
        return values.values().stream().map(v -> format.apply(v)).toList();
    }

    @Override
    public String toString() {
        return groups.size() + " groups, "
                + IntStream.range(0, groups.size())
                        .map(i -> groups.get(i).entries().size())
                        .sum() + " entries";
    }
}
