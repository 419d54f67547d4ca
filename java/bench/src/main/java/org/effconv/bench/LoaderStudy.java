package org.effconv.bench;

import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.Locale;
import java.util.concurrent.Callable;
import java.util.concurrent.TimeUnit;
import org.effconv.data.Augmentation;
import org.effconv.data.Batch;
import org.effconv.data.DataLoader;
import org.effconv.data.Dataset;
import org.effconv.data.Datasets;
import org.effconv.data.ReadOptions;
import picocli.CommandLine;
import picocli.CommandLine.Command;
import picocli.CommandLine.Option;
import picocli.CommandLine.Parameters;

/** How fast a training loader hands out images that are in memory or decoded again, and what memory that takes. */
@Command(name = "loader-study", mixinStandardHelpOptions = true, showDefaultValues = true)
final class LoaderStudy implements Callable<Integer> {
    @Parameters(paramLabel = "DATA")
    private String data;

    @Option(names = "--memory-mb", defaultValue = "1000000", description = "for decoded images")
    private long memory;

    @Option(names = "--epochs", defaultValue = "2")
    private int epochs;

    @Option(names = "--batch", defaultValue = "64")
    private int batch;

    public static void main(String[] arguments) {
        System.exit(new CommandLine(new LoaderStudy()).execute(arguments));
    }

    @Override
    public Integer call() throws IOException {
        long start = System.nanoTime();
        Dataset dataset = Datasets.open(data, ReadOptions.standard().memory(memory << 20));
        System.out.printf(Locale.ROOT, "%s%nopened in %.1f s%n", dataset, seconds(start));
        try (DataLoader loader = DataLoader.training(dataset.train(), batch, Augmentation.none(), 1)) {
            for (int epoch = 0; epoch < epochs; epoch++) {
                start = System.nanoTime();
                long images = 0;
                for (Batch b : loader.epoch(epoch)) {
                    images += b.size();
                }
                System.out.printf(
                        Locale.ROOT, "epoch %d: %d images, %.0f images/s%n", epoch, images, images / seconds(start));
            }
        }
        Files.readAllLines(Path.of("/proc/self/status")).stream()
                .filter(line -> line.startsWith("VmHWM"))
                .forEach(System.out::println);
        return 0;
    }

    private static double seconds(long start) {
        return (System.nanoTime() - start) / (double) TimeUnit.SECONDS.toNanos(1);
    }
}
