package org.effconv.endtoend;

import ch.qos.logback.classic.Level;
import ch.qos.logback.classic.Logger;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.Collections;
import java.util.Comparator;
import java.util.List;
import java.util.Locale;
import java.util.Random;
import java.util.concurrent.atomic.AtomicInteger;
import java.util.stream.Stream;
import org.bytedeco.javacpp.Pointer;
import org.effconv.BudgetRangeSearch;
import org.effconv.Device;
import org.effconv.Job;
import org.effconv.KernelSizeSearch;
import org.effconv.Learning;
import org.effconv.LearningResult;
import org.effconv.Settings;
import org.effconv.TrainedModel;
import org.effconv.Training;
import org.effconv.TrainingResult;
import org.effconv.data.Dataset;
import org.effconv.data.Datasets;
import org.effconv.error.EffconvException;
import org.effconv.nn.Architecture;
import org.effconv.nn.NetworkPlan;
import org.effconv.train.StopSignal;
import org.effconv.train.TrainingListener;
import org.slf4j.LoggerFactory;

/**
 * Many small jobs in one JVM, as a server that embeds the library runs them for months: whole learnings, searches,
 * trainings that are saved, loaded and evaluated, jobs that are stopped and resumed, that fail in the middle, that are
 * refused. Each on a thread and a device of its own, several at once. After each round, with nothing running, it says
 * what the process holds.
 */
final class Soak {
    private static final Dataset PLANTED = Datasets.open("planted:3,train=80,test=40,size=12");
    private static final List<String> ARCHITECTURES = List.of("planted1", "planted3", "lenet", "cnn6", "dwnet");
    private static final int CHEAP = 2; // of these, the first ones
    private static final int LARGEST_BATCH = 40;
    private static final int LEAST_ROUNDS = 3;
    private static final int SPARE_THREADS = 2; // of the JVM's own, which come and go

    /** What the process holds between rounds. */
    record Held(int jobs, long anonymousBytes, long threads, long files, long pointers, long heapBytes) {
        String row() {
            return String.format(
                    Locale.ROOT,
                    "| %d | %d | %d | %d | %d | %d |",
                    jobs,
                    anonymousBytes >> 20,
                    heapBytes >> 20,
                    threads,
                    files,
                    pointers);
        }
    }

    private final Path folder;
    private final List<Dataset> data;
    private final List<String> architectures;
    private final AtomicInteger next = new AtomicInteger();
    private final List<String> faults = Collections.synchronizedList(new ArrayList<>());

    private Soak(Path folder, List<Dataset> data, List<String> architectures) {
        this.folder = folder;
        this.data = data;
        this.architectures = architectures;
    }

    /** Of the smallest networks and images. */
    static Soak cheap(Path folder) {
        return new Soak(folder, List.of(PLANTED), ARCHITECTURES.subList(0, CHEAP));
    }

    /** ROUNDS [JOBS OF A ROUND [JOBS AT ONCE]]; exit status 1 if a job failed that should not, or the process grew. */
    public static void main(String[] arguments) throws Exception {
        ((Logger) LoggerFactory.getLogger(Logger.ROOT_LOGGER_NAME))
                .setLevel(Level.ERROR); // the table is what is to be read
        int rounds = arguments.length > 0 ? Integer.parseInt(arguments[0]) : 10;
        if (rounds < LEAST_ROUNDS) {
            throw new IllegalArgumentException(rounds + " rounds; expected at least " + LEAST_ROUNDS
                    + ", of which the last is compared with the second");
        }
        int jobs = arguments.length > 1 ? Integer.parseInt(arguments[1]) : 50;
        int atOnce = arguments.length > 2 ? Integer.parseInt(arguments[2]) : 2;
        Path folder = Files.createTempDirectory("effconv-soak");
        Soak soak =
                new Soak(folder, List.of(PLANTED, Datasets.open("fashion-mnist").take(120, 60)), ARCHITECTURES);
        System.out.println(
                "| jobs | resident without files, MiB | heap after collection, MiB | threads | open files | native objects |\n|---|---|---|---|---|---|");
        List<Held> held = new ArrayList<>();
        for (int i = 0; i < rounds; i++) {
            held.add(soak.round(jobs, atOnce));
            System.out.println(held.get(i).row());
        }
        List<String> faults = soak.faults();
        faults.addAll(growth(held));
        faults.forEach(System.out::println);
        if (faults.isEmpty()) {
            Files.delete(folder); // every job removed what it wrote
        } else {
            System.out.println("what failing jobs wrote: " + folder);
        }
        System.out.println(faults.isEmpty() ? "nothing grew, nothing failed" : faults.size() + " faults");
        System.exit(faults.isEmpty() ? 0 : 1);
    }

