package org.effconv.benchmark;

import java.util.SplittableRandom;
import org.effconv.backend.Backend;
import org.effconv.tensor.DataType;
import org.effconv.tensor.Shape;
import org.effconv.tensor.Tensor;

/**
 * Values in [-1, 1) that are known on the host by their index, without a copy of the tensor: a table of prime length,
 * repeated. Each operand starts elsewhere in it. Rounded to bf16, so that every type holds them exactly.
 */
final class RandomValues {
    private static final int LENGTH = 1_000_003;
    private static final int PIECE = 1 << 22; // elements written at once

    private final float[] table = new float[LENGTH];

    RandomValues(long seed) {
        SplittableRandom random = new SplittableRandom(seed);
        for (int i = 0; i < LENGTH; i++) {
            float value = (float) random.nextDouble(-1, 1);
            table[i] = Float.intBitsToFloat(Float.floatToIntBits(value) & 0xffff0000);
        }
    }

    /** Element {@code index} of the operand that starts at {@code start} of the table. */
    double at(long index, int start) {
        return table[(int) ((index + start) % LENGTH)];
    }

    Tensor tensor(Backend backend, DataType type, int start, int... dims) {
        Tensor t = Tensor.allocate(backend.memory(), type, Shape.of(dims));
        for (long done = 0; done < t.count(); done += PIECE) {
            float[] piece = new float[(int) Math.min(PIECE, t.count() - done)];
            for (int i = 0; i < piece.length; i++) {
                piece[i] = (float) at(done + i, start);
            }
            backend.write(t.slice(done, Shape.of(piece.length)), piece);
        }
        return t;
    }
}
