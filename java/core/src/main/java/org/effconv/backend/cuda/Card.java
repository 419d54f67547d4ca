package org.effconv.backend.cuda;

import java.util.Locale;

/**
 * One NVIDIA GPU, as its driver describes it.
 *
 * @param ordinal counted from 0 as the driver counts
 * @param name "NVIDIA H200"
 * @param capability compute capability times ten: 90 for sm_90
 * @param memory bytes of device memory, used or free
 */
public record Card(int ordinal, String name, int capability, long memory) {
    @Override
    public String toString() {
        return String.format(
                Locale.ROOT,
                "%s, compute capability %d.%d, %s",
                name,
                capability / 10,
                capability % 10,
                Bytes.text(memory));
    }
}
