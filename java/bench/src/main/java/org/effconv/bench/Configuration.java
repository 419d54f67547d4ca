package org.effconv.bench;

import java.util.Locale;
import java.util.Random;
import org.effconv.benchmark.StepCase;
import org.effconv.nn.NetworkPlan;
import org.effconv.tensor.DataType;

/** A {@link StepCase} of a plain step on so many threads, with the batch that both sides are given. */
record Configuration(String architecture, int kernel, DataType precision, int threads, int batch) {
    NetworkPlan plan() {
        return new StepCase(architecture, kernel, false, batch, precision).plan();
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
        return new Random(2).ints(batch, 0, plan().input().classes()).toArray();
    }

    @Override
    public String toString() {
        return architecture + " k" + kernel + " " + precision.name().toLowerCase(Locale.ROOT) + " threads " + threads;
    }
}
