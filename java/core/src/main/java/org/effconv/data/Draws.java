package org.effconv.data;

import java.util.SplittableRandom;

/**
 * The package's random numbers. The generator is the 64-bit output of {@link SplittableRandom} (SplitMix64: Steele, Lea
 * and Flood, "Fast splittable pseudorandom number generators", OOPSLA 2014), the same on every JDK from 17 on. Only
 * {@code nextLong()} of it is used: how the JDK makes bounded integers or doubles of it is free to change between
 * versions, so that is done here.
 */
final class Draws {
    // what a stream is for; streams of one seed with different purposes are unrelated
    static final long ORDER = 1;
    static final long AUGMENTATION = 2;
    static final long VALIDATION = 3;
    static final long PLANTED = 4;
    static final long HELD_OUT = 5;

    private Draws() {}

    /** The stream named by a seed and keys: every other name gives an unrelated stream. */
    static SplittableRandom stream(long seed, long... keys) {
        // Neighbouring SplitMix64 seeds are fine, but seeds apart by its increment give shifted copies of one sequence:
        // so a name is hashed, never added up.
        long name = new SplittableRandom(seed).nextLong();
        for (long key : keys) {
            name = new SplittableRandom(name ^ key).nextLong();
        }
        return new SplittableRandom(name);
    }

    /** Uniform in 0..bound-1 by multiplication; the bias is below bound / 2^63. */
    static int below(SplittableRandom random, int bound) {
        return (int) Math.multiplyHigh(random.nextLong() >>> 1, (long) bound << 1);
    }

    /** Fisher-Yates: every order is equally likely. */
    static void shuffle(int[] values, SplittableRandom random) {
        for (int i = values.length - 1; i > 0; i--) {
            int j = below(random, i + 1);
            int kept = values[i];
            values[i] = values[j];
            values[j] = kept;
        }
    }
}
