package org.effconv.data;

import static org.effconv.data.DataFiles.invalid;

import java.awt.image.Raster;
import java.nio.ByteBuffer;
import java.nio.charset.StandardCharsets;

/**
 * What the segments of a JPEG file say of its pixels.
 *
 * @param components samples a pixel: 1 grey, 3 colour, 4 inks
 * @param adobeTransform of the Adobe segment: 0 as named, 1 YCbCr, 2 YCCK; {@link #NO_ADOBE} without one
 */
record JpegFile(Orientation orientation, int components, int adobeTransform) {
    static final int NO_ADOBE = -1;
    private static final int START_OF_IMAGE = 0xd8;
    private static final int END_OF_IMAGE = 0xd9;
    private static final int START_OF_SCAN = 0xda;
    private static final int EXIF_SEGMENT = 0xe1;
    private static final int ADOBE_SEGMENT = 0xee;
    private static final byte[] EXIF = "Exif\0\0".getBytes(StandardCharsets.ISO_8859_1);
    private static final byte[] ADOBE = "Adobe".getBytes(StandardCharsets.ISO_8859_1);

    static boolean begins(byte[] file) {
        return file.length >= 3 && marker(file, 0) == START_OF_IMAGE && (file[2] & 0xff) == 0xff;
    }

    /** Reads the segments before the first scan, and refuses a file without an end. Damage in them is the decoder's to find. */
    static JpegFile read(String where, byte[] file) {
        if (last(file, END_OF_IMAGE) < last(file, START_OF_SCAN)) {
            throw invalid(where, "is truncated: holds " + file.length + " bytes without the JPEG end marker");
        }
        Orientation orientation = Orientation.AS_STORED;
        int components = 0;
        int adobe = NO_ADOBE;
        int at = 2;
        while (at + 4 <= file.length && marker(file, at) != START_OF_SCAN) {
            int marker = marker(file, at);
            if (marker < 0 || marker == 0xff) { // between segments stand only bytes that fill
                at++;
                continue;
            }
            int data = at + 4;
            int end = Math.min(file.length, at + 2 + ((file[at + 2] & 0xff) << 8 | file[at + 3] & 0xff));
            if (marker == EXIF_SEGMENT && starts(file, data, end, EXIF)) {
                orientation = Orientation.ofExif(ByteBuffer.wrap(file, data + EXIF.length, end - data - EXIF.length));
            } else if (marker == ADOBE_SEGMENT && starts(file, data, end, ADOBE) && end - data >= 12) {
                adobe = file[data + 11] & 0xff;
            } else if (isFrame(marker) && end - data >= 6) {
                components = file[data + 5] & 0xff;
            }
            at = Math.max(end, data);
        }
        return new JpegFile(orientation, components, adobe);
    }

    // The JDK's reader invents what is missing of a truncated JPEG. The coded data of a scan hold no other marker, so after
    // the last scan an end marker follows if the file is whole; a thumbnail's end marker stands before it.
    private static int last(byte[] file, int marker) {
        for (int i = file.length - 2; i >= 0; i--) {
            if (marker(file, i) == marker) {
                return i;
            }
        }
        return -1;
    }

    private static int marker(byte[] file, int at) {
        return (file[at] & 0xff) == 0xff ? file[at + 1] & 0xff : -1;
    }

    private static boolean isFrame(int marker) { // SOF0 to SOF15 but for the tables among them
        return marker >= 0xc0 && marker <= 0xcf && marker != 0xc4 && marker != 0xc8 && marker != 0xcc;
    }

    private static boolean starts(byte[] file, int from, int to, byte[] with) {
        return to - from >= with.length && ByteBuffer.wrap(file, from, with.length).equals(ByteBuffer.wrap(with));
    }

    boolean isInks() {
        return components == 4;
    }

    /**
     * Writes the colours of cyan, magenta, yellow and black, each from 0 to 255, as (255 - ink) (255 - black) / 255, rounded. Files
     * with an Adobe segment hold 255 - ink, others the ink. YCCK is the YCbCr of 255 less what a file with that segment holds.
     */
    void copyInks(Raster raster, byte[] target, int offset) {
        int[] row = new int[4 * raster.getWidth()];
        int at = offset;
        for (int y = 0; y < raster.getHeight(); y++) {
            raster.getPixels(0, y, raster.getWidth(), 1, row);
            for (int p = 0; p < row.length; p += 4) {
                if (adobeTransform == 2) {
                    fromYcc(row, p);
                }
                for (int c = 0; c < 3; c++) {
                    int light = adobeTransform == NO_ADOBE ? (255 - row[p + c]) * (255 - row[p + 3]) : row[p + c] * row[p + 3];
                    target[at++] = (byte) ((light + 127) / 255);
                }
            }
        }
    }

    /** JFIF's conversion from YCbCr, and 255 less each colour. */
    private static void fromYcc(int[] row, int p) {
        double luma = row[p];
        double blue = row[p + 1] - 128;
        double red = row[p + 2] - 128;
        row[p] = 255 - level(luma + 1.402 * red);
        row[p + 1] = 255 - level(luma - 0.344136 * blue - 0.714136 * red);
        row[p + 2] = 255 - level(luma + 1.772 * blue);
    }

    private static int level(double value) {
        return (int) Math.max(0, Math.min(255, Math.round(value)));
    }
}
