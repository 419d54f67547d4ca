package org.effconv.exports;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertTrue;

/**
 * What the network and another program say of the same images.
 *
 * @param own [image][class]
 * @param theirs one image after the other
 */
record Logits(float[][] own, float[] theirs) {
    /** Differences allowed, of the largest logit: others sum in other orders. */
    static final double WITHIN = 1e-5;

    Logits {
        assertEquals(own.length * own[0].length, theirs.length);
    }

    double largest() {
        double largest = 0;
        for (float[] row : own) {
            for (float value : row) {
                largest = Math.max(largest, Math.abs(value));
            }
        }
        return largest;
    }

    double largestDifference() {
        double largest = 0;
        for (int i = 0; i < theirs.length; i++) {
            double difference = Math.abs(theirs[i] - own[i / own[0].length][i % own[0].length]);
            largest = difference <= largest ? largest : difference; // a NaN is the largest
        }
        return largest;
    }

    /** Images that both take for the same class. */
    int sameClass() {
        int same = 0;
        int classes = own[0].length;
        for (int i = 0; i < own.length; i++) {
            same += best(own[i], 0, classes) == best(theirs, i * classes, classes) ? 1 : 0;
        }
        return same;
    }

    private static int best(float[] values, int from, int count) {
        int best = 0;
        for (int k = 1; k < count; k++) {
            best = values[from + k] > values[from + best] ? k : best;
        }
        return best;
    }

    void requireEqual(String what) {
        double largest = largest();
        assertTrue(largest > 1e-3, what + ": logits of at most " + largest + " say nothing");
        double difference = largestDifference();
        assertTrue(
                difference <= WITHIN * largest, what + ": differ by " + difference + " with logits up to " + largest);
    }
}
