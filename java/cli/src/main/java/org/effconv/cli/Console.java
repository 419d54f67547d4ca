package org.effconv.cli;

import java.io.PrintWriter;
import java.util.Arrays;
import java.util.Locale;
import java.util.stream.Collectors;
import me.tongfei.progressbar.ProgressBar;
import me.tongfei.progressbar.ProgressBarBuilder;
import me.tongfei.progressbar.ProgressBarStyle;
import org.effconv.train.EpochMetrics;
import org.effconv.train.TrainingListener;

/** Shows a run: a line per epoch on standard output and, on a terminal, a progress bar per epoch on standard error. */
final class Console implements TrainingListener, AutoCloseable {
    /** The system property by which the launcher tells that standard error is a terminal. */
    static final String TERMINAL = "effconv.terminal";

    private static final int REDRAW_MILLIS = 250;

    private final PrintWriter out;
    private final boolean terminal;
    private int batches;
    private int epochs;
    private double epochSeconds = Double.NaN; // the last epoch's of this phase
    private ProgressBar bar;

    Console(PrintWriter out, boolean terminal) {
        this.out = out;
        this.terminal = terminal;
    }

    @Override
    public void onStart(String phase, int epochs, int epochsDone, int batchesPerEpoch) {
        this.batches = batchesPerEpoch;
        this.epochs = epochs;
        epochSeconds = Double.NaN;
        if (epochsDone > 0) {
            out.printf(
                    Locale.ROOT,
                    "%s: %s%n",
                    phase,
                    epochsDone == epochs ? "was done before" : "goes on after epoch " + epochsDone + " of " + epochs);
            out.flush();
        }
    }

    @Override
    public void onBatch(String phase, int epoch, int batch, double loss) {
        if (!terminal) {
            return;
        }
        if (bar == null) {
            bar = new ProgressBarBuilder()
                    .setTaskName(String.format(Locale.ROOT, "%s %d/%d", phase, epoch, epochs))
                    .setInitialMax(batches)
                    .setStyle(ProgressBarStyle.ASCII)
                    .setUpdateIntervalMillis(REDRAW_MILLIS)
                    .clearDisplayOnFinish()
                    .build();
        }
        bar.step();
        if (!Double.isNaN(loss)) {
            bar.setExtraMessage(String.format(Locale.ROOT, "loss %.3f%s", loss, left(epoch, batch)));
        }
    }

    /** How long the phase will still take, by its last epoch; empty in the first one. */
    private String left(int epoch, int batch) {
        if (Double.isNaN(epochSeconds)) {
            return "";
        }
        long seconds = Math.round((epochs - epoch + 1 - (double) batch / batches) * epochSeconds);
        return seconds < 100
                ? String.format(Locale.ROOT, ", %d s left", seconds)
                : String.format(Locale.ROOT, ", %d min left", Math.round(seconds / 60.0));
    }

    @Override
    public void onCandidate(int[] sizes, int steps, double loss) {
        close();
        out.printf(
                Locale.ROOT,
                "%-10s %s  loss %.4f in step %d%n",
                "candidate",
                Arrays.stream(sizes).mapToObj(String::valueOf).collect(Collectors.joining(" ")),
                loss,
                steps);
        out.flush();
    }

    @Override
    public void onEpoch(EpochMetrics m) {
        close();
        epochSeconds = m.seconds();
        StringBuilder line = new StringBuilder(String.format(
                Locale.ROOT,
                "%-10s %3d/%d  loss %.4f  train %.2f %%",
                m.phase(),
                m.epoch(),
                m.epochs(),
                m.loss(),
                100 * m.trainAccuracy()));
        if (Double.isFinite(m.validationAccuracy())) {
            line.append(String.format(Locale.ROOT, "  validation %.2f %%", 100 * m.validationAccuracy()));
        }
        if (Double.isFinite(m.testAccuracy())) {
            line.append(String.format(Locale.ROOT, "  test %.2f %%", 100 * m.testAccuracy()));
        }
        line.append(String.format(Locale.ROOT, "  %.1f s  %.0f images/s", m.seconds(), m.imagesPerSecond()));
        if (m.phase().startsWith("candidate")) { // each is of other sizes
            line.append("  sizes ")
                    .append(m.sizes().stream().map(String::valueOf).collect(Collectors.joining(" ")));
        }
        if (!m.softSizes().isEmpty()) {
            line.append("  sizes ")
                    .append(m.softSizes().stream()
                            .map(v -> String.format(Locale.ROOT, "%.1f", v))
                            .collect(Collectors.joining(" ")));
            if (Double.isFinite(m.budgetRatio())) {
                line.append(String.format(Locale.ROOT, "  P/P* %.3f", m.budgetRatio()));
            }
        }
        out.println(line);
        out.flush();
    }

    /** Removes the bar; a second close is harmless. */
    @Override
    public void close() {
        if (bar != null) {
            bar.close();
            bar = null;
        }
    }
}
