package org.effconv.latency;

import com.fasterxml.jackson.databind.JsonNode;
import com.fasterxml.jackson.databind.node.ArrayNode;
import com.fasterxml.jackson.databind.node.ObjectNode;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.Comparator;
import java.util.List;
import java.util.Locale;
import java.util.Optional;
import java.util.stream.IntStream;
import org.effconv.backend.Compute;
import org.effconv.cost.Cost;
import org.effconv.error.EffconvException.InvalidInput;
import org.effconv.io.AtomicFile;
import org.effconv.io.Json;
import org.effconv.io.ThisBuild;
import org.effconv.nn.NetworkPlan;
import org.effconv.nn.SizedLayer;
import org.effconv.train.MemoryNeed;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;

/**
 * How long the sized layers of one network take on one device at every odd kernel size, and how long the rest takes:
 * what a time budget is counted by. A network's time is taken for the sum of its layers' and the rest; {@link #checks}
 * tells how good that is.
 *
 * @param setup where and how it was measured
 * @param rest milliseconds of everything but the sized layers
 * @param rows one per distinct shape of a sized layer
 * @param checks whole networks that were measured, too
 */
public record LatencyTable(Setup setup, double rest, List<Row> rows, List<Check> checks) {
    private static final Logger LOG = LoggerFactory.getLogger(LatencyTable.class);
    private static final String FORMAT = "effconv-latency-2";
    private static final int REPEATS = 9; // of the measurement of a network found
    private static final double DRIFT = 0.03; // of a network's time, told from here on

    /** What is timed. */
    public enum Pass {
        /** A training step: forward, gradients of data and weights, AdamW's update. */
        TRAINING,
        /** A forward pass with running statistics. */
        INFERENCE;

        /** The name in settings and files. */
        public String key() {
            return name().toLowerCase(Locale.ROOT);
        }

        static Pass of(String key, String source) {
            for (Pass pass : values()) {
                if (pass.key().equals(key)) {
                    return pass;
                }
            }
            throw new InvalidInput(source + " '" + key + "': expected training or inference");
        }
    }

    /**
     * Times hold for a device, a network and a batch.
     *
     * @param device what computed: the backend and the processor's or card's name
     * @param threads of the device
     * @param precision of activations: F32 or BF16
     * @param network architecture and input, as {@link NetworkPlan#toString} has them
     * @param digest of the architecture: one of the same name may have other fixed layers
     * @param pass what was timed
     * @param batch images in a batch
     * @param version of EffConv
     */
    public record Setup(
            String device,
            int threads,
            String precision,
            String network,
            String digest,
            Pass pass,
            int batch,
            String version) {}

    /**
     * What a layer's time depends on besides its kernel size.
     *
     * @param readsImage whether it is the network's first operation, which needs no gradient of its input
     */
    public record LayerShape(
            int inputChannels, int outputChannels, int stride, int groups, int height, int width, boolean readsImage) {
        static LayerShape of(NetworkPlan plan, SizedLayer layer) {
            return new LayerShape(
                    layer.inputChannels(),
                    layer.outputChannels(),
                    layer.stride(),
                    layer.groups(),
                    layer.height(),
                    layer.width(),
                    plan.readsInput(layer));
        }
    }

    /**
     * @param shape of the layer
     * @param milliseconds of a batch at sizes 1, 3 ... ; none below the one before
     */
    public record Row(LayerShape shape, double[] milliseconds) {}

    /**
     * A network measured as a whole.
     *
     * @param sizes one per sized layer
     * @param measured milliseconds of a batch
     * @param predicted by the table
     */
    public record Check(int[] sizes, double measured, double predicted) {}

    /**
     * Measures a table; takes seconds to minutes, on a machine that should do nothing else.
     *
     * @param batch images in a batch
     * @param repeats times that each layer is measured at each size, and each of some whole networks; the lower
     *     quartile counts
     */
    public static LatencyTable measure(Compute compute, NetworkPlan plan, Pass pass, int batch, int repeats) {
        if (batch < 1 || repeats < 1) {
            throw new InvalidInput(
                    "latency table: batch " + batch + ", repeats " + repeats + "; expected at least 1 of each");
        }
        plan.checkSizes(plan.largestSizes());
        MemoryNeed.ofPasses(compute, plan, batch, pass == Pass.TRAINING);
        return new LatencyMeasurement(compute, plan, pass, batch, repeats).run();
    }

