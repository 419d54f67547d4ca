package org.effconv;

import java.nio.file.Path;
import java.util.Arrays;
import java.util.List;
import org.effconv.data.Dataset;
import org.effconv.error.EffconvException;
import org.effconv.flexconv.ContinuousKernels;
import org.effconv.nn.Architecture;
import org.effconv.nn.Network;
import org.effconv.nn.NetworkPlan;
import org.effconv.run.RunInputs;
import org.effconv.train.MemoryNeed;
import org.effconv.train.Phase;

/**
 * Trains an architecture whose sized kernels are continuous and stay so in use, in the manner of FlexConv: a baseline
 * for learned sizes. What comes out are its figures; no model is kept.
 */
public final class FlexConvTraining extends Job<FlexConvTraining> {
    private FlexConvTraining(Settings settings, Architecture architecture) {
        super("continuous", settings, architecture);
    }

    private FlexConvTraining(Path folder) {
        super("continuous", folder);
    }

    /** With the settings given but for the optimiser's, which are {@linkplain #ownSettings its own}. */
    public static FlexConvTraining of(Settings settings, Architecture architecture) {
        return new FlexConvTraining(ownSettings(settings), architecture);
    }

    /** Continues the run in a folder; its settings are the run's. */
    public static FlexConvTraining resume(Path folder) {
        return new FlexConvTraining(folder);
    }

    /**
     * What FlexConv was published with: Adam at 0.01 without decay of plain parameters, batches of 64, a cosine after a
     * warm-up over 5 of 350 epochs. Epochs, data and seed stay as they are.
     */
    public static Settings ownSettings(Settings settings) {
        return settings.with(Settings.OPTIMIZER, "adamw")
                .with(Settings.LR, 0.01)
                .with(Settings.WEIGHT_DECAY, 0.0)
                .with(Settings.BATCH, 64)
                .with(Settings.SCHEDULE, "cosine")
                .with(Settings.WARMUP, 5.0 / 350);
    }

    /**
     * @param outcome figures after the last epoch
     * @param sizes effective kernel sizes: of every layer the odd square that its mask leaves
     * @param parameters owned by network and kernels
     */
    public record Result(Phase.Outcome outcome, int[] sizes, long parameters) {}

    @Override
    FlexConvTraining self() {
        return this;
    }

    /**
     * Trains on the training part and reads the test part once, after the last epoch.
     *
     * @throws EffconvException.InvalidInput if settings, data and architecture do not fit together
     * @throws EffconvException.JobFailed if the loss is no longer finite
     */
    public Result run(Device device, Dataset images) {
        Dataset data = select(images, settings());
        try (Device.Claim claim = device.claim()) {
            RunInputs inputs = inputs(device, data);
            MemoryNeed.ofTraining(
                    inputs.compute(),
                    inputs.plan(),
                    data,
                    inputs.training(),
                    ContinuousKernels.values(inputs.plan()),
                    out() != null);
            return inFolder(device, data, context -> train(context, inputs));
        }
    }

    private Result train(Phase.Context context, RunInputs inputs) {
        NetworkPlan plan = inputs.plan();
        try (Network network = inputs.network();
                ContinuousKernels kernels = new ContinuousKernels(
                        context.backend(), inputs.compute().parameterType(), plan, inputs.seed())) {
            long parameters = plan.fixedParameters() + kernels.ownedParameters();
            Phase.Outcome outcome = Phase.run(
                    context,
                    Training.PHASE,
                    network,
                    kernels,
                    inputs.training(),
                    new EffectiveSizes(kernels, parameters),
                    Resolution.testPart(settings()));
            return new Result(outcome, kernels.sizes(), parameters);
        }
    }

    private record EffectiveSizes(ContinuousKernels kernels, long parameters) implements Phase.Sizes {
        @Override
        public List<Integer> sizes() {
            return Arrays.stream(kernels.sizes()).boxed().toList();
        }
    }
}
