package org.effconv.endtoend;

import static org.junit.jupiter.api.Assertions.assertAll;
import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertTrue;
import static org.junit.jupiter.api.Assumptions.assumeFalse;

import java.io.IOException;
import java.nio.ByteBuffer;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.List;
import java.util.stream.Stream;
import org.junit.jupiter.api.BeforeAll;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.Arguments;
import org.junit.jupiter.params.provider.MethodSource;

/** Bad input gets one clear sentence and exit code 2, and nothing is written. */
class BadInputTest {
    private static final String RUN = "run";
    private static final int IDX_IMAGES = 0x803;
    private static final int IDX_LABELS = 0x801;

    @TempDir
    static Path folder;

    @BeforeAll
    static void files() throws IOException {
        idx("good", 28, 10, IDX_IMAGES, 0, 10);
        idx("truncated", 28, 10, IDX_IMAGES, 1, 10);
        idx("magic", 28, 10, 0x1234, 0, 10);
        idx("labels", 28, 10, IDX_IMAGES, 0, 200);
        idx("tiny", 2, 10, IDX_IMAGES, 0, 10);
        Files.delete(Files.copy(folder.resolve("good/t10k-labels-idx1-ubyte"), folder.resolve("unused")));
        idx("incomplete", 28, 10, IDX_IMAGES, 0, 10);
        Files.delete(folder.resolve("incomplete/t10k-labels-idx1-ubyte"));
        Files.createDirectories(folder.resolve("nothing"));
        for (String kmax : List.of("8", "-3", "35")) {
            architecture("kmax" + kmax, "\"kmax\": " + kmax + ", ", "");
        }
        architecture("mine", "", "");
        architecture("type", "", ", {\"type\": \"convolve\"}");
        String conv = "{\"type\": \"conv\", \"channels\": 8192}";
        String thousandfold = "{\"type\": \"repeat\", \"times\": 1000, \"layers\": [";
        architecture("unrolled", "", ", " + thousandfold + thousandfold + conv + "]}]}");
        architecture(
                "nested",
                "",
                ", " + "{\"type\": \"repeat\", \"times\": 2, \"layers\": [".repeat(40) + conv + "]}".repeat(40));
        architecture("wide", "", ", " + conv + ", " + conv);
        Files.writeString(folder.resolve("broken.json"), "{\"name\": ");
        Files.writeString(folder.resolve("sizes-arch.json"), "{\"architecture\": \"cnn6\", \"layers\": []}");
        Files.writeString(
                folder.resolve("sizes-even.json"),
                "{\"architecture\": \"planted1\", \"layers\": [{\"name\": \"stem\", \"size\": 4}]}");
        Files.writeString(
                folder.resolve("sizes-name.json"),
                "{\"architecture\": \"planted1\", \"layers\": [{\"name\": \"root\", \"size\": 3}]}");
        Files.writeString(folder.resolve("sizes-format.json"), "{\"format\": \"effconv-sizes-9\"}");
        Files.writeString(folder.resolve("no-model.safetensors"), "not a model");
        Files.createDirectories(folder.resolve("occupied"));
        Files.writeString(folder.resolve("occupied/notes.txt"), "mine");
        Cli run =
                Cli.small("learn", "--epochs", "1", "--out", folder.resolve(RUN).toString());
        assertEquals(0, run.exitCode(), run.err());
        byte[] model = Files.readAllBytes(folder.resolve(RUN).resolve("model.safetensors"));
        Files.write(folder.resolve("bare.safetensors"), model);
        Files.writeString(
                Files.createDirectories(folder.resolve("old")).resolve("config.json"),
                "{\"command\": \"learn\", \"format\": 1, \"identity\": {}}");
        Files.write(folder.resolve("old/model.safetensors"), model);
        Files.createFile(Files.createDirectories(folder.resolve("empty")).resolve("config.json"));
        Files.createDirectories(folder.resolve("folder/config.json"));
        Files.write(folder.resolve("cut.safetensors"), java.util.Arrays.copyOf(model, model.length - 5));
    }

