package org.effconv.train;

import com.fasterxml.jackson.databind.node.ObjectNode;
import java.util.Locale;

/**
 * What something took to compute.
 *
 * @param multiplyAdds of the network's convolutions and linear layers, forward and backward, taps beside the image
 *     included. A backward pass counts as two forward ones: the gradient of the data and that of the weights. What
 *     predictors compute beside the network (0.2 % of it with cnn6) and the reading of validation and test parts are
 *     left out
 * @param processorSeconds of the whole process meanwhile, all its threads taken together
 */
public record Work(double multiplyAdds, double processorSeconds) {
    /** A forward pass and a backward one, in forward ones. */
    public static final int STEP = 3;

    public static final Work NONE = new Work(0, 0);

    public Work plus(Work more) {
        return new Work(multiplyAdds + more.multiplyAdds, processorSeconds + more.processorSeconds);
    }

    /**
     * In epochs of training a network.
     *
     * @param multiplyAddsOfAnImage that network's, forward
     * @param images of an epoch
     */
    public double epochs(long multiplyAddsOfAnImage, long images) {
        return multiplyAdds / (STEP * (double) multiplyAddsOfAnImage * images);
    }

    /** Adds its fields to an object. */
    public ObjectNode put(ObjectNode json) {
        return json.put("multiplyAdds", multiplyAdds).put("processorSeconds", processorSeconds);
    }

    /** For people. */
    public String toText() {
        return String.format(Locale.ROOT, "%.3g multiply-adds", multiplyAdds);
    }

    /** Processor time of this process so far, in seconds; 0 if the system does not say. */
    static double processSeconds() {
        return ProcessHandle.current()
                .info()
                .totalCpuDuration()
                .map(time -> time.toNanos() / 1e9)
                .orElse(0.0);
    }

    /** Counts what is computed from now on. */
    public static final class Meter {
        private final double before = processSeconds();
        private double multiplyAdds;

        /** Adds a forward pass: its multiply-adds over all images. */
        public void add(double more) {
            multiplyAdds += more;
        }

        public Work work() {
            return new Work(multiplyAdds, processSeconds() - before);
        }
    }
}
