package org.effconv.backend.cpu;

import org.effconv.backend.Convolution;
import org.effconv.tensor.Tensor;

/**
 * Weight gradients that oneDNN 3.11 computes wrongly or outside its memory, each with the report of it.
 * {@link CpuConvolution} computes them in another way. OneDnnCheckTest looks for more, and shows with
 * {@code -Deffconv.onednn-way=LIBRARY} whether these are still there.
 */
enum OneDnnFault {
    /**
     * uxlfoundation/oneDNN#6035: of a strided convolution of one pixel the pixels in use are gathered into a workspace
     * with room for its input channels, and written in whole vectors of up to sixteen. With fewer channels that goes
     * past the workspace's end: wrong gradients, a loop without end, or a heap in pieces.
     */
    NARROW_STRIDED_POINTWISE {
        private static final int VECTOR = 16;

        @Override
        boolean hits(Convolution c, Tensor x, Tensor dw) {
            return c.stride() > 1
                    && dw.shape().dim(1) == 1
                    && c.groups() == 1
                    && x.shape().dim(3) < VECTOR;
        }
    };

    /** Whether it hits this weight gradient; {@code x} is (N, H, W, C), {@code dw} (K, size, size, C / groups). */
    abstract boolean hits(Convolution c, Tensor x, Tensor dw);
}
