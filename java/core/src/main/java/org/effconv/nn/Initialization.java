package org.effconv.nn;

import java.util.SplittableRandom;

/** Start values, drawn per parameter name: the order in which parameters are made does not matter. */
public final class Initialization {
    private Initialization() {}

    /** Standard deviation that keeps the variance through a layer with ReLU: sqrt(2 / fanIn) (He et al. 2015). */
    public static double kaiming(int fanIn) {
        return Math.sqrt(2.0 / fanIn);
    }

    /** Independent normal values of mean 0; equal on every machine for equal seed and name. */
    public static float[] normal(long seed, String name, int count, double deviation) {
        SplittableRandom random = new SplittableRandom(mix(seed) ^ hash(name));
        float[] values = new float[count];
        for (int i = 0; i < count; i += 2) { // Box-Muller
            double radius = StrictMath.sqrt(-2 * StrictMath.log(1 - random.nextDouble())) * deviation;
            double angle = 2 * StrictMath.PI * random.nextDouble();
            values[i] = (float) (radius * StrictMath.cos(angle));
            if (i + 1 < count) {
                values[i + 1] = (float) (radius * StrictMath.sin(angle));
            }
        }
        return values;
    }

    /** A seed that differs for every pair. */
    static long seed(long base, long index) {
        return mix(base + 0x9e3779b97f4a7c15L * (index + 1));
    }

    private static long hash(String name) { // FNV-1a
        long h = 0xcbf29ce484222325L;
        for (int i = 0; i < name.length(); i++) {
            h = (h ^ name.charAt(i)) * 0x100000001b3L;
        }
        return h;
    }

    private static long mix(long z) { // finaliser of SplitMix64
        z = (z ^ (z >>> 30)) * 0xbf58476d1ce4e5b9L;
        z = (z ^ (z >>> 27)) * 0x94d049bb133111ebL;
        return z ^ (z >>> 31);
    }
}