    private static void idx(String name, int extent, int classes, int magic, int missingBytes, int labelRange)
            throws IOException {
        Path at = Files.createDirectories(folder.resolve(name));
        for (String part : List.of("train", "t10k")) {
            int n = 40;
            ByteBuffer images = ByteBuffer.allocate(16 + n * extent * extent);
            images.putInt(magic).putInt(n).putInt(extent).putInt(extent);
            Files.write(
                    at.resolve(part + "-images-idx3-ubyte"),
                    java.util.Arrays.copyOf(images.array(), images.capacity() - missingBytes));
            ByteBuffer labels = ByteBuffer.allocate(8 + n).putInt(IDX_LABELS).putInt(n);
            for (int i = 0; i < n; i++) {
                labels.put((byte) (part.equals("train") ? i % classes : i * (labelRange - 1) / (n - 1)));
            }
            Files.write(at.resolve(part + "-labels-idx1-ubyte"), labels.array());
        }
    }

    private static void architecture(String name, String fields, String moreLayers) throws IOException {
        Files.writeString(
                folder.resolve(name + ".json"),
                "{\"name\": \"mine\", " + fields + "\"layers\": ["
                        + "{\"type\": \"conv\", \"name\": \"stem\", \"channels\": 4}" + moreLayers
                        + ", {\"type\": \"globalAveragePool\"}, "
                        + "{\"type\": \"linear\", \"name\": \"classifier\", \"outputs\": \"classes\"}]}");
    }

