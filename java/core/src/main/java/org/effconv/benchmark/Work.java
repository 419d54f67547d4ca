package org.effconv.benchmark;

/**
 * What a case has to do, counted from its shape alone.
 *
 * @param flops two per product, all taps
 * @param validFlops without taps that lie outside the image
 * @param toeplitzFlops depthwise on tensor units: with the zeros of its bands; 0 elsewhere
 * @param bytes every operand once
 */
public record Work(double flops, double validFlops, double toeplitzFlops, double bytes) {}
