package org.effconv.data;

import java.util.zip.CRC32;

/** Sums over the bytes of an image. */
final class ByteSums {
    private ByteSums() {}

    static int crc32(byte[] bytes, int offset, int length) {
        CRC32 crc = new CRC32();
        crc.update(bytes, offset, length);
        return (int) crc.getValue();
    }

    /**
     * Adds of each channel the sum of its bytes and the sum of their squares.
     *
     * @param length of an image, (H, W, C)
     * @param moments 2 C values, those of a channel side by side
     */
    static void addMoments(byte[] bytes, int offset, int length, long[] moments) {
        int channels = moments.length / 2;
        for (int c = 0; c < channels; c++) {
            long sum = 0;
            long squares = 0;
            for (int p = offset + c; p < offset + length; p += channels) {
                long value = bytes[p] & 0xff;
                sum += value;
                squares += value * value;
            }
            moments[2 * c] += sum;
            moments[2 * c + 1] += squares;
        }
    }
}