    static Stream<Arguments> cases() {
        return Stream.of(
                bad("learn --data DIR/absent", "DIR/absent", "expected"),
                bad("learn --data DIR/nothing", "DIR/nothing", "holds no dataset", "expected"),
                bad("learn --data DIR/incomplete", "t10k-labels-idx1-ubyte"),
                bad("learn --data DIR/truncated", "train-images-idx3-ubyte", "truncated"),
                bad("learn --data DIR/magic", "train-images-idx3-ubyte", "magic", "expected"),
                bad("learn --data DIR/labels", "t10k-labels", "label 10", "expected"),
                bad("learn --data planted:4", "4", "expected"),
                bad("learn --arch lenet --data DIR/tiny", "2 x 2", "lenet", "expected at least"),
                bad("learn --arch cnn6 --budget 100", "100", "with all sizes 1", "at kmax"),
                bad("learn --arch planted1 --data planted:5 --budget 1.5x", "no odd kernel sizes", "the nearest"),
                bad("learn --arch cnn6 --budget 900M", "900,000,000", "with all sizes 1", "at kmax"),
                bad("learn --budget k4", "k4", "expected an odd number"),
                bad("learn --budget many", "many", "expected"),
                bad("learn --cost money", "--cost", "money", "macs"),
                bad(
                        "learn --budget 4.2ms --cost macs",
                        "4.2ms",
                        "latency",
                        "expected a number of multiply-adds (30MMAC)"),
                bad("learn --budget 30 --cost latency", "no unit", "expected a time"),
                bad("learn --budget 1MAC", "1 multiply-adds", "with all sizes 1"),
                bad("learn --budget 4.2ms", "expected --latency-table FILE"),
                bad("learn --budget 4.2ms --latency-table DIR/absent.json", "absent.json", "no such file"),
                bad(
                        "learn --budget k5 --cost latency --latency-table DIR/type.json",
                        "type.json",
                        "format",
                        "effconv-latency-2"),
                bad("learn --budget any", "is a range", "effconv search"),
                bad(
                        "search --budget k5 --out DIR/new --data planted:3,train=64,test=32,size=12",
                        "k5",
                        "expected a range of budgets"),
                bad(
                        "search --budget any:k7..k3 --arch planted3 --out DIR/new --data planted:3,train=64,test=32,size=12",
                        "smaller end first"),
                bad("learn --budget auto --frozen 0.85 --out DIR/new", "closing", "below 1 with that of frozen"),
                bad("search --budget any --closing 0.1", "--closing"),
                bad("search --resume DIR/run --budget any", "--budget and --resume"),
                bad(
                        "latency-table --arch planted3 --data planted:3,train=64,test=32,size=12 DIR/absent/new.json",
                        "absent/new.json",
                        "folder that is there"),
                bad("search --resume DIR/run", "command 'learn'", "expected 'search-any'"),
                bad("sizes --run DIR/run --budget k5", "holds no budgets.json", "effconv search"),
                bad("sizes --budget k5", "--run"),
                bad(
                        "latency-table --repeats 0 --arch planted3 --data planted:3,train=64,test=32,size=12 DIR/new",
                        "repeats 0",
                        "expected"),
                bad("latency-table", "FILE"),
                bad("learn --arch DIR/kmax8.json", "kmax8.json", "kmax", "8", "odd"),
                bad("learn --arch DIR/kmax-3.json", "kmax", "-3", "odd"),
                bad("learn --arch DIR/kmax35.json", "kmax", "35", "33"),
                bad("learn --arch DIR/unrolled.json", "unrolled.json", "layers", "1,000,003 layers", "at most 10,000"),
                bad("learn --arch DIR/nested.json", "nested.json", "layers", "at most 32 in one another"),
                bad(
                        "learn --arch DIR/wide.json",
                        "wide.json",
                        "layer conv3 at kernel size",
                        "weights",
                        "at most 500,000,000"),
                bad(
                        "train --sizes k3 --arch DIR/wide.json",
                        "layer conv3 at kernel size 3",
                        "603,979,776 weights",
                        "at most 500,000,000"),
                bad("train --sizes 3,,5 --out DIR/new", "--sizes: ''", "expected"),
                bad("learn --arch DIR/type.json", "type.json", "convolve", "expected"),
                bad("learn --arch DIR/broken.json", "broken.json", "JSON"),
                bad("learn --arch DIR/absent.json", "absent.json", "no such file"),
                bad("learn --arch alexnet", "alexnet", "expected one of", "cnn6"),
                bad("learn --device tpu", "tpu", "expected auto, cpu, cuda or cuda:N"),
                bad("learn --device cuda:", "cuda:", "expected auto, cpu, cuda or cuda:N"),
                bad("learn --gpu-memory lots", "lots", "such as 20g, 512m"),
                bad("learn --precision fp8", "fp8", "fp32"),
                bad("learn --threads -1", "--threads", "-1", "expected"),
                bad("learn --lr fast", "--lr", "fast", "expected a number"),
                bad("learn --epochs 0", "--epochs", "0", "expected"),
                bad("learn --start-size 40", "40", "1 to 33"),
                bad("learn --mask round", "round", "ramp"),
                bad("learn --optimizer lion", "lion", "adamw"),
                bad("learn --colour red", "--colour"),
                bad("learn --out DIR/run", "DIR/run", "holds another run", "--resume"),
                bad("learn --out DIR/occupied", "DIR/occupied", "empty"),
                bad("learn --out DIR/broken.json/x", "broken.json"),
                bad("learn --resume DIR/nothing", "holds no run"),
                bad("learn --resume DIR/run --arch cnn6", "--arch", "cnn6", "planted3"),
                bad("learn --resume DIR/run --lr 0.5", "--lr", "0.5", "own settings"),
                bad("learn --resume DIR/run --out DIR/new", "--out and --resume"),
                bad(
                        "learn --resume DIR/run --data DIR/absent",
                        "DIR/absent",
                        "go on with: --resume DIR/run --data DATA"),
                bad(
                        "learn --resume DIR/run --data DIR/good",
                        "DIR/run: the run cannot go on here",
                        "data.",
                        "expected what it began with"),
                bad("learn --resume DIR/run --data planted:3,train=64,test=32,size=12,seed=1", "data.test.digest is "),
                bad("learn --resume DIR/old", "old/config.json: format 1, expected 2"),
                bad("eval DIR/old", "old/config.json: format 1, expected 2", "expected --data"),
                bad("learn --resume DIR/empty", "empty/config.json: expected a JSON object, found nothing"),
                bad("learn --resume DIR/folder", "folder/config.json: is a folder"),
                bad("train --resume DIR/run", "command 'learn'", "expected 'train'"),
                bad("train --out DIR/new", "--sizes is missing"),
                bad("train --sizes k4 --out DIR/new", "4", "odd"),
                bad("train --sizes k99 --out DIR/new", "99", "33"),
                bad("train --sizes 3,5 --out DIR/new", "[3, 5] are 2; expected 6"),
                bad("train --sizes 3,3,4,3,3,3 --out DIR/new", "4", "odd"),
                bad("train --sizes 3,3,x --out DIR/new", "3,3,x", "no such file"),
                bad("train --sizes DIR/absent.json --out DIR/new", "absent.json", "no such file"),
                bad("train --arch planted1 --sizes DIR/sizes-arch.json", "cnn6", "expected 'planted1'"),
                bad("train --arch planted1 --sizes DIR/sizes-even.json", "layers[0].size", "4", "odd"),
                bad("train --arch planted1 --sizes DIR/sizes-name.json", "layers[0].name", "root", "stem"),
                bad("train --arch planted1 --sizes DIR/sizes-format.json", "effconv-sizes-9", "effconv-sizes-1"),
                bad("train --sizes k3 --budget k5", "--budget"),
                bad("bench --suite nonsense", "nonsense", "paper"),
                bad("bench --steps lenet", "lenet", "architecture:size"),
                bad("bench --steps lenet:4", "4", "odd"),
                bad("bench --floors --repeats 0", "--repeats 0"),
                bad("bench --device cpu --bf16-tflops 5", "--floors"),
                bad("bench --floors --steps lenet:3", "--steps"),
                bad("bench --device cpu --threads 2 --search-steps lenet:3", "--threads 1"),
                bad("bench --search-steps lenet:3 --steps lenet:3", "--search-steps"),
                bad("eval", "MODEL"),
                bad("eval DIR/nothing", "no such file"),
                bad("eval DIR/no-model.safetensors", "no-model.safetensors"),
                bad("eval DIR/cut.safetensors", "cut.safetensors", "truncated"),
                bad("eval DIR/bare.safetensors", "bare.safetensors: stands in no run folder", "expected --data"),
                bad("eval DIR/run --data DIR/good", "classes"),
                bad("export", "MODEL"),
                bad("export DIR/cut.safetensors", "cut.safetensors", "truncated"),
                bad("export DIR/absent", "absent", "no such file"),
                bad("export DIR/run --out DIR/absent/model.onnx", "absent", "in a folder that is there"),
                bad("export DIR/run --out DIR/nothing", "nothing", "name of a file"),
                bad("export DIR/run --out /", "name of a file"),
                bad("export DIR/run --out DIR/run/model.safetensors", "model.safetensors", "is the model itself"),
                bad(
                        "export DIR/run --format tflite",
                        "--format 'tflite'",
                        "expected one of onnx, safetensors, pytorch"),
                bad(
                        "export DIR/run --format safetensors --out DIR/run/model.safetensors",
                        "model.safetensors",
                        "is the model itself"),
                bad("export DIR/run --format pytorch --out DIR/run", "run/model.safetensors", "another folder"),
                bad("export DIR/run --format keras --out DIR/run", "run/model.safetensors", "another folder"),
                bad("export DIR/run --format pytorch --out DIR/absent/new", "name of a folder"),
                bad("export DIR/run --format pytorch --out DIR/cut.safetensors", "name of a folder"),
                bad("sweep --out DIR/new --methods best", "--methods 'best'", "expected some of", "learned"),
                bad("sweep --out DIR/new --budget auto", "auto", "expected a number to meet"),
                bad("sweep --out DIR/new --budget k4", "k4", "odd"),
                bad("sweep --out DIR/new --arch planted1 --data planted:5 --budget 1.5x", "no odd kernel sizes"),
                bad("sweep --out DIR/new --seed 3-1", "3-1", "range"),
                bad("sweep --out DIR/new --seed 1,1", "--seed", "every one once"),
                bad("sweep --out DIR/new --draws 0", "--draws", "1 or more"),
                bad("data DIR/nothing --most -1", "--most -1", "expected 0 or more"),
                bad("sweep --out DIR/new --match time", "--match 'time'", "expected one of epochs, work"),
                bad("sweep --out DIR/new --match work --methods mixed", "--match work", "expected learned among them"),
                bad("sweep --out DIR/new --jobs 0", "--jobs", "1 or more"),
                bad("sweep --out DIR/new --threads 0", "--threads", "1 or more"),
                bad("sweep --out DIR/new --validation 1", "--validation", "below 1"),
                bad("sweep --out DIR/new --train-images many", "--train-images", "many"),
                bad("sweep --out DIR/new --data DIR/absent", "DIR/absent"),
                bad("sweep --out DIR/occupied", "DIR/occupied", "neither a sweep nor an empty folder"),
                bad("sweep", "--out"),
                bad("learn --validation 1", "--validation", "below 1"),
                bad("learn --train-images -1", "--train-images", "-1"),
                bad("compare", "RUN|FILE"),
                bad("report", "RUN"),
                bad("report DIR/absent", "holds no run"),
                bad("compare DIR", "holds no run"),
                bad("compare DIR/absent.jsonl", "absent.jsonl", "no such file"),
                bad("compare DIR/no-model.safetensors", "no row of a training"),
                bad(
                        "",
                        "command is missing: one of learn, train, report, eval, data, export, search, sizes, sweep, compare, latency-table, bench, info"),
                bad("learnt", "unknown command 'learnt'; did you mean learn?"),
                bad("info and more", "unexpected argument 'and'"),
                bad("learn --epoch 3", "unknown option '--epoch'; did you mean --epochs?"),
                bad("learn -lr 3", "unknown option '-lr'; did you mean --lr?"),
                bad("learn --no-comapre", "did you mean --no-compare?"),
                bad("learn --search 3", "did you mean --search-epochs or --search-fraction?"),
                bad("learn --lr 1 --lr 2", "--lr", "only once"),
                bad("learn --data @DIR/broken.json", "@DIR/broken.json", "expected"),
                bad("help learnt", "learnt"));
    }

