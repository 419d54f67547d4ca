package org.effconv.train;

import org.effconv.data.Dataset;

/** Mean and standard deviation per channel, of pixel values in 0..1. */
public record Normalisation(float[] mean, float[] std) {
    public static Normalisation of(Dataset data) {
        return new Normalisation(data.mean(), data.std());
    }
}
