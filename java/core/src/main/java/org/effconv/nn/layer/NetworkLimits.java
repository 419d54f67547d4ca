package org.effconv.nn.layer;

import java.util.Locale;

/**
 * How large a network may be. Each limit is checked on what is written or inferred, before anything is unrolled or
 * memory is taken, and all sums and products of sizes within these limits fit into 64 bits.
 * docs/reference/architectures.md lists them.
 */
public final class NetworkLimits {
    /** Largest kernel that the convolutions of every backend take. */
    public static final int KERNEL = 33;

    /** Channels of a convolution, or outputs of a linear layer. */
    public static final int CHANNELS = 65_536;

    /** Layers, once repetitions are unrolled. */
    public static final int LAYERS = 10_000;

    /** Repetitions and residual blocks in one another. */
    public static final int NESTING = 32;

    /** Characters of a name. */
    public static final int NAME = 64;

    /** Bytes of an architecture's file. */
    public static final int FILE = 16 << 20;

    /** Pixels a side of the images. */
    public static final int EXTENT = 4096;

    /** Values of one parameter: files and the host hold its bytes in one array. */
    public static final long WEIGHTS = 500_000_000;

    /** Values that a layer gives for one image. */
    public static final long VALUES = 2_000_000_000;

    /** Of the network. */
    public static final long PARAMETERS = 10_000_000_000L;

    /** Of the network, for one image. */
    public static final long MULTIPLY_ADDS = 10_000_000_000_000L;

    private NetworkLimits() {}

    /** "1,234,567". */
    public static String number(long n) {
        return String.format(Locale.ROOT, "%,d", n);
    }
}