    private static Arguments bad(String arguments, String... parts) {
        return Arguments.of(arguments, List.of(parts));
    }

    @ParameterizedTest(name = "{0}")
    @MethodSource("cases")
    void isRefusedInOneSentence(String line, List<String> parts) {
        List<String> arguments = new java.util.ArrayList<>(
                Stream.of(line.replace("DIR", folder.toString()).split(" "))
                        .filter(s -> !s.isEmpty())
                        .toList());
        boolean runs = line.startsWith("learn ") || line.startsWith("train ");
        if (runs && !line.contains("--resume") && !line.contains("--out")) {
            arguments.addAll(List.of("--out", folder.resolve("new").toString()));
        }
        if (runs && !line.contains("--resume") && !line.contains("--data")) {
            arguments.addAll(List.of("--data", "planted:3,train=64,test=32,size=12"));
        }
        List<String> before = Cli.content(folder);
        Cli run = Cli.run(arguments);
        assertAll(
                () -> assertEquals(2, run.exitCode(), run.err()),
                () -> assertEquals("", run.out().replaceAll("(?s)Usage.*", "")),
                () -> assertTrue(run.err().startsWith("effconv: "), run.err()),
                () -> assertTrue(run.err().lines().count() <= 2, "more than a sentence and a hint: " + run.err()),
                () -> assertTrue(run.err().length() < 700, run.err()),
                () -> assertEquals(before, Cli.content(folder), "something was written"));
        for (String part : parts) {
            String expected = part.replace("DIR", folder.toString());
            assertTrue(run.err().contains(expected), "'" + expected + "' is not in: " + run.err());
        }
    }

