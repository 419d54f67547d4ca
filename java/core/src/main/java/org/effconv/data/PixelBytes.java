package org.effconv.data;

import java.util.zip.CRC32;

/** What is computed of the bytes of images. */
final class PixelBytes {
    private PixelBytes() {}

    /** Of colour pixels the first channel alone. */
    static byte[] firstOfThree(byte[] colour) {
        byte[] one = DataFiles.array("images", colour.length / 3);
        for (int i = 0; i < one.length; i++) {
            one[i] = colour[3 * i];
        }
        return one;
    }

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
