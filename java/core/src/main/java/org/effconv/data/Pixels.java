package org.effconv.data;

import java.nio.ByteBuffer;
import java.util.ArrayList;
import java.util.List;

/** Where the pixels of a part lie, by row: one image each, uint8, (H, W, C). Immutable and safe to share. */
interface Pixels {
    /** Opens the pixels for reading; one thread uses the result and closes it. */
    Reader open();

    /** Byte {@code i} of an image, 0 to 255. */
    int value(int row, int i);

    /** CRC-32 of the bytes of an image. */
    int checksum(int row);

    /** Adds to {@link Images#moments} those of one image. */
    void addMoments(int row, long[] moments);

    /** Java heap that they take for good, in bytes. */
    long heapBytes();

    /** Reads images one after the other, for one thread. */
    interface Reader extends AutoCloseable {
        /** Copies images to {@code target}, the first to byte 0; the buffer's position stays as it is. */
        void read(int[] rows, ByteBuffer target);

        @Override
        void close();
    }

    /** Pixels in memory: whole images in arrays of up to {@link #CHUNK} bytes. */
    final class InMemory implements Pixels, Reader {
        static final int CHUNK = 1 << 26;

        private final List<byte[]> chunks;
        private final int perChunk;
        private final int imageBytes;

        private InMemory(List<byte[]> chunks, int perChunk, int imageBytes) {
            this.chunks = chunks;
            this.perChunk = perChunk;
            this.imageBytes = imageBytes;
        }

        /** One array that holds all; it is taken over. */
        static InMemory of(byte[] all, int imageBytes) {
            return new InMemory(List.of(all), Integer.MAX_VALUE, imageBytes);
        }

        /** Chunks that are full but for the last; they are taken over. */
        static InMemory of(List<byte[]> chunks, int imageBytes) {
            return new InMemory(chunks, perChunk(imageBytes), imageBytes);
        }

        static int perChunk(int imageBytes) {
            return Math.max(1, CHUNK / imageBytes);
        }

        /** Zeros to be filled through {@link #array} and {@link #offset}. */
        static InMemory allocate(String what, int count, int imageBytes) {
            int perChunk = perChunk(imageBytes);
            List<byte[]> chunks = new ArrayList<>();
            long bytes = (long) count * imageBytes;
            for (int first = 0; first < count; first += perChunk) {
                chunks.add(DataFiles.array(what, Math.min(perChunk, count - first) * imageBytes, bytes));
            }
            return new InMemory(chunks, perChunk, imageBytes);
        }

        /** Of colour pixels the first channel alone. Memory of this one is given up as that of the result is taken. */
        InMemory firstOfThree() {
            List<byte[]> ones = new ArrayList<>();
            for (int c = 0; c < chunks.size(); c++) {
                byte[] one = PixelBytes.firstOfThree(chunks.get(c));
                ones.add(one);
                chunks.set(c, null);
            }
            return new InMemory(ones, perChunk, imageBytes / 3);
        }

        byte[] array(int row) {
            return chunks.get(row / perChunk);
        }

        int offset(int row) {
            return row % perChunk * imageBytes;
        }

        @Override
        public Reader open() {
            return this;
        }

        @Override
        public void read(int[] rows, ByteBuffer target) {
            for (int i = 0; i < rows.length; i++) {
                target.put(i * imageBytes, array(rows[i]), offset(rows[i]), imageBytes);
            }
        }

        @Override
        public int value(int row, int i) {
            return array(row)[offset(row) + i] & 0xff;
        }

        @Override
        public int checksum(int row) {
            return PixelBytes.crc32(array(row), offset(row), imageBytes);
        }

        @Override
        public void addMoments(int row, long[] moments) {
            PixelBytes.addMoments(array(row), offset(row), imageBytes, moments);
        }

        @Override
        public long heapBytes() {
            return chunks.stream().mapToLong(c -> c.length).sum();
        }

        @Override
        public void close() {
            // memory is the collector's
        }
    }

    /** Grey pixels as colour: the one channel three times. */
    record Repeated(Pixels grey, int greyBytes) implements Pixels {
        @Override
        public Reader open() {
            Reader inner = grey.open();
            return new Reader() {
                private byte[] one = new byte[0];

                @Override
                public void read(int[] rows, ByteBuffer target) {
                    if (one.length < rows.length * greyBytes) {
                        one = new byte[rows.length * greyBytes];
                    }
                    inner.read(rows, ByteBuffer.wrap(one));
                    for (int i = 0; i < rows.length * greyBytes; i++) {
                        target.put(3 * i, one[i]).put(3 * i + 1, one[i]).put(3 * i + 2, one[i]);
                    }
                }

                @Override
                public void close() {
                    inner.close();
                }
            };
        }

        @Override
        public int value(int row, int i) {
            return grey.value(row, i / 3);
        }

        @Override
        public int checksum(int row) {
            byte[] colour = new byte[3 * greyBytes];
            try (Reader reader = open()) {
                reader.read(new int[] {row}, ByteBuffer.wrap(colour));
            }
            return PixelBytes.crc32(colour, 0, colour.length);
        }

        @Override
        public void addMoments(int row, long[] moments) {
            long[] one = new long[2];
            grey.addMoments(row, one);
            for (int c = 0; c < moments.length; c++) {
                moments[c] += one[c % 2];
            }
        }

        @Override
        public long heapBytes() {
            return grey.heapBytes();
        }
    }
}
