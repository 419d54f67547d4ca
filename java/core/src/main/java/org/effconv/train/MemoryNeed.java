package org.effconv.train;

import java.util.Locale;
import org.effconv.backend.Compute;
import org.effconv.data.Dataset;
import org.effconv.data.Images;
import org.effconv.error.EffconvException.InvalidInput;
import org.effconv.nn.NetworkPlan;
import org.effconv.tensor.Allocator;

/**
 * What a job takes of memory at least, so that one which cannot work is refused before it begins. A lower bound:
 * nothing that works is refused, and what is not refused may still run out of memory.
 */
public final class MemoryNeed {
    private static final String WAY_OUT = "; expected a smaller network or a smaller --batch";
    private static final double MEGA = 1e6;

    private MemoryNeed() {}

    /**
     * Checks a training or a search.
     *
     * @param options of its training: batch and optimiser
     * @param trained values of all parameters that it trains
     * @param checkpoints whether it writes any
     * @throws InvalidInput if the device or the Java heap has less memory than it takes
     */
    public static void ofTraining(
            Compute compute,
            NetworkPlan plan,
            Dataset data,
            TrainingOptions options,
            long trained,
            boolean checkpoints) {
        double each = compute.parameterType().bytes();
        double kept = trained * each * (1 + options.optimizer().rule().moments());
        int batch = Math.min(options.batch(), data.train().count());
        // The last gradients are there when the values that the first ones took are not any more.
        double step = Math.max(
                trained * each, batch * plan.values() * compute.activationType().bytes());
        requireRoom(compute, plan, kept + step, "to train " + plan + " with batches of " + batch + " images");
        if (checkpoints) {
            requireHeap(plan, kept + images(data));
        }
    }

    /**
     * Checks passes over batches of images.
     *
     * @param training whether they go backward, too
     * @throws InvalidInput if the device has less memory than they take
     */
    public static void ofPasses(Compute compute, NetworkPlan plan, int batch, boolean training) {
        NetworkPlan.Input in = plan.input();
        double values = training ? plan.values() : (double) in.height() * in.width() * in.channels();
        double bytes = batch * values * compute.activationType().bytes()
                + (double) plan.leastParameters() * compute.parameterType().bytes();
        requireRoom(compute, plan, bytes, "for " + plan + " on batches of " + batch + " images");
    }

    private static double images(Dataset data) {
        double bytes = bytes(data.train()) + bytes(data.test());
        return bytes + data.validation().map(MemoryNeed::bytes).orElse(0.0);
    }

    private static double bytes(Images part) {
        return part.heapBytes();
    }

    private static void requireRoom(Compute compute, NetworkPlan plan, double bytes, String what) {
        Allocator memory = compute.backend().memory();
        long room = memory.room();
        if (bytes > room) {
            throw new InvalidInput(String.format(
                    Locale.ROOT,
                    "%s: device %s has %,.1f MB of memory left, and at least %,.1f MB are needed %s%s",
                    plan.architecture().name(),
                    compute.name(),
                    room / MEGA,
                    bytes / MEGA,
                    what,
                    WAY_OUT + (memory.limit() < Long.MAX_VALUE ? ", or a larger --gpu-memory" : "")));
        }
    }

    // A checkpoint is put together on the host, beside the images.
    private static void requireHeap(NetworkPlan plan, double bytes) {
        long most = Runtime.getRuntime().maxMemory();
        if (bytes > most) {
            throw new InvalidInput(String.format(
                    Locale.ROOT,
                    "%s: the images and a checkpoint of %s take at least %,.1f MB of Java heap, which may grow to %,.1f MB; expected java -Xmx%dm or more "
                            + "(EFFCONV_JAVA_OPTS=-Xmx%dm), or a smaller network",
                    plan.architecture().name(),
                    plan,
                    bytes / MEGA,
                    most / MEGA,
                    enough(bytes),
                    enough(bytes)));
        }
    }

    // Room to copy the largest tensor, and for the rest of the program.
    private static long enough(double bytes) {
        return (long) Math.ceil(1.5 * bytes / (1 << 20)) + 256;
    }
}
