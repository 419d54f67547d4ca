package org.effconv.sweep;

import java.util.HashMap;
import java.util.List;
import java.util.Map;
import org.effconv.Device;
import org.effconv.FlexConvTraining;
import org.effconv.KernelSizeSearch;
import org.effconv.Settings;
import org.effconv.Training;
import org.effconv.data.Dataset;
import org.effconv.train.EpochMetrics;
import org.effconv.train.TrainingListener;

/**
 * How long the runs of a sweep may take: a few steps of each kind of network are timed, here and now, and multiplied.
 * Evaluation, start-up and the slowing of runs side by side are left out.
 */
public final class SweepEstimate {
    private static final int BATCHES = 4; // timed, after as many to warm up

    private final SweepPlan plan;
    private final Device device;
    private final Map<String, Double> imageSeconds =
            new HashMap<>(); // of an image in a step, by task, budget and kind of run

    /** @param device as the runs will have it */
    public SweepEstimate(SweepPlan plan, Device device) {
        this.plan = plan;
        this.device = device;
    }

    /** Seconds of one run, by itself. */
    public double seconds(SweepRun run) {
        Settings settings = run.settings();
        int images = plan.data(run).train().count();
        if (run.kind() == SweepRun.Kind.SEARCH) {
            return KernelSizeSearch.overheadEpochs(settings)
                    * images
                    * imageSeconds(run, KernelSizeSearch.inOneRun(settings) ? SweepRun.Kind.TRAINING : run.kind());
        }
        if (run.search() != null && run.method().takesWork()) {
            return (settings.get(Settings.EPOCHS) + KernelSizeSearch.overheadEpochs(settings))
                    * images
                    * imageSeconds(run, run.kind());
        }
        double scale = run.sizes() == null ? 1 : (double) plan.multiplyAdds(run) / plan.mixedMultiplyAdds(run);
        return (double) settings.get(Settings.EPOCHS) * images * imageSeconds(run, run.kind()) * scale;
    }

    private double imageSeconds(SweepRun run, SweepRun.Kind kind) {
        String variant = kind == SweepRun.Kind.SEARCH ? run.variant() : "";
        return imageSeconds.computeIfAbsent(
                run.task() + "/" + run.budget() + "/" + kind + "/" + variant, key -> time(run, kind));
    }

    /** Seconds of several runs, {@code jobs} at a time. */
    public double seconds(List<SweepRun> runs, int jobs) {
        return runs.stream().mapToDouble(this::seconds).sum() / Math.min(jobs, Math.max(1, runs.size()));
    }

    private double time(SweepRun run, SweepRun.Kind kind) {
        Dataset whole = plan.data(run);
        int batch = run.settings().get(Settings.BATCH);
        Dataset few = whole.take(Math.min(whole.train().count(), BATCHES * batch), 1);
        double[] seconds = new double[1];
        TrainingListener clock = new TrainingListener() {
            @Override
            public void onEpoch(EpochMetrics m) {
                seconds[0] = 1 / m.imagesPerSecond(); // the last epoch's stays
            }
        };
        Settings brief = run.settings()
                .with(Settings.VALIDATION, 0.0)
                .with(Settings.TRAIN_IMAGES, 0)
                .with(Settings.TEST_IMAGES, 0)
                .with(Settings.EPOCHS, 2)
                .with(Settings.SEARCH_EPOCHS, 2)
                .with(Settings.FLOW, Settings.TWO_STAGES);
        switch (kind) {
            case SEARCH -> KernelSizeSearch.of(brief, run.architecture())
                    .latencyTable(plan.table())
                    .listener(clock)
                    .run(device, few);
            case TRAINING -> Training.of(brief, run.architecture(), plan.mixed(run))
                    .listener(clock)
                    .run(device, few)
                    .close();
            case CONTINUOUS -> FlexConvTraining.of(brief, run.architecture())
                    .listener(clock)
                    .run(device, few);
        }
        return seconds[0];
    }
}
