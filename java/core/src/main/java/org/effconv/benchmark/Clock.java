package org.effconv.benchmark;

import java.lang.management.ManagementFactory;

/** What counts as time. */
public enum Clock {
    /** Wall-clock time. */
    WALL {
        @Override
        public long nanoseconds() {
            return System.nanoTime();
        }
    },
    /** Processor time of the calling thread: comparisons of one thread on a machine that others use too. */
    THREAD {
        @Override
        public long nanoseconds() {
            return ManagementFactory.getThreadMXBean().getCurrentThreadCpuTime();
        }
    };

    /** Since some moment that stays the same. */
    public abstract long nanoseconds();

    /** Seconds of one run, the mean of {@code repeats} runs that follow each other. */
    public double seconds(Runnable run, int repeats) {
        long start = nanoseconds();
        for (int i = 0; i < repeats; i++) {
            run.run();
        }
        return (nanoseconds() - start) * 1e-9 / repeats;
    }
}
