package org.effconv.benchmark;

/**
 * Lower bound of a case's time on a device of given rates, in seconds.
 *
 * @param memory every operand moved once
 * @param math the arithmetic on the unit that {@code bound} names unless memory binds
 * @param ffma the same arithmetic as fp32 products alone
 * @param bound what sets the floor: memory, tensor, ffma, toeplitz
 */
public record Floor(double memory, double math, double ffma, String bound) {
    public double seconds() {
        return Math.max(memory, math);
    }
}
