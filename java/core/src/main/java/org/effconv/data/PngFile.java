package org.effconv.data;

import static org.effconv.data.DataFiles.invalid;

import java.nio.ByteBuffer;
import java.nio.charset.StandardCharsets;
import java.util.zip.CRC32;

/**
 * The chunks of a PNG file (ISO/IEC 15948): whether it is whole, which the JDK's reader does not check, and which way
 * up it is.
 */
final class PngFile {
    private static final byte[] SIGNATURE = {(byte) 0x89, 'P', 'N', 'G', '\r', '\n', 0x1a, '\n'};
    private static final int AROUND = 12; // bytes of a chunk beside its data: length, type and checksum

    private PngFile() {}

    static boolean begins(byte[] file) {
        return file.length >= 4 && ByteBuffer.wrap(file, 0, 4).equals(ByteBuffer.wrap(SIGNATURE, 0, 4));
    }

    /** Checks every chunk up to the last; what follows that one belongs to no image. */
    static Orientation check(String where, byte[] file) {
        ByteBuffer in = ByteBuffer.wrap(file);
        CRC32 crc = new CRC32();
        Orientation orientation = Orientation.AS_STORED;
        for (int at = SIGNATURE.length; at <= file.length - AROUND; ) {
            int length = in.getInt(at);
            if (length < 0 || length > file.length - AROUND - at) {
                break;
            }
            String type = new String(file, at + 4, 4, StandardCharsets.ISO_8859_1);
            crc.reset();
            crc.update(file, at + 4, 4 + length);
            if ((int) crc.getValue() != in.getInt(at + 8 + length)) {
                throw invalid(
                        where, "is damaged: the checksum of the PNG chunk " + type + " at byte " + at + " is wrong");
            }
            if (type.equals("IEND")) {
                return orientation;
            }
            if (type.equals("eXIf")) {
                orientation = Orientation.ofExif(ByteBuffer.wrap(file, at + 8, length));
            }
            at += AROUND + length;
        }
        throw invalid(where, "is truncated: holds " + file.length + " bytes without the PNG end chunk");
    }
}
