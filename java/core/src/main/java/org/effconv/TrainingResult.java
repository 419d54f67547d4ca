package org.effconv;

import org.effconv.train.Evaluation;
import org.effconv.train.Phase;
import org.effconv.train.Work;

/** A trained network with its figures after the last epoch. Close it before the device. */
public final class TrainingResult implements AutoCloseable {
    private final TrainedModel model;
    private final Phase.Outcome outcome;

    TrainingResult(TrainedModel model, Phase.Outcome outcome) {
        this.model = model;
        this.outcome = outcome;
    }

    public TrainedModel model() {
        return model;
    }

    /** Share of right answers on the test part, 0..1, after the last epoch. */
    public double testAccuracy() {
        return outcome.test().accuracy();
    }

    /** Mean cross entropy on the test part after the last epoch. */
    public double testLoss() {
        return outcome.test().loss();
    }

    /** The test part after the last epoch: each answer, and counts by class. */
    public Evaluation test() {
        return outcome.test();
    }

    /** Share of right answers on the validation part, 0..1, after the last epoch; NaN without a validation part. */
    public double validationAccuracy() {
        return outcome.validation() == null ? Double.NaN : outcome.validation().accuracy();
    }

    /**
     * Largest test accuracy of any epoch; NaN unless the setting best-epoch is on. The epoch is chosen by the test
     * part, so this is no estimate for new images: only peers' figures that were chosen so compare with it.
     */
    public double bestEpochTestAccuracy() {
        return outcome.bestTest();
    }

    /** Wall clock of the training's epochs, without evaluation. */
    public double seconds() {
        return outcome.seconds();
    }

    /** What the training's steps computed. */
    public Work work() {
        return outcome.work();
    }

    /** Steps of the training. */
    public long steps() {
        return outcome.steps();
    }

    @Override
    public void close() {
        model.close();
    }
}
