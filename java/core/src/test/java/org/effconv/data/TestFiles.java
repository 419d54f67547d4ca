package org.effconv.data;

import static org.junit.jupiter.api.Assertions.assertThrows;

import java.awt.image.BufferedImage;
import java.io.ByteArrayOutputStream;
import java.io.IOException;
import java.io.OutputStream;
import java.io.UncheckedIOException;
import java.nio.ByteBuffer;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.Map;
import java.util.zip.GZIPOutputStream;
import java.util.zip.ZipEntry;
import java.util.zip.ZipOutputStream;
import javax.imageio.ImageIO;
import org.effconv.EffconvException;
import org.junit.jupiter.api.function.Executable;

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
        ByteBuffer file = ByteBuffer.allocate(4 + 4 * dims.length + content.length).putInt(magic);
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