    /**
     * What is more at the end than it was: by the second round everything has been loaded and compiled. Memory may
     * differ by a fifth and 16 MiB, since compilers and collectors hold some, too, and threads of the system by two.
     */
    static List<String> growth(List<Held> held) {
        List<String> grown = new ArrayList<>();
        Held before = held.get(1);
        Held now = held.get(held.size() - 1);
        if (now.anonymousBytes > before.anonymousBytes * 6 / 5 + (16 << 20)) {
            grown.add("memory grew from " + before.anonymousBytes + " to " + now.anonymousBytes + " bytes");
        }
        if (now.threads > before.threads + SPARE_THREADS) {
            grown.add("threads grew from " + before.threads + " to " + now.threads);
        }
        if (now.files > before.files) {
            grown.add("open files grew from " + before.files + " to " + now.files);
        }
        if (now.pointers > before.pointers) {
            grown.add("native objects grew from " + before.pointers + " to " + now.pointers);
        }
        return grown;
    }

    /** What failed that should not have, since the start. */
    List<String> faults() {
        return new ArrayList<>(faults);
    }

    Held round(int jobs, int atOnce) throws InterruptedException, IOException {
        int end = next.get() + jobs;
        List<Thread> workers = new ArrayList<>();
        for (int w = 0; w < atOnce; w++) {
            Thread worker = new Thread(
                    () -> {
                        for (int n = take(end); n < end; n = take(end)) {
                            int job = n;
                            Thread own = new Thread(() -> run(job), "job" + job);
                            own.start();
                            try {
                                own.join();
                            } catch (InterruptedException e) {
                                return;
                            }
                        }
                    },
                    "worker" + w);
            worker.start();
            workers.add(worker);
        }
        for (Thread w : workers) {
            w.join();
        }
        return held(end);
    }

    private int take(int end) {
        return next.getAndUpdate(n -> Math.min(end, n + 1));
    }

    private static Held held(int jobs) throws IOException {
        System.gc(); // so that cleaners of what was closed have nothing left to say
        Runtime r = Runtime.getRuntime();
        return new Held(
                jobs,
                1024 * status("RssAnon:"),
                status("Threads:"),
                count(Path.of("/proc/self/fd")),
                Pointer.totalCount(),
                r.totalMemory() - r.freeMemory());
    }

    private static long status(String field) throws IOException {
        for (String line : Files.readAllLines(Path.of("/proc/self/status"))) {
            if (line.startsWith(field)) {
                return Long.parseLong(line.replaceAll("[^0-9]", ""));
            }
        }
        throw new IOException("/proc/self/status: no " + field);
    }

    private static long count(Path folder) throws IOException {
        try (Stream<Path> entries = Files.list(folder)) {
            return entries.count();
        }
    }

    // ---- the jobs -----------------------------------------------------------------------------------------------

    private static final class Planned extends RuntimeException {
        private static final long serialVersionUID = 1L;
    }

    private void run(int n) {
        Random random = new Random(n);
        String arch = architectures.get(random.nextInt(architectures.size()));
        Dataset images = data.get(random.nextInt(data.size()));
        int batch = 8 + random.nextInt(LARGEST_BATCH - 8);
        Path out = folder.resolve("run" + n);
        Settings settings = Settings.standard()
                .with(Settings.DEVICE, "cpu")
                .with(Settings.THREADS, random.nextInt(8) == 0 ? 2 : 1)
                .with(Settings.PRECISION, random.nextBoolean() ? "fp32" : "bf16")
                .with(Settings.EPOCHS, 1)
                .with(Settings.SEARCH_EPOCHS, 1)
                .with(Settings.BATCH, batch)
                .with(Settings.SEED, (long) n);
        String what = "job " + n + ", " + arch + ", " + images.name();
        try {
            Device device = Device.open(settings);
            try (device) {
                run(
                        n,
                        settings.with(Settings.BUDGET, random.nextBoolean() ? "k5" : "k3"),
                        arch,
                        random,
                        out,
                        device,
                        images);
            }
            if (device.liveBytes() != 0) {
                faults.add(what + ": the closed device holds " + device.liveBytes() + " bytes");
            }
            remove(out); // of a job that failed it stays, to be looked at
        } catch (Throwable e) { // whatever it is, the thread's end would hide it
            faults.add(what + ": " + e);
        }
    }

