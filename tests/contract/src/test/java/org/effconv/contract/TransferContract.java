package org.effconv.contract;

import static org.junit.jupiter.api.Assertions.*;

import java.nio.ByteBuffer;
import org.effconv.tensor.DataType;
import org.effconv.tensor.Shape;
import org.effconv.tensor.Tensor;
import org.junit.jupiter.api.Test;

/** Values in and out of tensors, and conversions between their types. */
class TransferContract extends BackendContract {
    @Test
    void valuesComeBackAsTheyWentIn() {
        float[] values = {1, -2.5f, 0.125f, Float.NaN, Float.POSITIVE_INFINITY, -0f, 1e-40f};
        for (DataType type : parameterTypes()) {
            Tensor t = poisoned(type, values.length);
            backend.write(t, values);
            assertArrayEquals(values, backend.readFloats(t));
        }
        int[] integers = {0, 1, 255, 17};
        for (DataType type : new DataType[] {DataType.I32, DataType.U8, DataType.F32}) {
            Tensor t = tensor(type, 4);
            backend.write(t, integers);
            assertArrayEquals(new float[] {0, 1, 255, 17}, backend.readFloats(t));
        }
    }

    @Test
    void bf16RoundsToNearestEven() {
        Tensor t = poisoned(DataType.BF16, 6);
        float step = 1f / 128; // of bf16 between 1 and 2
        backend.write(t, new float[] {1, 1 + step / 2, 1 + 1.5f * step, 1 + 0.51f * step, -3.1415927f, Float.NaN});
        assertArrayEquals(new float[] {1, 1, 1 + 2 * step, 1 + step, -3.140625f, Float.NaN}, backend.readFloats(t));
    }

    @Test
    void copiesConvertAndAccumulateScales() {
        for (int count : new int[] {1, 17, 100_003}) {
            double[] values = normal(count);
            Tensor wide = tensor(activations().contains(DataType.F64) ? DataType.F64 : DataType.F32, count);
            backend.write(wide, values);
            for (DataType type : activations()) {
                Tensor narrow = poisoned(type, count);
                backend.copy(wide, narrow);
                assertClose("copy", values, narrow, tolerance(type));
                backend.accumulate(wide, -0.5, narrow);
                assertClose("accumulate", map(values, v -> 0.5 * v), narrow, tolerance(type));
            }
        }
    }

    @Test
    void nothingIsCopiedAndAddedToo() {
        for (DataType type : activations()) {
            Tensor narrow = poisoned(type, 0);
            backend.copy(tensor(DataType.F32, 0), narrow);
            backend.accumulate(tensor(DataType.F32, 0), 2, narrow);
        }
    }

    @Test
    void bytesAndFills() {
        Tensor t = tensor(DataType.U8, 2, 2);
        ByteBuffer bytes = ByteBuffer.wrap(new byte[] {9, 1, (byte) 200, 3, 4, 9});
        bytes.position(1);
        backend.write(t, bytes);
        assertEquals(1, bytes.position());
        assertArrayEquals(new int[] {1, 200, 3, 4}, backend.readInts(t));
        backend.fill(t, 7);
        assertArrayEquals(new int[] {7, 7, 7, 7}, backend.readInts(t));
        Tensor f = poisoned(DataType.BF16, 3);
        backend.fill(f, 1.5);
        assertArrayEquals(new float[] {1.5f, 1.5f, 1.5f}, backend.readFloats(f));
    }

    @Test
    void wrongTypesAndCountsAreRefused() {
        Tensor floats = tensor(DataType.F32, 2);
        Tensor bytes = tensor(DataType.U8, 2);
        assertRefused("3 values", () -> backend.write(floats, new float[3]));
        assertRefused("integer tensor", () -> backend.copy(floats, bytes));
        assertRefused("integer tensor", () -> backend.readInts(floats));
        assertRefused("value 300", () -> backend.write(bytes, new int[] {0, 300}));
        assertRefused("raw bytes", () -> backend.write(floats, ByteBuffer.allocate(8)));
        assertRefused("floating", () -> backend.accumulate(bytes, 1, floats));
        assertRefused("elements", () -> backend.copy(floats, tensor(DataType.F32, 3)));
        assertRefused("-1.5", () -> backend.fill(bytes, -1.5));
        assertRefused("is null", () -> backend.copy(null, floats));
    }

    @Test
    void augmentCropsFlipsAndNormalises() {
        int n = 3;
        int h = 4;
        int w = 5;
        float[] mean = {0.5f, 0.25f, 0.1f};
        float[] std = {0.5f, 2, 0.3f};
        int[] pixels = new int[n * h * w * 3];
        for (int i = 0; i < pixels.length; i++) {
            pixels[i] = random.nextInt(256);
        }
        Tensor images = tensor(DataType.U8, n, h, w, 3);
        backend.write(images, pixels);
        int[] draws = {0, 0, 0, -2, 3, 0, 1, -1, 1};
        Tensor drawn = tensor(DataType.I32, n, 3);
        backend.write(drawn, draws);
        double[] expected = new double[pixels.length];
        for (int i = 0; i < expected.length; i++) {
            int c = i % 3;
            int image = i / (h * w * 3);
            int column = i / 3 % w;
            int row = i / (3 * w) % h + draws[3 * image];
            column = (draws[3 * image + 2] == 1 ? w - 1 - column : column) + draws[3 * image + 1];
            boolean inside = row >= 0 && row < h && column >= 0 && column < w;
            expected[i] = inside ? (pixels[((image * h + row) * w + column) * 3 + c] / 255.0 - mean[c]) / std[c] : 0;
        }
        for (DataType type : activations()) {
            Tensor y = poisoned(type, n, h, w, 3);
            backend.augment(images, drawn, mean, std, y);
            assertClose("augment " + type, expected, y, tolerance(type));
        }
        Tensor y = tensor(DataType.F32, n, h, w, 3);
        assertRefused("deviation of channel 1", () -> backend.augment(images, drawn, mean, new float[] {1, 0, 1}, y));
        assertRefused("draws", () -> backend.augment(images, tensor(DataType.I32, 2, 3), mean, std, y));
        assertEquals(Shape.of(n, h, w, 3), y.shape());
    }
}
