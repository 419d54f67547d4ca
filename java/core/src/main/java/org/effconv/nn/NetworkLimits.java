package org.effconv.nn;

import java.util.Locale;

/**
 * How large a network may be. Each limit is checked on what is written or inferred, before anything is unrolled or
 * memory is taken, and all sums and products of sizes within these limits fit into 64 bits. docs/architectures.md lists
 * them.
 */
final class NetworkLimits {
    /** Largest kernel that the convolutions of every backend take. */
    static final int KERNEL = 33;

    /** Channels of a convolution, or outputs of a linear layer. */
    static final int CHANNELS = 65_536;

    /** Layers, once repetitions are unrolled. */
    static final int LAYERS = 10_000;

    /** Repetitions and residual blocks in one another. */
    static final int NESTING = 32;

    /** Characters of a name. */
    static final int NAME = 64;

    /** Bytes of an architecture's file. */
    static final int FILE = 16 << 20;

    /** Pixels a side of the images. */
    static final int EXTENT = 4096;

    /** Values of one parameter: files and the host hold its bytes in one array. */
    static final long WEIGHTS = 500_000_000;

    /** Values that a layer gives for one image. */
    static final long VALUES = 2_000_000_000;

    /** Of the network. */
    static final long PARAMETERS = 10_000_000_000L;

    /** Of the network, for one image. */
    static final long MULTIPLY_ADDS = 10_000_000_000_000L;

    private NetworkLimits() {}

    /** "1,234,567". */
    static String number(long n) {
        return String.format(Locale.ROOT, "%,d", n);
    }
}
