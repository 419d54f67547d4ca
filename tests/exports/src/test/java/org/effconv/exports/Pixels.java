package org.effconv.exports;

import java.nio.ByteBuffer;
import java.nio.ByteOrder;
import java.nio.FloatBuffer;
import org.effconv.data.Images;

/** Images as exported networks take them. */
final class Pixels {
    private Pixels() {}

    /** (N, C, H, W) of 0 to 255. */
    static FloatBuffer of(Images images) {
        FloatBuffer pixels = FloatBuffer.allocate(images.count() * images.imageBytes());
        for (int i = 0; i < images.count(); i++) {
            for (int channel = 0; channel < images.channels(); channel++) {
                for (int y = 0; y < images.height(); y++) {
                    for (int x = 0; x < images.width(); x++) {
                        pixels.put(images.pixel(i, y, x, channel));
                    }
                }
            }
        }
        return pixels.flip();
    }

    /** Little-endian. */
    static byte[] bytes(FloatBuffer values) {
        ByteBuffer bytes = ByteBuffer.allocate(values.remaining() * Float.BYTES).order(ByteOrder.LITTLE_ENDIAN);
        bytes.asFloatBuffer().put(values.duplicate());
        return bytes.array();
    }

    static float[] floats(byte[] bytes) {
        FloatBuffer values =
                ByteBuffer.wrap(bytes).order(ByteOrder.LITTLE_ENDIAN).asFloatBuffer();
        float[] floats = new float[values.remaining()];
        values.get(floats);
        return floats;
    }
}
