package org.effconv.data;

import static org.effconv.data.DataFiles.invalid;

import java.io.EOFException;
import java.io.FilterInputStream;
import java.io.IOException;
import java.io.InputStream;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.List;
import java.util.zip.CRC32;
import java.util.zip.CheckedInputStream;
import java.util.zip.ZipEntry;
import java.util.zip.ZipException;
import java.util.zip.ZipFile;

/** NumPy arrays by name: the .npy files of a folder, or the entries of an .npz file. */
interface NpyFiles extends AutoCloseable {
    String ENDING = ".npy";

    /** The array in messages. */
    String where(String array);

    boolean has(String array);

    /** Names of the arrays, for a message; empty where other files may stand among them. */
    List<String> arrays();

    /** Bytes of an array's file, header included. */
    long size(String array) throws IOException;

    InputStream open(String array) throws IOException;

    @Override
    void close();

    /** An array that is being read: what its header says, and its elements from there on. */
    record Opened(String where, NpyHeader header, InputStream content) implements AutoCloseable {
        @Override
        public void close() throws IOException {
            content.close();
        }
    }

    /** Reads the header of an array, whose promise must be what follows. */
    default Opened start(String array) throws IOException {
        InputStream in = open(array);
        try {
            NpyHeader header = NpyHeader.read(where(array), in);
            long found = size(array) - header.bytes();
            if (found != header.dataBytes()) {
                throw invalid(
                        where(array),
                        (found < header.dataBytes() ? "is truncated: holds " : "holds ") + found
                                + " bytes behind its header, expected " + header.dataBytes() + " by its shape "
                                + NpyHeader.written(header.shape()) + " of " + header.type());
            }
            return new Opened(where(array), header, in);
        } catch (IOException | RuntimeException e) {
            in.close();
            throw e;
        }
    }

    /** Integers of shape (N) or (N, 1). */
    default long[] labels(String array) {
        try (Opened opened = start(array)) {
            NpyHeader header = opened.header();
            long[] shape = header.shape();
            if (shape.length != 1 && !(shape.length == 2 && shape[1] == 1)) {
                throw invalid(
                        where(array),
                        "labels of shape " + NpyHeader.written(shape) + ", expected (N) or (N, 1): one class an image");
            }
            Images.count(where(array), shape[0]);
            int bytes = Images.totalBytes(where(array), shape[0], header.type().bytes());
            return header.type()
                    .integers(where(array), DataFiles.rest(where(array), opened.content(), bytes, header.bytes()));
        } catch (IOException e) {
            throw DataFiles.unreadable(where(array), e);
        }
    }

    static NpyFiles ofFolder(Path folder) {
        return new Folder(folder);
    }

    static NpyFiles ofZip(Path file) {
        try {
            return new Zip(file, new ZipFile(file.toFile()));
        } catch (ZipException | EOFException e) {
            throw invalid(file, "is no zip file (" + e.getMessage() + "), expected NumPy's .npz");
        } catch (IOException e) {
            throw DataFiles.unreadable(file, e);
        }
    }

    /** One file for each array. */
    record Folder(Path folder) implements NpyFiles {
        private Path file(String array) {
            return folder.resolve(array + ENDING);
        }

        @Override
        public String where(String array) {
            return file(array).toString();
        }

        @Override
        public boolean has(String array) {
            return Files.isRegularFile(file(array));
        }

        @Override
        public List<String> arrays() {
            return List.of();
        }

        @Override
        public long size(String array) throws IOException {
            return Files.size(file(array));
        }

        @Override
        public InputStream open(String array) throws IOException {
            return DataFiles.open(file(array));
        }

        @Override
        public void close() {
            // each array is closed by itself
        }
    }

    /** One entry for each array. */
    record Zip(Path file, ZipFile zip) implements NpyFiles {
        @Override
        public String where(String array) {
            return file + ": " + array + ENDING;
        }

        @Override
        public boolean has(String array) {
            return zip.getEntry(array + ENDING) != null;
        }

        @Override
        public List<String> arrays() {
            return zip.stream()
                    .map(ZipEntry::getName)
                    .filter(name -> name.endsWith(ENDING))
                    .map(name -> name.substring(0, name.length() - ENDING.length()))
                    .sorted()
                    .toList();
        }

        @Override
        public long size(String array) {
            return zip.getEntry(array + ENDING).getSize();
        }

        @Override
        public InputStream open(String array) throws IOException {
            ZipEntry entry = zip.getEntry(array + ENDING);
            try {
                return new Entry(where(array), zip.getInputStream(entry), entry.getCrc());
            } catch (ZipException e) {
                throw invalid(where(array), "holds damaged zip data (" + e.getMessage() + ")");
            }
        }

        @Override
        public void close() {
            try {
                zip.close();
            } catch (IOException e) {
                throw DataFiles.unreadable(file, e);
            }
        }
    }

    /** An entry whose checksum is compared at its end, which {@link ZipFile} leaves to its callers. */
    final class Entry extends FilterInputStream {
        private final String where;
        private final long expected;
        private final CheckedInputStream checked;

        private Entry(String where, InputStream in, long expected) {
            this(where, new CheckedInputStream(in, new CRC32()), expected);
        }

        private Entry(String where, CheckedInputStream checked, long expected) {
            super(checked);
            this.where = where;
            this.expected = expected;
            this.checked = checked;
        }

        @Override
        public int read() throws IOException {
            byte[] one = new byte[1];
            return read(one, 0, 1) < 0 ? -1 : one[0] & 0xff;
        }

        @Override
        public int read(byte[] target, int offset, int length) throws IOException {
            int got;
            try {
                got = super.read(target, offset, length);
            } catch (ZipException | EOFException e) {
                throw invalid(where, "holds damaged zip data (" + e.getMessage() + ")");
            }
            if (got < 0 && checked.getChecksum().getValue() != expected) {
                throw invalid(where, "is damaged: its checksum is wrong");
            }
            return got;
        }
    }
}
