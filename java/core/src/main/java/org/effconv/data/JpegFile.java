package org.effconv.data;

import static org.effconv.data.DataFiles.invalid;

import java.awt.image.Raster;
import java.nio.ByteBuffer;
import java.nio.charset.StandardCharsets;
import java.util.Arrays;

/**
 * What the segments of a JPEG file say of its pixels.
 *
 * @param plain the file up to its end, without what libjpeg would remark on though the pixels are whole: it tells its
 *     first remark on an image alone, and the next would be damage
 * @param components samples a pixel: 1 grey, 3 colour, 4 inks
 * @param adobeTransform of the Adobe segment: 0 as named, 1 YCbCr, 2 YCCK; {@link #NO_ADOBE} without one
 */
record JpegFile(byte[] plain, Orientation orientation, int components, int adobeTransform) {
    static final int NO_ADOBE = -1;
    private static final int START_OF_IMAGE = 0xd8;
    private static final int END_OF_IMAGE = 0xd9;
    private static final int START_OF_SCAN = 0xda;
    private static final int JFIF_SEGMENT = 0xe0;
    private static final int EXIF_SEGMENT = 0xe1;
    private static final int ADOBE_SEGMENT = 0xee;
    private static final byte[] JFIF = "JFIF\0".getBytes(StandardCharsets.ISO_8859_1);
    private static final byte[] EXIF = "Exif\0\0".getBytes(StandardCharsets.ISO_8859_1);
    private static final byte[] ADOBE = "Adobe".getBytes(StandardCharsets.ISO_8859_1);

    static boolean begins(byte[] file) {
        return file.length >= 3 && marker(file, 0) == START_OF_IMAGE && (file[2] & 0xff) == 0xff;
    }

    /**
     * Reads the segments up to the end of the image, and refuses a file without one. Damage in them is the decoder's to
     * find.
     */
    static JpegFile read(String where, byte[] file) {
        return new Reader(where, file).read();
    }

    /** One pass over a file. What it keeps is collected in {@code plain}. */
    private static final class Reader {
        private final String where;
        private final byte[] file;
        private final byte[] plain;
        private int kept; // bytes of plain
        private int at;
        private Orientation orientation = Orientation.AS_STORED;
        private int components;
        private boolean sequential;
        private int adobe = NO_ADOBE;
        private int adobeAt; // of the transform in plain

        Reader(String where, byte[] file) {
            this.where = where;
            this.file = file;
            this.plain = new byte[file.length];
        }

        JpegFile read() {
            keep(2);
            boolean scanned = false; // whether a scan began, after which bytes between segments are coded data
            while (at + 2 <= file.length) {
                int marker = marker(file, at);
                if (marker <= 0 || marker == 0xff) {
                    if (scanned) {
                        keep(1);
                    } else {
                        at++;
                    }
                } else if (marker == END_OF_IMAGE) {
                    keep(2);
                    return done();
                } else if (isAlone(marker)) {
                    keep(2);
                } else if (at + 4 <= file.length) {
                    scanned |= marker == START_OF_SCAN;
                    segment(marker);
                } else {
                    break;
                }
            }
            throw invalid(where, "is truncated: holds " + file.length + " bytes without the JPEG end marker");
        }

        private void keep(int bytes) {
            System.arraycopy(file, at, plain, kept, bytes);
            kept += bytes;
            at += bytes;
        }

        private void segment(int marker) {
            int data = at + 4;
            int end =
                    Math.max(data, Math.min(file.length, at + 2 + ((file[at + 2] & 0xff) << 8 | file[at + 3] & 0xff)));
            int to = kept + 4; // of the data in plain
            keep(end - at);
            if (marker == EXIF_SEGMENT && starts(file, data, end, EXIF)) {
                orientation = Orientation.ofExif(ByteBuffer.wrap(file, data + EXIF.length, end - data - EXIF.length));
            } else if (marker == ADOBE_SEGMENT && starts(file, data, end, ADOBE) && end - data >= 12) {
                adobe = file[data + 11] & 0xff;
                adobeAt = to + 11;
            } else if (marker == JFIF_SEGMENT && starts(file, data, end, JFIF) && end - data >= 14) {
                plain[to + JFIF.length] = 1; // the revision: others have the same pixels
            } else if (isFrame(marker) && end - data >= 6) {
                components = file[data + 5] & 0xff;
                sequential = marker <= 0xc1;
            } else if (marker == START_OF_SCAN && sequential && end - data >= 4) {
                plain[kept - 3] =
                        0; // the first and last coefficient and their bits, which such a scan has all of, whatever it
                // says
                plain[kept - 2] = 63;
                plain[kept - 1] = 0;
            }
        }

        private JpegFile done() {
            if (adobe > 2) { // what libjpeg takes an unknown one for
                adobe = components == 4 ? 2 : 1;
                plain[adobeAt] = (byte) adobe;
            }
            return new JpegFile(Arrays.copyOf(plain, kept), orientation, components, adobe);
        }
    }

    /** Whether no length and data follow: TEM, RST0 to RST7, SOI. */
    private static boolean isAlone(int marker) {
        return marker == 0x01 || marker >= 0xd0 && marker <= START_OF_IMAGE;
    }

    private static int marker(byte[] file, int at) {
        return (file[at] & 0xff) == 0xff ? file[at + 1] & 0xff : -1;
    }

    private static boolean isFrame(int marker) { // SOF0 to SOF15 but for the tables among them
        return marker >= 0xc0 && marker <= 0xcf && marker != 0xc4 && marker != 0xc8 && marker != 0xcc;
    }

    private static boolean starts(byte[] file, int from, int to, byte[] with) {
        return to - from >= with.length
                && ByteBuffer.wrap(file, from, with.length).equals(ByteBuffer.wrap(with));
    }

    boolean isInks() {
        return components == 4;
    }

    /**
     * Writes the colours of cyan, magenta, yellow and black, each from 0 to 255, as (255 - ink) (255 - black) / 255,
     * rounded. Files with an Adobe segment hold 255 - ink, others the ink. YCCK is the YCbCr of 255 less what a file
     * with that segment holds.
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
                    int light = adobeTransform == NO_ADOBE
                            ? (255 - row[p + c]) * (255 - row[p + 3])
                            : row[p + c] * row[p + 3];
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
