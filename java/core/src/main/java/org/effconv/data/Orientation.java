package org.effconv.data;

import java.nio.ByteBuffer;
import java.nio.ByteOrder;

/**
 * Which way up an image is shown: the orientation of its EXIF block (CIPA DC-008, tag 0x0112), 1 to 8.
 *
 * @param value 1: as stored; 2 to 4: mirrored left to right, turned by 180 degrees, mirrored top to bottom; 5 to 8:
 *     those four with rows and columns exchanged
 */
record Orientation(int value) {
    static final Orientation AS_STORED = new Orientation(1);
    private static final int TAG = 0x0112;
    private static final int ENTRY_BYTES = 12;

    /**
     * Reads the tag of the first directory of an EXIF block, that is, of a TIFF header and what follows. Cameras also
     * write values that mean nothing, and blocks that other programs cut: those say nothing about the pixels, which
     * stay as stored.
     */
    static Orientation ofExif(ByteBuffer block) {
        ByteBuffer tiff = block.slice();
        if (tiff.remaining() < 8) {
            return AS_STORED;
        }
        tiff.order(tiff.getShort(0) == 0x4949 ? ByteOrder.LITTLE_ENDIAN : ByteOrder.BIG_ENDIAN);
        long directory = Integer.toUnsignedLong(tiff.getInt(4));
        if (tiff.getShort(2) != 42 || directory > tiff.limit() - 2) {
            return AS_STORED;
        }
        int first = (int) directory + 2;
        int entries = Math.min(tiff.getShort(first - 2) & 0xffff, (tiff.limit() - first) / ENTRY_BYTES);
        for (int at = first; at < first + entries * ENTRY_BYTES; at += ENTRY_BYTES) {
            if ((tiff.getShort(at) & 0xffff) == TAG) {
                int value = tiff.getShort(at + 8) & 0xffff;
                return value >= 1 && value <= 8 ? new Orientation(value) : AS_STORED;
            }
        }
        return AS_STORED;
    }

    /** Sides of the image as it is shown. */
    ImageDecoder.Header shown(ImageDecoder.Header stored) {
        return value >= 5
                ? new ImageDecoder.Header(/* height= */ stored.width(), /* width= */ stored.height())
                : stored;
    }

    /**
     * Copies pixels of 3 bytes from {@code stored}, (H, W, 3), to {@code target} from byte {@code offset} on, as they
     * are shown.
     */
    void turn(byte[] stored, ImageDecoder.Header size, byte[] target, int offset) {
        boolean exchanged = value >= 5;
        boolean fromBottom = value == 3 || value == 4 || value == 6 || value == 7;
        boolean fromRight = value == 2 || value == 3 || value == 7 || value == 8;
        ImageDecoder.Header shown = shown(size);
        int at = offset;
        for (int y = 0; y < shown.height(); y++) {
            for (int x = 0; x < shown.width(); x++) {
                int row = exchanged ? x : y;
                int column = exchanged ? y : x;
                row = fromBottom ? size.height() - 1 - row : row;
                column = fromRight ? size.width() - 1 - column : column;
                System.arraycopy(stored, 3 * (row * size.width() + column), target, at, 3);
                at += 3;
            }
        }
    }
}
