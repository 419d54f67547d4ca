package org.effconv.benchmark;

/**
 * Rates of a device, from which floors follow. The tensor rate is that of products in bf16, wherever a device makes
 * them.
 *
 * @param tensorFlops bf16 products with fp32 sums, flop/s; NaN where a device has none
 * @param fp32Flops fp32 products, flop/s
 * @param bytes memory, byte/s
 * @param measured false: assumed
 */
public record Rates(double tensorFlops, double fp32Flops, double bytes, boolean measured) {
    /**
     * Bf16 and memory as others measured them on H200 cards with library kernels, fp32 at 90 % of the data sheet: the
     * assumptions of the kernel library's own benchmark (cuda/bench/cases.h).
     */
    public static Rates assumed() {
        return new Rates(788e12, 60e12, 4.3e12, false);
    }
}
