package org.effconv.data;

import static org.junit.jupiter.api.Assertions.assertThrows;

import ch.qos.logback.classic.Level;
import ch.qos.logback.classic.Logger;
import ch.qos.logback.classic.spi.ILoggingEvent;
import ch.qos.logback.core.read.ListAppender;
import java.awt.image.BufferedImage;
import java.awt.image.DataBuffer;
import java.awt.image.Raster;
import java.awt.image.WritableRaster;
import java.io.ByteArrayOutputStream;
import java.io.IOException;
import java.io.OutputStream;
import java.io.UncheckedIOException;
import java.nio.ByteBuffer;
import java.nio.ByteOrder;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.List;
import java.util.Map;
import java.util.function.BiFunction;
import java.util.zip.CRC32;
import java.util.zip.GZIPOutputStream;
import java.util.zip.ZipEntry;
import java.util.zip.ZipOutputStream;
import javax.imageio.IIOImage;
import javax.imageio.ImageIO;
import javax.imageio.ImageWriteParam;
import javax.imageio.ImageWriter;
import javax.imageio.stream.ImageOutputStream;
import org.effconv.error.EffconvException;
import org.junit.jupiter.api.function.Executable;
import org.slf4j.LoggerFactory;

/** Small files in the published formats, and the one assertion on what is said about bad ones. */
final class TestFiles {
    private TestFiles() {}

    static String rejection(Executable action) {
        return assertThrows(EffconvException.InvalidInput.class, action).getMessage();
    }

    static String rejection(Path folder) {
        return rejection(() -> Datasets.open(folder.toString()));
    }

    /** Magic number and dimensions, big-endian, then the content. */
    static byte[] idx(int magic, int[] dims, byte[] content) {
        ByteBuffer file =
                ByteBuffer.allocate(4 + 4 * dims.length + content.length).putInt(magic);
        for (int dim : dims) {
            file.putInt(dim);
        }
        return file.put(content).array();
    }

    static byte[] idxLabels(int... labels) {
        byte[] content = new byte[labels.length];
        for (int i = 0; i < labels.length; i++) {
            content[i] = (byte) labels[i];
        }
        return idx(0x801, new int[] {labels.length}, content);
    }

    /** Images of 2 x 3 pixels whose bytes count up from {@code first}. */
    static byte[] idxImages(int count, int first) {
        return idx(0x803, new int[] {count, 2, 3}, counting(count * 6, first));
    }

    static byte[] counting(int length, int first) {
        byte[] bytes = new byte[length];
        for (int i = 0; i < length; i++) {
            bytes[i] = (byte) (first + i);
        }
        return bytes;
    }

    /** Four training images of classes 1 0 1 0 and two test images of classes 0 1. */
    static Path idxFolder(Path folder) {
        write(folder.resolve("train-images-idx3-ubyte"), idxImages(4, 0));
        write(folder.resolve("train-labels-idx1-ubyte"), idxLabels(1, 0, 1, 0));
        write(folder.resolve("t10k-images-idx3-ubyte"), idxImages(2, 100));
        write(folder.resolve("t10k-labels-idx1-ubyte"), idxLabels(0, 1));
        return folder;
    }

    static void write(Path file, byte[] content) {
        try {
            Files.createDirectories(file.getParent());
            Files.write(file, content);
        } catch (IOException e) {
            throw new UncheckedIOException(e);
        }
    }

    static void delete(Path file) {
        try {
            Files.delete(file);
        } catch (IOException e) {
            throw new UncheckedIOException(e);
        }
    }

    static byte[] gzip(byte[] content) {
        return collect(bytes -> {
            try (OutputStream out = new GZIPOutputStream(bytes)) {
                out.write(content);
            }
        });
    }

    static byte[] zip(Map<String, byte[]> entries) {
        return collect(bytes -> {
            try (ZipOutputStream out = new ZipOutputStream(bytes)) {
                for (Map.Entry<String, byte[]> entry : entries.entrySet()) {
                    out.putNextEntry(new ZipEntry(entry.getKey()));
                    out.write(entry.getValue());
                    out.closeEntry();
                }
            }
        });
    }

    /** An encoded image of one colour. */
    static byte[] image(String format, int bufferedImageType, int height, int width, int argb) {
        BufferedImage image = new BufferedImage(width, height, bufferedImageType);
        for (int y = 0; y < height; y++) {
            for (int x = 0; x < width; x++) {
                if (bufferedImageType == BufferedImage.TYPE_BYTE_GRAY) {
                    image.getRaster().setSample(x, y, 0, argb & 0xff);
                } else {
                    image.setRGB(x, y, argb);
                }
            }
        }
        return encode(format, image);
    }

    static byte[] encode(String format, BufferedImage image) {
        return collect(bytes -> {
            if (!ImageIO.write(image, format, bytes)) {
                throw new IOException("no writer for " + format);
            }
        });
    }

