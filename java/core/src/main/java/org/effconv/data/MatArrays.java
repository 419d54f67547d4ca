package org.effconv.data;

import static org.effconv.data.DataFiles.invalid;

import java.io.BufferedInputStream;
import java.io.EOFException;
import java.io.IOException;
import java.io.InputStream;
import java.io.OutputStream;
import java.nio.ByteBuffer;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import java.util.zip.InflaterInputStream;
import org.effconv.error.EffconvException;
import us.hebi.matlab.mat.format.BufferAllocator;
import us.hebi.matlab.mat.format.Mat5;
import us.hebi.matlab.mat.format.Mat5File;
import us.hebi.matlab.mat.types.AbstractSource;
import us.hebi.matlab.mat.types.Matrix;
import us.hebi.matlab.mat.types.Source;

/** Numeric arrays of a MATLAB file of version 5. No size is believed that the file has no bytes for. */
final class MatArrays {
    private MatArrays() {}

    /** All the arrays that are asked for, by name; others are not read. */
    static Map<String, Matrix> read(Path file, List<String> names) {
        try (Bytes bytes = new Bytes(new BufferedInputStream(Files.newInputStream(file), 1 << 16), Files.size(file))) {
            Mat5File mat = Mat5.newReader(bytes)
                    .disableSubsystemProcessing()
                    .setBufferAllocator(new Heap(file))
                    .setEntryFilter(header -> names.contains(header.getName()))
                    .readMat();
            Map<String, Matrix> found = new HashMap<>();
            mat.getEntries().forEach(entry -> {
                if (entry.getValue() instanceof Matrix matrix) {
                    found.put(entry.getName(), matrix);
                }
            });
            for (String name : names) {
                if (!found.containsKey(name)) {
                    throw invalid(file, "has no numeric array " + name + ", expected " + String.join(" and ", names));
                }
            }
            return found;
        } catch (IOException e) { // of the library, whatever went wrong
            if (e.getCause() instanceof EffconvException known) {
                throw known;
            }
            Throwable cause = e.getCause() == null ? e : e.getCause();
            throw new EffconvException.InvalidInput(
                    file + ": " + (cause instanceof EOFException ? "is truncated" : "is damaged or no MATLAB 5 file")
                            + " (" + cause.getMessage() + ")",
                    e);
        }
    }

    private record Heap(Path file) implements BufferAllocator {
        @Override
        public ByteBuffer allocate(int bytes) {
            return ByteBuffer.wrap(DataFiles.array(file.toString(), bytes));
        }

        @Override
        public void release(ByteBuffer buffer) {
            // the collector's
        }
    }

    /** The bytes of a file, or of a compressed element of it. */
    private static final class Bytes extends AbstractSource {
        private static final int LARGEST_TAG = 0x4ffff; // a tag with up to four bytes of data: size, then type
        private static final long DEFLATE_MOST = 1032; // bytes that one byte of deflate can become

        private final InputStream in;
        private final long most;
        private final boolean compressed;
        private long position;

        Bytes(InputStream in, long most) {
            this(in, most, false);
        }

        private Bytes(InputStream in, long most, boolean compressed) {
            super(512);
            this.in = in;
            this.most = most;
            this.compressed = compressed;
        }

        /** The library reads tags by this, and allocates what they say. (It takes the end of a file for a good one.) */
        @Override
        public int readInt() throws IOException {
            int value = super.readInt();
            if (value < 0 || value > Math.max(LARGEST_TAG, most - position)) {
                throw new IOException("a size of " + Integer.toUnsignedString(value) + " bytes, of which "
                        + (most - position) + " at most can follow");
            }
            return value;
        }

        @Override
        public void readBytes(byte[] target, int offset, int length) throws IOException {
            int got = in.readNBytes(target, offset, length);
            position += got;
            if (got < length) {
                throw new EOFException("ends " + (length - got) + " bytes early");
            }
        }

        @Override
        public Source readInflated(int bytes, int bufferSize) throws IOException {
            return new Bytes(new InflaterInputStream(readBytesAsStream(bytes)), bytes * DEFLATE_MOST, true)
                    .order(order());
        }

        @Override
        protected InputStream readBytesAsStream(long bytes) {
            long end = position + bytes;
            return new InputStream() {
                @Override
                public int read() throws IOException {
                    byte[] one = new byte[1];
                    return read(one, 0, 1) < 0 ? -1 : one[0] & 0xff;
                }

                @Override
                public int read(byte[] target, int offset, int length) throws IOException {
                    int got = in.read(target, offset, (int) Math.min(length, end - position));
                    position += Math.max(0, got);
                    return end == position && got == 0 ? -1 : got;
                }
            };
        }

        @Override
        public long getPosition() {
            return position;
        }

        @Override
        public boolean isMutatedByChildren() {
            return true;
        }

        /** Of a compressed element the rest, too, as its checksum stands at its end. */
        @Override
        public void close() throws IOException {
            try (in) {
                if (compressed) {
                    in.transferTo(OutputStream.nullOutputStream());
                }
            }
        }
    }
}
