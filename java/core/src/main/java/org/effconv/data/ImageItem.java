package org.effconv.data;

import java.io.IOException;

/** An image file: its class, its name within the class, where it stands (for messages), and how to read it. */
record ImageItem(String className, String file, String where, Content content) {
    /** Reads a file; called from several threads, while what it lies in is {@linkplain Hold held}. */
    interface Content {
        /** All bytes if there are at most that many, else more than that. */
        byte[] read(int most) throws IOException;
    }

    /** Keeps open what images are read from, such as a zip. */
    interface Hold extends AutoCloseable {
        @Override
        void close();
    }

    private static final int MAX_FILE = 64 << 20; // bytes; a small archive entry must not unpack to gigabytes

    /** The file, whole. */
    byte[] bytes() {
        try {
            byte[] file = content.read(MAX_FILE);
            if (file.length > MAX_FILE) {
                throw DataFiles.invalid(
                        where, "holds more than " + MAX_FILE + " bytes, expected an image file of less");
            }
            return file;
        } catch (IOException e) {
            throw DataFiles.unreadable(where, e);
        }
    }
}