    /**
     * A JPEG of what {@code samples} gives for each pixel (y, x), stored as it is: one sample grey, four inks or YCCK.
     */
    static byte[] jpegOfSamples(int height, int width, BiFunction<Integer, Integer, int[]> samples) {
        return jpegOfSamples(height, width, samples, false);
    }

    static byte[] jpegOfSamples(
            int height, int width, BiFunction<Integer, Integer, int[]> samples, boolean progressive) {
        int bands = samples.apply(0, 0).length;
        WritableRaster raster = Raster.createInterleavedRaster(DataBuffer.TYPE_BYTE, width, height, bands, null);
        for (int y = 0; y < height; y++) {
            for (int x = 0; x < width; x++) {
                raster.setPixel(x, y, samples.apply(y, x));
            }
        }
        return collect(bytes -> {
            ImageWriter writer = ImageIO.getImageWritersByFormatName("jpeg").next();
            ImageWriteParam finest = writer.getDefaultWriteParam();
            finest.setCompressionMode(ImageWriteParam.MODE_EXPLICIT);
            finest.setCompressionQuality(1);
            finest.setProgressiveMode(progressive ? ImageWriteParam.MODE_DEFAULT : ImageWriteParam.MODE_DISABLED);
            try (ImageOutputStream out = ImageIO.createImageOutputStream(bytes)) {
                writer.setOutput(out);
                writer.write(null, new IIOImage(raster, null, null), finest);
            } finally {
                writer.dispose();
            }
        });
    }

    /** A JPEG with one more segment, the first. */
    static byte[] withSegment(byte[] jpeg, int marker, byte[] data) {
        ByteBuffer with = ByteBuffer.allocate(jpeg.length + 4 + data.length);
        return with.put(jpeg, 0, 2)
                .put((byte) 0xff)
                .put((byte) marker)
                .putShort((short) (2 + data.length))
                .put(data)
                .put(jpeg, 2, jpeg.length - 2)
                .array();
    }

    /** The segment by which programs say how inks are stored. */
    static byte[] withAdobe(byte[] jpeg, int transform) {
        return withSegment(jpeg, 0xee, new byte[] {'A', 'd', 'o', 'b', 'e', 0, 100, 0, 0, 0, 0, (byte) transform});
    }

    static byte[] withExif(byte[] jpeg, int orientation, ByteOrder order) {
        byte[] block = exif(orientation, order);
        return withSegment(
                jpeg,
                0xe1,
                ByteBuffer.allocate(6 + block.length)
                        .put("Exif\0\0".getBytes(StandardCharsets.US_ASCII))
                        .put(block)
                        .array());
    }

    /** A block of two tags, the second of which is the orientation. */
    static byte[] exif(int orientation, ByteOrder order) {
        ByteBuffer block = ByteBuffer.allocate(8 + 2 + 2 * 12 + 4).order(order);
        block.putShort((short) (order == ByteOrder.LITTLE_ENDIAN ? 0x4949 : 0x4d4d))
                .putShort((short) 42)
                .putInt(8)
                .putShort((short) 2);
        block.putShort((short) 0x0100)
                .putShort((short) 3)
                .putInt(1)
                .putShort((short) 7)
                .putShort((short) 0);
        block.putShort((short) 0x0112)
                .putShort((short) 3)
                .putInt(1)
                .putShort((short) orientation)
                .putShort((short) 0);
        return block.array();
    }

    /** A PNG with one more chunk before its end, whose checksum is right. */
    static byte[] withChunk(byte[] png, String type, byte[] data) {
        ByteBuffer with = ByteBuffer.allocate(png.length + 12 + data.length);
        with.put(png, 0, png.length - 12)
                .putInt(data.length)
                .put(type.getBytes(StandardCharsets.US_ASCII))
                .put(data);
        CRC32 crc = new CRC32();
        crc.update(with.array(), png.length - 12 + 4, 4 + data.length);
        return with.putInt((int) crc.getValue()).put(png, png.length - 12, 12).array();
    }

    /** What a class logs as a warning while something runs. */
    static List<String> warnings(Class<?> of, Runnable action) {
        Logger logger = (Logger) LoggerFactory.getLogger(of);
        ListAppender<ILoggingEvent> heard = new ListAppender<>();
        heard.start();
        logger.addAppender(heard);
        try {
            action.run();
        } finally {
            logger.detachAppender(heard);
        }
        return heard.list.stream()
                .filter(e -> e.getLevel() == Level.WARN)
                .map(ILoggingEvent::getFormattedMessage)
                .toList();
    }

    private interface Writing {
        void to(ByteArrayOutputStream out) throws IOException;
    }

    private static byte[] collect(Writing writing) {
        ByteArrayOutputStream bytes = new ByteArrayOutputStream();
        try {
            writing.to(bytes);
        } catch (IOException e) {
            throw new UncheckedIOException(e);
        }
        return bytes.toByteArray();
    }
}
