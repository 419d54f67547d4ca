package org.effconv.benchmark;

/**
 * How long a case is measured.
 *
 * @param repeats timed runs, unless time runs out
 * @param seconds after which no further run begins once there are {@link #LEAST}
 * @param coldCache whether caches are overwritten before each run
 */
public record Sampling(int repeats, double seconds, boolean coldCache) {
    static final int LEAST = 3;
    static final int WARM_UP = 3;
}