    private static void run(
            int n, Settings settings, String arch, Random random, Path out, Device device, Dataset images)
            throws IOException {
        Architecture architecture = Job.architecture(arch);
        switch (n % 7) {
            case 0 -> learn(Learning.of(settings, architecture).out(out), device, images);
            case 1 -> train(settings, architecture, random, out, device, images);
            case 2 -> stopAndResume(Learning.of(settings, architecture).out(out), random.nextInt(25), device, images);
            case 3 -> failing(Learning.of(settings, architecture).out(out), random.nextInt(8), device, images);
            case 4 -> KernelSizeSearch.of(settings, architecture).run(device, images);
            case 5 -> refused(
                    Learning.of(settings.with(Settings.BUDGET, "3"), architecture)
                            .out(out),
                    device,
                    images);
            default -> BudgetRangeSearch.of(settings.with(Settings.BUDGET, "any:k3..k7"), architecture)
                    .run(device, images);
        }
    }

    private static void learn(Learning job, Device device, Dataset images) {
        try (LearningResult result = job.run(device, images)) {
            result.learned().model().evaluateTest(images, LARGEST_BATCH);
        }
    }

    private static void train(
            Settings settings, Architecture architecture, Random random, Path out, Device device, Dataset images)
            throws IOException {
        NetworkPlan.Input input =
                new NetworkPlan.Input(images.height(), images.width(), images.channels(), images.classes());
        int[] sizes = new int[architecture.plan(input).sizedLayers().size()];
        Arrays.setAll(sizes, i -> 1 + 2 * random.nextInt(4));
        try (TrainingResult result = Training.of(settings, architecture, sizes).run(device, images)) {
            Files.createDirectory(out);
            result.model().save(out.resolve("model.safetensors"));
        }
        try (TrainedModel model = TrainedModel.load(device, out.resolve("model.safetensors"))) {
            model.evaluateTest(images, 1 + random.nextInt(LARGEST_BATCH));
        }
    }

    private static void stopAndResume(Learning job, int after, Device device, Dataset images) {
        StopSignal stop = new StopSignal();
        try (LearningResult whole =
                job.stopSignal(stop).listener(atBatch(after, stop::request)).run(device, images)) {
            return; // it had fewer batches
        } catch (StopSignal.Stopped e) {
            learn(Learning.resume(job.out()), device, images);
        }
    }

    private static void failing(Learning job, int after, Device device, Dataset images) {
        AtomicInteger thrown = new AtomicInteger();
        try {
            learn(
                    job.listener(atBatch(after, () -> {
                        thrown.incrementAndGet();
                        throw new Planned();
                    })),
                    device,
                    images);
        } catch (Planned e) {
            return;
        }
        if (thrown.get() > 0) { // else it had fewer batches
            throw new IllegalStateException("a listener's exception did not end the job");
        }
    }

    private static void refused(Learning job, Device device, Dataset images) {
        try {
            learn(job, device, images);
            throw new IllegalStateException("a budget of 3 parameters was taken");
        } catch (EffconvException.InvalidInput e) {
            return;
        }
    }

    private static TrainingListener atBatch(int number, Runnable what) {
        AtomicInteger seen = new AtomicInteger();
        return new TrainingListener() {
            @Override
            public void onBatch(String phase, int epoch, int batch, double loss) {
                if (seen.getAndIncrement() == number) {
                    what.run();
                }
            }
        };
    }

    private static void remove(Path folder) throws IOException {
        if (Files.exists(folder)) {
            try (Stream<Path> all = Files.walk(folder)) {
                for (Path p : all.sorted(Comparator.reverseOrder()).toList()) {
                    Files.delete(p);
                }
            }
        }
    }
}
