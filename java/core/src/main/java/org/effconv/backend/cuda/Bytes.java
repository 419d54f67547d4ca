package org.effconv.backend.cuda;

import java.util.Locale;

/** Sizes of memory for people. */
final class Bytes {
    private static final double GIB = 1L << 30;
    private static final double MIB = 1L << 20;

    private Bytes() {}

    static String text(long bytes) {
        return bytes >= GIB
                ? String.format(Locale.ROOT, "%.1f GiB", bytes / GIB)
                : String.format(Locale.ROOT, "%.0f MiB", bytes / MIB);
    }
}
