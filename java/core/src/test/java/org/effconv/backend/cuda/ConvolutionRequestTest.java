package org.effconv.backend.cuda;

import static org.junit.jupiter.api.Assertions.*;

import java.util.ArrayList;
import java.util.List;
import org.effconv.backend.Convolution;
import org.effconv.backend.Operands;
import org.effconv.backend.cpu.CpuBackend;
import org.effconv.backend.cuda.ConvolutionRequest.Pass;
import org.effconv.tensor.DataType;
import org.effconv.tensor.Shape;
import org.effconv.tensor.Tensor;
import org.junit.jupiter.api.Test;

/** What a library is told of a shape, against the shapes that the CPU's convolutions take. */
class ConvolutionRequestTest {
    /** Awkward ones: single pixels, kernels larger than images, even and odd extents under stride 2, groups. */
    private static List<ConvolutionRequest> awkward() {
        List<ConvolutionRequest> list = new ArrayList<>();
        for (int kernel : new int[] {1, 3, 5, 33}) {
            for (int stride : new int[] {1, 2}) {
                for (int[] image : new int[][] {{1, 1}, {1, 7}, {2, 3}, {8, 5}, {33, 32}}) {
                    for (int[] channels : new int[][] {{1, 1, 1}, {3, 5, 1}, {6, 6, 6}, {6, 4, 2}}) {
                        list.add(new ConvolutionRequest(
                                Pass.FORWARD,
                                DataType.F32,
                                2,
                                image[0],
                                image[1],
                                channels[0],
                                channels[1],
                                kernel,
                                stride,
                                channels[2],
                                false));
                    }
                }
            }
        }
        return list;
    }

    private static Shape nhwc(int[] e) {
        return Shape.of(e[0], e[2], e[3], e[1]);
    }

    @Test
    void extentsAreThoseOfTheBackendsTensors() {
        try (CpuBackend cpu = CpuBackend.open(1)) {
            for (ConvolutionRequest r : awkward()) {
                Convolution c = new Convolution(r.stride(), r.groups());
                try (Tensor x = Tensor.allocate(cpu.memory(), r.type(), nhwc(r.xExtents()));
                        Tensor w = Tensor.allocate(cpu.memory(), r.type(), nhwc(r.wExtents()));
                        Tensor y = Tensor.allocate(cpu.memory(), r.type(), nhwc(r.yExtents()))) {
                    assertDoesNotThrow(() -> Operands.convolution(c, x, w, null, y), r.toString());
                    assertEquals(r, ConvolutionRequest.of(Pass.FORWARD, c, x, w, null));
                    assertEquals(w.count(), r.weights());
                }
            }
        }
    }

    /**
     * cuDNN's own rule, floor((extent + 2 padding - k) / stride) + 1, gives the same output; every tap lies within the
     * padded image.
     */
    @Test
    void paddingGivesTheOutputsExtentsByCudnnsRule() {
        for (ConvolutionRequest r : awkward()) {
            int[] x = r.xExtents();
            int[] y = r.yExtents();
            for (int axis = 2; axis < 4; axis++) {
                assertEquals(
                        Math.floorDiv(x[axis] + 2 * r.padding() - r.kernel(), r.stride()) + 1, y[axis], r.toString());
            }
        }
    }

    /**
     * Where the padding is, no shape can tell: by a kernel whose centre alone is 1, which must give the input at every
     * stride-th pixel.
     */
    @Test
    void thePaddingIsTheCpus() {
        try (CpuBackend cpu = CpuBackend.open(1)) {
            for (ConvolutionRequest r : awkward()) {
                if (r.inputs() != 1) {
                    continue;
                }
                try (Tensor x = Tensor.allocate(cpu.memory(), r.type(), nhwc(r.xExtents()));
                        Tensor w = Tensor.allocate(cpu.memory(), r.type(), nhwc(r.wExtents()));
                        Tensor y = Tensor.allocate(cpu.memory(), r.type(), nhwc(r.yExtents()))) {
                    float[] pixels = new float[(int) x.count()];
                    for (int i = 0; i < pixels.length; i++) {
                        pixels[i] = i + 1;
                    }
                    float[] taps = new float[(int) w.count()];
                    taps[r.padding() * r.kernel() + r.padding()] = 1;
                    cpu.write(x, pixels);
                    cpu.write(w, taps);
                    cpu.convolution(new Convolution(r.stride(), r.groups()), x, w, null, y);
                    float[] got = cpu.readFloats(y);
                    int[] out = r.yExtents();
                    for (int n = 0, at = 0; n < r.batch(); n++) {
                        for (int i = 0; i < out[2]; i++) {
                            for (int j = 0; j < out[3]; j++) {
                                assertEquals(
                                        pixels[(n * r.height() + i * r.stride()) * r.width() + j * r.stride()],
                                        got[at++],
                                        r.toString());
                            }
                        }
                    }
                }
            }
        }
    }

    @Test
    void aLinearLayerIsTheConvolutionOfOnePixel() {
        try (CpuBackend cpu = CpuBackend.open(1);
                Tensor x = Tensor.allocate(cpu.memory(), DataType.F32, Shape.of(7, 5));
                Tensor w = Tensor.allocate(cpu.memory(), DataType.F32, Shape.of(3, 5));
                Tensor bias = Tensor.allocate(cpu.memory(), DataType.F32, Shape.of(3))) {
            ConvolutionRequest r = ConvolutionRequest.linear(Pass.DATA_GRADIENT, x, w, bias);
            assertEquals(new ConvolutionRequest(Pass.DATA_GRADIENT, DataType.F32, 7, 1, 1, 5, 3, 1, 1, 1, true), r);
            assertArrayEquals(new int[] {7, 5, 1, 1}, r.xExtents());
            assertArrayEquals(new int[] {3, 5, 1, 1}, r.wExtents());
            assertArrayEquals(new int[] {7, 3, 1, 1}, r.yExtents());
            assertArrayEquals(new int[] {1, 3, 1, 1}, r.biasExtents());
            assertEquals("data gradient F32 (7, 1, 1, 5) -> 3 channels, k 1, stride 1, groups 1, bias", r.toString());
        }
    }
}
