package org.effconv.bench;

import java.util.Locale;
import java.util.Random;
import org.effconv.nn.Architecture;
import org.effconv.nn.NetworkPlan;
import org.effconv.tensor.DataType;

/**
 * What is timed: an architecture with one uniform kernel size on a batch of random images; 28 x 28 x 1 for lenet, as on
 * MNIST, 32 x 32 x 3 for the others, as on CIFAR-10; ten classes.
 */
record Configuration(String architecture, int kernel, DataType precision, int threads, int batch) {
    private static final int CLASSES = 10;

    NetworkPlan plan() {
        NetworkPlan.Input input = architecture.equals("lenet")
                ? new NetworkPlan.Input(28, 28, 1, CLASSES)
                : new NetworkPlan.Input(32, 32, 3, CLASSES);
        return Architecture.named(architecture).plan(input);
    }

    /** Standard normal pixels (N, H, W, C). */
    float[] images() {
        NetworkPlan.Input in = plan().input();
        float[] pixels = new float[batch * in.height() * in.width() * in.channels()];
        Random random = new Random(1);
        for (int i = 0; i < pixels.length; i++) {
            pixels[i] = (float) random.nextGaussian();
        }
        return pixels;
    }

    int[] labels() {
        return new Random(2).ints(batch, 0, CLASSES).toArray();
    }

    @Override
    public String toString() {
        return architecture + " k" + kernel + " " + precision.name().toLowerCase(Locale.ROOT) + " threads " + threads;
    }
}
