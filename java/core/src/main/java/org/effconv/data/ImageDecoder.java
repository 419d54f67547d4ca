package org.effconv.data;

import static org.effconv.data.DataFiles.invalid;

import java.awt.image.BufferedImage;
import java.awt.image.DataBuffer;
import java.awt.image.IndexColorModel;
import java.awt.image.Raster;
import java.io.ByteArrayInputStream;
import java.io.IOException;
import java.util.Arrays;
import javax.imageio.ImageIO;
import javax.imageio.ImageReader;
import javax.imageio.stream.ImageInputStream;
import javax.imageio.stream.MemoryCacheImageInputStream;
import org.effconv.EffconvException;

/** Decodes PNG and JPEG images to bytes (H, W, 3). Keeps its readers between images; not safe for two threads at once. */
final class ImageDecoder implements AutoCloseable {
    private static final int START_OF_SCAN = 0xda;
    private static final int END_OF_IMAGE = 0xd9;

    private ImageReader png;
    private ImageReader jpeg;

    /** Sides of an image in pixels. */
    record Header(int height, int width) {}

    /** Reads the size from the header alone. */
    Header header(String where, byte[] file) {
        return read(where, file, ImageDecoder::headerOf);
    }

    /**
     * Decodes an image of a known size into {@code target} from {@code offset} on; a grey one is written to all three
     * channels.
     *
     * @param expectation why the size must be that, for the message
     * @return whether the image is of a grey kind
     */
    boolean decode(String where, byte[] file, Header expected, String expectation, byte[] target, int offset) {
        return read(where, file, reader -> {
            Header found = headerOf(reader);
            if (!found.equals(expected)) {
                throw invalid(where, "image size " + found.height() + "x" + found.width() + ", expected "
                        + expected.height() + "x" + expected.width() + " " + expectation);
            }
            return copy(where, reader.read(0), target, offset);
        });
    }

    private interface Reading<T> {
        T apply(ImageReader reader) throws IOException;
    }

    private <T> T read(String where, byte[] file, Reading<T> reading) {
        ImageReader reader = readerFor(where, file);
        try (ImageInputStream in = new MemoryCacheImageInputStream(new ByteArrayInputStream(file))) {
            reader.setInput(in, true, true);
            return reading.apply(reader);
        } catch (IOException | IllegalArgumentException | IndexOutOfBoundsException | NegativeArraySizeException e) {
            // the JDK's readers throw all of these on damaged files
            throw new EffconvException.InvalidInput(where + ": cannot be decoded (" + e.getMessage() + ")", e);
        } finally {
            reader.reset();
        }
    }

    private static Header headerOf(ImageReader reader) throws IOException {
        return new Header(reader.getHeight(0), reader.getWidth(0));
    }

    // By content, not by name: PNG files named .jpg are common.
    private ImageReader readerFor(String where, byte[] file) {
        if (file.length >= 4 && (file[0] & 0xff) == 0x89 && file[1] == 'P' && file[2] == 'N' && file[3] == 'G') {
            png = png == null ? ImageIO.getImageReadersByFormatName("png").next() : png;
            return png;
        }
        if (file.length >= 3 && (file[0] & 0xff) == 0xff && (file[1] & 0xff) == 0xd8 && (file[2] & 0xff) == 0xff) {
            if (lastMarker(file, END_OF_IMAGE) < lastMarker(file, START_OF_SCAN)) {
                throw invalid(where, "is truncated: holds " + file.length + " bytes without the JPEG end marker");
            }
            jpeg = jpeg == null ? ImageIO.getImageReadersByFormatName("jpeg").next() : jpeg;
            return jpeg;
        }
        throw invalid(where, "is neither a PNG nor a JPEG image by its first bytes");
    }

    // The JDK's reader invents what is missing of a truncated JPEG. The coded data of a scan hold no other marker, so after
    // the last scan an end marker follows if the file is whole; a thumbnail's end marker stands before it.
    private static int lastMarker(byte[] file, int marker) {
        for (int i = file.length - 2; i >= 0; i--) {
            if ((file[i] & 0xff) == 0xff && (file[i + 1] & 0xff) == marker) {
                return i;
            }
        }
        return -1;
    }

    private static boolean copy(String where, BufferedImage image, byte[] target, int offset) {
        Raster raster = image.getRaster();
        boolean alpha = raster.getNumBands() == 2; // grey, which no other images of two bands are
        boolean grey = (raster.getNumBands() == 1 || alpha) && !(image.getColorModel() instanceof IndexColorModel);
        if (grey) {
            if (alpha) {
                requireOpaque(where, raster);
            }
            copyGrey(raster, target, offset);
        } else if (image.getType() == BufferedImage.TYPE_3BYTE_BGR) {
            copyColour(raster, target, offset);
        } else {
            copyAny(where, image, target, offset);
        }
        return grey;
    }

    private static void requireOpaque(String where, Raster raster) {
        int opaque = (1 << raster.getSampleModel().getSampleSize(1)) - 1;
        int[] row = new int[raster.getWidth()];
        for (int y = 0; y < raster.getHeight(); y++) {
            raster.getSamples(0, y, row.length, 1, 1, row);
            if (Arrays.stream(row).anyMatch(value -> value != opaque)) {
                throw transparent(where);
            }
        }
    }

    private static EffconvException.InvalidInput transparent(String where) {
        return invalid(where, "has transparent pixels, expected an opaque image");
    }

    // Straight from the raster: getRGB would convert grey through linear light and brighten it.
    private static void copyGrey(Raster raster, byte[] target, int offset) {
        int shift = raster.getDataBuffer().getDataType() == DataBuffer.TYPE_USHORT ? 8 : 0;
        int depth = raster.getSampleModel().getSampleSize(0);
        int[] row = new int[raster.getWidth()];
        int at = offset;
        for (int y = 0; y < raster.getHeight(); y++) {
            raster.getSamples(0, y, row.length, 1, 0, row);
            for (int value : row) {
                byte v = (byte) (depth < 8 ? value * 255 / ((1 << depth) - 1) : value >> shift);
                target[at++] = v;
                target[at++] = v;
                target[at++] = v;
            }
        }
    }

    private static void copyColour(Raster raster, byte[] target, int offset) {
        int[] row = new int[3 * raster.getWidth()];
        int at = offset;
        for (int y = 0; y < raster.getHeight(); y++) {
            raster.getPixels(0, y, raster.getWidth(), 1, row); // band order is red, green, blue whatever the memory's
            for (int value : row) {
                target[at++] = (byte) value;
            }
        }
    }

    private static void copyAny(String where, BufferedImage image, byte[] target, int offset) {
        int[] row = new int[image.getWidth()];
        int at = offset;
        for (int y = 0; y < image.getHeight(); y++) {
            image.getRGB(0, y, row.length, 1, row, 0, row.length);
            for (int argb : row) {
                if (argb >>> 24 != 255) {
                    throw transparent(where);
                }
                target[at++] = (byte) (argb >> 16);
                target[at++] = (byte) (argb >> 8);
                target[at++] = (byte) argb;
            }
        }
    }

    @Override
    public void close() {
        for (ImageReader reader : new ImageReader[] {png, jpeg}) {
            if (reader != null) {
                reader.dispose();
            }
        }
    }
}
