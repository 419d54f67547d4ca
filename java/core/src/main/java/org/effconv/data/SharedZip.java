package org.effconv.data;

import static org.effconv.data.DataFiles.invalid;

import java.io.File;
import java.io.IOException;
import java.io.InputStream;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.nio.file.attribute.BasicFileAttributes;
import java.util.Arrays;
import java.util.List;
import java.util.Locale;
import java.util.stream.Collectors;
import java.util.zip.CRC32;
import java.util.zip.ZipEntry;
import java.util.zip.ZipException;
import java.util.zip.ZipFile;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;

/** A zip that is open as long as somebody holds it, and must stay the same between. */
final class SharedZip implements StreamedPixels.Source {
    private static final Logger LOG = LoggerFactory.getLogger(SharedZip.class);

    private final Path path;
    private String seen; // when it was opened first: size and time of change; guarded by this
    private ZipFile zip; // null while nobody holds it; guarded by this
    private int holders; // guarded by this

    SharedZip(Path path) {
        this.path = path;
    }

    @Override
    public synchronized ImageItem.Hold hold() {
        if (holders == 0) {
            String now = state();
            if (seen != null && !seen.equals(now)) {
                throw invalid(path, "has changed since the dataset was opened");
            }
            zip = open(path.toFile());
            seen = now;
        }
        holders++;
        return this::release;
    }

    private synchronized void release() {
        holders--;
        if (holders == 0) {
            try {
                zip.close();
            } catch (IOException e) {
                throw DataFiles.unreadable(path, e);
            } finally {
                zip = null;
            }
        }
    }

    private String state() {
        try {
            BasicFileAttributes file = Files.readAttributes(path, BasicFileAttributes.class);
            return file.size() + " " + file.lastModifiedTime() + " " + file.fileKey();
        } catch (IOException e) {
            throw DataFiles.unreadable(path, e);
        }
    }

    private synchronized ZipFile zip() {
        if (zip == null) {
            throw new IllegalStateException("use after close: " + path);
        }
        return zip;
    }

    List<? extends ZipEntry> entries() {
        return zip().stream().toList();
    }

    /** As {@link ImageItem.Content#read}. */
    byte[] content(ZipEntry entry, int most) throws IOException {
        try (InputStream in = zip().getInputStream(entry)) {
            byte[] bytes = in.readNBytes(most + 1);
            CRC32 crc = new CRC32(); // which ZipFile leaves unread
            crc.update(bytes);
            if (bytes.length <= most && crc.getValue() != entry.getCrc()) {
                throw new ZipException("the entry is damaged: its checksum is wrong");
            }
            return bytes;
        }
    }

    private ZipFile open(File file) {
        try {
            return new ZipFile(file);
        } catch (ZipException e) {
            String name = nameThatIsNotUtf8(file);
            throw name == null
                    ? invalid(path, "is not a whole zip file that can be read (" + e.getMessage() + ")")
                    : invalid(
                            path,
                            "holds names that are not UTF-8, the first '" + name
                                    + "'; write the zip again with names in UTF-8");
        } catch (IOException e) {
            throw DataFiles.unreadable(path, e);
        }
    }

    /** The first such name, its bytes above 127 as \xNN; null if the zip cannot be read whatever the names are. */
    private static String nameThatIsNotUtf8(File file) {
        try (ZipFile zip = new ZipFile(file, StandardCharsets.ISO_8859_1)) {
            return zip.stream()
                    .map(ZipEntry::getName)
                    .filter(name -> !isUtf8(name.getBytes(StandardCharsets.ISO_8859_1)))
                    .findFirst()
                    .map(name -> name.chars()
                            .mapToObj(c -> c < 128 ? Character.toString(c) : String.format(Locale.ROOT, "\\x%02x", c))
                            .collect(Collectors.joining()))
                    .orElse(null);
        } catch (IOException e) {
            LOG.debug("{} cannot be read with names of any encoding", file, e); // so the first exception says why
            return null;
        }
    }

    private static boolean isUtf8(byte[] bytes) {
        return Arrays.equals(bytes, new String(bytes, StandardCharsets.UTF_8).getBytes(StandardCharsets.UTF_8));
    }
}
