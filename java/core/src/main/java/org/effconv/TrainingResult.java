package org.effconv;

/** A trained network with its figures on the test part after the last epoch. Close it before the device. */
public final class TrainingResult implements AutoCloseable {
    private final TrainedModel model;
    private final double testAccuracy;
    private final double testLoss;
    private final double seconds;

    TrainingResult(TrainedModel model, double testAccuracy, double testLoss, double seconds) {
        this.model = model;
        this.testAccuracy = testAccuracy;
        this.testLoss = testLoss;
        this.seconds = seconds;
    }

    public TrainedModel model() {
        return model;
    }

    /** Share of right answers, 0..1, after the last epoch. */
    public double testAccuracy() {
        return testAccuracy;
    }

    /** Mean cross entropy after the last epoch. */
    public double testLoss() {
        return testLoss;
    }

    /** Wall clock of the training's epochs. */
    public double seconds() {
        return seconds;
    }

    @Override
    public void close() {
        model.close();
    }
}
