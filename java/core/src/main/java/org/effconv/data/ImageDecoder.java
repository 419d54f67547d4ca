package org.effconv.data;

import static org.effconv.data.DataFiles.invalid;

import java.awt.image.BufferedImage;
import java.awt.image.ComponentColorModel;
import java.awt.image.Raster;
import java.io.ByteArrayInputStream;
import java.io.IOException;
import java.util.ArrayList;
import java.util.List;
import java.util.function.Function;
import javax.imageio.ImageIO;
import javax.imageio.ImageReader;
import javax.imageio.stream.ImageInputStream;
import javax.imageio.stream.MemoryCacheImageInputStream;
import org.effconv.error.EffconvException;

/**
 * Decodes PNG and JPEG images to bytes (H, W, 3). Refuses damaged files. Keeps its readers between images; not safe for
 * two threads at once.
 */
final class ImageDecoder implements AutoCloseable {
    /** How what libjpeg says of damaged pixels begins; its other remarks are about what stands beside them. */
    private static final List<String> DAMAGE = List.of("Corrupt JPEG data", "Inconsistent progression");

    private ImageReader png;
    private ImageReader jpeg;

    /** Sides of an image in pixels. */
    record Header(int height, int width) {}

    /**
     * A file before its pixels are decoded, its bytes as the reader is to have them; {@code jpeg} is null for a PNG.
     */
    private record Source(ImageReader reader, byte[] file, Orientation orientation, JpegFile jpeg) {
        Header stored() throws IOException {
            return new Header(reader.getHeight(0), reader.getWidth(0));
        }
    }

    /** Reads the size, as the image is shown, from the header alone. */
    Header header(String where, byte[] file) {
        return read(where, file, source -> source.orientation().shown(source.stored()));
    }

    /** Where the bytes of an image go. */
    record Slot(byte[] bytes, int offset) {}

    /**
     * An image in its slot.
     *
     * @param grey whether the three channels of each pixel are equal, whatever kind of file it is
     */
    record Decoded(Header size, byte[] bytes, boolean grey) {}

    /**
     * Decodes an image, turned as it is shown; a grey one is written to all three channels.
     *
     * @param target says where an image of that size goes, or refuses it before its pixels are decoded
     */
    Decoded decode(String where, byte[] file, Function<Header, Slot> target) {
        return read(where, file, source -> {
            Header stored = source.stored();
            Header found = source.orientation().shown(stored);
            Slot slot = target.apply(found);
            int bytes = 3 * found.height() * found.width();
            if (source.orientation().equals(Orientation.AS_STORED)) {
                copy(where, source, slot.bytes(), slot.offset());
            } else {
                byte[] unturned = new byte[bytes];
                copy(where, source, unturned, 0);
                source.orientation().turn(unturned, stored, slot.bytes(), slot.offset());
            }
            return new Decoded(found, slot.bytes(), isGrey(slot.bytes(), slot.offset(), bytes));
        });
    }

    private interface Reading<T> {
        T apply(Source source) throws IOException;
    }

    private <T> T read(String where, byte[] file, Reading<T> reading) {
        Source source = source(where, file);
        List<String> remarks = new ArrayList<>();
        try (ImageInputStream in = new MemoryCacheImageInputStream(new ByteArrayInputStream(source.file()))) {
            source.reader().setInput(in, true, true);
            source.reader().addIIOReadWarningListener((from, remark) -> remarks.add(remark));
            T result = reading.apply(source);
            for (String remark : remarks) {
                if (DAMAGE.stream().anyMatch(remark::startsWith)) {
                    throw invalid(
                            where,
                            "is damaged (" + remark + "), expected a whole image; write it again or leave it out");
                }
            }
            return result;
        } catch (IOException | IllegalArgumentException | IndexOutOfBoundsException | NegativeArraySizeException e) {
            // the JDK's readers throw all of these on damaged files
            throw new EffconvException.InvalidInput(where + ": cannot be decoded (" + e.getMessage() + ")", e);
        } finally {
            source.reader().reset();
        }
    }

    // By content, not by name: PNG files named .jpg are common.
    private Source source(String where, byte[] file) {
        if (PngFile.begins(file)) {
            png = png == null ? ImageIO.getImageReadersByFormatName("png").next() : png;
            return new Source(png, file, PngFile.check(where, file), null);
        }
        if (JpegFile.begins(file)) {
            jpeg = jpeg == null ? ImageIO.getImageReadersByFormatName("jpeg").next() : jpeg;
            JpegFile segments = JpegFile.read(where, file);
            return new Source(jpeg, segments.plain(), segments.orientation(), segments);
        }
        throw invalid(where, "is neither a PNG nor a JPEG image by its first bytes");
    }

    private static boolean isGrey(byte[] pixels, int offset, int bytes) {
        for (int i = offset; i < offset + bytes; i += 3) {
            if (pixels[i] != pixels[i + 1] || pixels[i] != pixels[i + 2]) {
                return false;
            }
        }
        return true;
    }

    private static void copy(String where, Source source, byte[] target, int offset) throws IOException {
        if (source.jpeg() != null && source.jpeg().isInks()) { // the JDK's colours of these are not the usual ones
            source.jpeg().copyInks(source.reader().readRaster(0, null), target, offset);
            return;
        }
        BufferedImage image = source.reader().read(0);
        boolean samples = image.getColorModel() instanceof ComponentColorModel
                && (image.getRaster().getNumBands() <= 2
                        || image.getColorModel().getColorSpace().isCS_sRGB());
        if (samples) {
            copySamples(where, image.getRaster(), target, offset);
        } else {
            copyColours(where, image, target, offset);
        }
    }

    // Straight from the raster: getRGB would convert grey through linear light and brighten it. Band order is grey or
    // red, green,
    // blue, then opacity, whatever the memory's.
    private static void copySamples(String where, Raster raster, byte[] target, int offset) {
        int bands = raster.getNumBands();
        int depth = raster.getSampleModel().getSampleSize(0); // 8 or 16: less is a palette to the JDK
        int opaque = (1 << depth) - 1;
        boolean alpha = bands == 2 || bands == 4;
        int green = bands >= 3 ? 1 : 0;
        int[] row = new int[bands * raster.getWidth()];
        int at = offset;
        for (int y = 0; y < raster.getHeight(); y++) {
            raster.getPixels(0, y, raster.getWidth(), 1, row);
            for (int p = 0; p < row.length; p += bands) {
                if (alpha && row[p + bands - 1] != opaque) {
                    throw transparent(where);
                }
                target[at++] = (byte) (row[p] >> depth - 8);
                target[at++] = (byte) (row[p + green] >> depth - 8);
                target[at++] = (byte) (row[p + 2 * green] >> depth - 8);
            }
        }
    }

    private static EffconvException.InvalidInput transparent(String where) {
        return invalid(where, "has transparent pixels, expected an opaque image");
    }

    /** Palettes, to which the JDK also turns grey of less than 8 bits, and colours of other spaces. */
    private static void copyColours(String where, BufferedImage image, byte[] target, int offset) {
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