    static Setup setup(Compute compute, NetworkPlan plan, Pass pass, int batch) {
        String hardware = compute.name().replaceAll(":.*", "") + ", " + compute.hardware();
        return new Setup(
                hardware,
                compute.threads(),
                compute.activationType().name(),
                plan.toString(),
                plan.architecture().digest(),
                pass,
                batch,
                ThisBuild.version());
    }

    /**
     * The cost that this table gives a network.
     *
     * @param source names the table in errors
     * @throws InvalidInput if the table is of another device or network: says what differs
     */
    public Cost cost(Compute compute, NetworkPlan plan, String source) {
        Setup here = setup(compute, plan, setup.pass, setup.batch);
        same("device", setup.device, here.device, source);
        same("threads", setup.threads, here.threads, source);
        same("precision", setup.precision, here.precision, source);
        same("network", setup.network, here.network, source);
        same("architecture", setup.digest, here.digest, source);
        for (Check check : checks) { // each may be measured again, beside the network found
            if (check.sizes == null || check.sizes.length != plan.sizedLayers().size() || !(check.measured > 0)) {
                throw new InvalidInput(source + ": a check of sizes " + Arrays.toString(check.sizes) + ", "
                        + check.measured + " ms; expected " + plan.sizedLayers().size() + " sizes and a time above 0");
            }
            plan.checkSizes(check.sizes);
        }
        List<double[]> perLayer = new ArrayList<>();
        for (SizedLayer layer : plan.sizedLayers()) {
            LayerShape shape = LayerShape.of(plan, layer);
            int count = (layer.kmax() + 1) / 2;
            double[] times = row(shape)
                    .filter(row -> row.milliseconds.length >= count)
                    .orElseThrow(() -> new InvalidInput(source + ": has no times of layer " + layer.name() + ", "
                            + shape + ", up to size " + layer.kmax() + "; expected a table of this network"))
                    .milliseconds;
            perLayer.add(Arrays.copyOf(times, count));
        }
        return Cost.latency(compute.backend(), plan, rest, perLayer);
    }

    /**
     * Milliseconds of a network, measured as this table was. A network that was measured whole then takes turns with
     * it: where that one's time is another now, so is the device's speed, and a warning says by how much.
     */
    public double measureNetwork(Compute compute, NetworkPlan plan, int[] sizes) {
        Optional<Check> then = checks.stream().min(Comparator.comparingDouble(check -> distance(check.sizes, sizes)));
        List<int[]> networks = new ArrayList<>(List.of(sizes));
        then.ifPresent(check -> networks.add(check.sizes));
        double[] now = NetworkTime.milliseconds(compute, plan, networks, setup.pass, setup.batch, REPEATS);
        then.flatMap(check -> drift(check, now[1])).ifPresent(LOG::warn);
        return now[0];
    }

    /** A warning, if a network takes another time than when the table was measured. */
    static Optional<String> drift(Check then, double now) {
        double ratio = now / then.measured;
        return Math.abs(ratio - 1) <= DRIFT
                ? Optional.empty()
                : Optional.of(String.format(
                        Locale.ROOT,
                        "sizes %s took %.4g ms when the latency table was measured, and take %.4g ms now: so much (%+.0f %%) are budgets of time off; "
                                + "expected a device that does nothing else, now as then",
                        Arrays.toString(then.sizes),
                        then.measured,
                        now,
                        100 * (ratio - 1)));
    }

    /** The largest |predicted / measured - 1| of the networks that were measured whole; 0 if none was. */
    public double largestError() {
        return checks.stream()
                .mapToDouble(check -> Math.abs(check.predicted / check.measured - 1))
                .max()
                .orElse(0);
    }

    private static double distance(int[] a, int[] b) {
        return IntStream.range(0, a.length)
                .mapToDouble(i -> Math.abs(a[i] - b[i]))
                .sum();
    }

    Optional<Row> row(LayerShape shape) {
        return rows.stream().filter(row -> row.shape.equals(shape)).findFirst();
    }

    private static void same(String what, Object there, Object here, String source) {
        if (!there.equals(here)) {
            throw new InvalidInput(source + ": was measured with " + what + " '" + there + "', and this is '" + here
                    + "'; expected a table measured here, as 'effconv latency-table' makes it");
        }
    }

