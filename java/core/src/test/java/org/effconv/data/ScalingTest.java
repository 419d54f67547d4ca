package org.effconv.data;

import static org.junit.jupiter.api.Assertions.assertArrayEquals;
import static org.junit.jupiter.api.Assertions.assertEquals;

import java.util.Random;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;

/** Scaling against its definition in double precision. */
class ScalingTest {
    /**
     * A triangle of the width of the larger of the two pixels around the middle of a target pixel, over the pixels
     * there are (P. Heckbert's "zoom", Graphics Gems III, 1992), along one axis.
     */
    private static double[][] weights(int from, int to) {
        double scale = (double) from / to;
        double width = Math.max(1, scale);
        double[][] weights = new double[to][from];
        for (int t = 0; t < to; t++) {
            double middle = (t + 0.5) * scale - 0.5;
            double sum = 0;
            for (int f = 0; f < from; f++) {
                weights[t][f] = Math.max(0, 1 - Math.abs(f - middle) / width);
                sum += weights[t][f];
            }
            for (int f = 0; f < from; f++) {
                weights[t][f] /= sum;
            }
        }
        return weights;
    }

    @ParameterizedTest
    @CsvSource({
        "8,8,5,3",
        "9,13,4,3",
        "13,9,4,1",
        "5,7,12,3",
        "1,1,6,3",
        "2,3,7,1",
        "64,48,17,3",
        "3,3,1,1",
        "97,41,96,3"
    })
    void agreesWithItsDefinition(int height, int width, int side, int channels) {
        byte[] image = new byte[height * width * channels];
        new Random(5).nextBytes(image);
        byte[] target = new byte[side * side * channels + 2];
        Scaling.square(image, height, width, channels, side, target, 1);
        int square = Math.min(height, width);
        int top = (height - square) / 2;
        int left = (width - square) / 2;
        double[][] w = weights(square, side);
        for (int y = 0; y < side; y++) {
            for (int x = 0; x < side; x++) {
                for (int c = 0; c < channels; c++) {
                    double expected = 0;
                    for (int sy = 0; sy < square; sy++) {
                        for (int sx = 0; sx < square; sx++) {
                            expected += w[y][sy]
                                    * w[x][sx]
                                    * (image[channels * ((top + sy) * width + left + sx) + c] & 0xff);
                        }
                    }
                    assertEquals(
                            expected, target[1 + channels * (y * side + x) + c] & 0xff, 0.501, y + " " + x + " " + c);
                }
            }
        }
        assertArrayEquals(new byte[2], new byte[] {target[0], target[target.length - 1]}, "and nothing beside");
    }
}