    /** A card that cannot be used is no bad argument but something the machine lacks; still nothing is written. */
    @Test
    void aPropertyNamesDataAsAnOptionDoes() {
        System.setProperty("effconv.data", "planted:3,train=64,test=32,size=12");
        try {
            Cli eval = Cli.run("eval", folder.resolve("bare.safetensors").toString(), "--threads", "1");
            assertEquals(0, eval.exitCode(), eval.err());
        } finally {
            System.clearProperty("effconv.data");
        }
    }

    @Test
    void aCardThatCannotBeUsedIsRefusedWithTheWayOut() {
        assumeFalse(Cli.run("info").out().contains("device cuda  there"), "this machine has a card that can be used");
        List<String> before = Cli.content(folder);
        for (String command : List.of("learn --out " + folder.resolve("new"), "bench")) {
            Cli run = Cli.run(List.of((command + " --device cuda").split(" ")));
            assertEquals(1, run.exitCode(), run.err());
            assertEquals("", run.out());
            assertTrue(
                    run.err().matches("effconv: device 'cuda': .*: found .*; needed: .*; way out: .*\\R"), run.err());
            assertEquals(before, Cli.content(folder), "something was written");
        }
    }

    @Test
    void aCheckpointOfAnotherRunIsRefused() throws IOException {
        Path other = folder.resolve("other");
        assertEquals(
                0,
                Cli.small("learn", "--epochs", "1", "--seed", "9", "--out", other.toString())
                        .exitCode());
        Path target = other.resolve("checkpoint/train.safetensors");
        byte[] own = Files.readAllBytes(target);
        Files.copy(
                folder.resolve(RUN).resolve("checkpoint/train.safetensors"),
                target,
                java.nio.file.StandardCopyOption.REPLACE_EXISTING);
        Cli run = Cli.run("learn", "--resume", other.toString());
        assertEquals(2, run.exitCode(), run.err());
        assertTrue(run.err().contains("settings.seed is 1 there and 9 here"), run.err());

        Files.write(target, java.util.Arrays.copyOf(own, own.length / 2));
        Cli cut = Cli.run("learn", "--resume", other.toString());
        assertEquals(2, cut.exitCode(), cut.err());
        assertTrue(cut.err().contains("train.safetensors"), cut.err());
    }
}