    /** Replaces {@code file} in one move. */
    public void write(Path file) {
        AtomicFile.write(file, Json.pretty(toJson()));
    }

    /** What {@link #write} writes. */
    public ObjectNode toJson() {
        ObjectNode json = Json.object().put("format", FORMAT);
        json.put("device", setup.device)
                .put("threads", setup.threads)
                .put("precision", setup.precision)
                .put("network", setup.network)
                .put("architecture", setup.digest)
                .put("pass", setup.pass.key())
                .put("batch", setup.batch)
                .put("version", setup.version);
        json.put("restMilliseconds", rest);
        ArrayNode list = json.putArray("layers");
        for (Row row : rows) {
            ObjectNode entry = list.addObject();
            entry.set("shape", Json.tree(row.shape));
            entry.set("milliseconds", Json.tree(row.milliseconds));
        }
        json.set("checks", Json.tree(checks));
        return json;
    }

    /**
     * Reads a table whole.
     *
     * @throws InvalidInput naming file, field, value and what was expected
     */
    public static LatencyTable read(Path file) {
        return parse(Json.read(file), file.toString());
    }

    /**
     * The table that {@link #toJson} has told.
     *
     * @param file names the source in errors
     * @throws InvalidInput as {@link #read}
     */
    public static LatencyTable parse(ObjectNode json, String file) {
        if (!json.path("format").asText().equals(FORMAT)) {
            throw new InvalidInput(file + ": format " + json.path("format") + ", expected \"" + FORMAT
                    + "\", as 'effconv latency-table' measures it");
        }
        Setup setup = new Setup(
                text(json, "device", file),
                whole(json, "threads", file),
                text(json, "precision", file),
                text(json, "network", file),
                text(json, "architecture", file),
                Pass.of(text(json, "pass", file), file + ": pass"),
                whole(json, "batch", file),
                text(json, "version", file));
        double rest = milliseconds(json.path("restMilliseconds"), 0, file + ": restMilliseconds");
        List<Row> rows = new ArrayList<>();
        for (JsonNode entry : list(json, "layers", file)) {
            String at = file + ": layers[" + rows.size() + "]";
            LayerShape shape = Json.convert(entry.path("shape"), LayerShape.class, at + ".shape");
            JsonNode times = entry.path("milliseconds");
            if (!times.isArray() || times.isEmpty()) {
                throw new InvalidInput(at + ".milliseconds: " + times + ", expected a list of times at sizes 1, 3 ...");
            }
            double[] values = new double[times.size()];
            for (int i = 0; i < values.length; i++) {
                values[i] = milliseconds(times.get(i), i == 0 ? 0 : values[i - 1], at + ".milliseconds[" + i + "]");
            }
            rows.add(new Row(shape, values));
        }
        List<Check> checks = new ArrayList<>();
        for (JsonNode entry : list(json, "checks", file)) {
            checks.add(Json.convert(entry, Check.class, file + ": checks[" + checks.size() + "]"));
        }
        return new LatencyTable(setup, rest, List.copyOf(rows), List.copyOf(checks));
    }

    private static String text(ObjectNode json, String field, String file) {
        if (!json.path(field).isTextual()) {
            throw new InvalidInput(file + ": " + field + ": " + json.path(field) + ", expected a text");
        }
        return json.path(field).textValue();
    }

    private static int whole(ObjectNode json, String field, String file) {
        if (!json.path(field).isInt() || json.path(field).intValue() < 1) {
            throw new InvalidInput(
                    file + ": " + field + ": " + json.path(field) + ", expected an integer of at least 1");
        }
        return json.path(field).intValue();
    }

    private static JsonNode list(ObjectNode json, String field, String file) {
        if (!json.path(field).isArray()) {
            throw new InvalidInput(file + ": " + field + ": expected a list");
        }
        return json.path(field);
    }

    private static double milliseconds(JsonNode node, double least, String at) {
        if (!node.isNumber() || !(node.doubleValue() >= least) || Double.isInfinite(node.doubleValue())) {
            throw new InvalidInput(at + ": " + node + ", expected a number of at least " + least);
        }
        return node.doubleValue();
    }
}
