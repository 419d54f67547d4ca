package org.effconv.backend.cpu;

import org.effconv.tensor.DataType;
import org.effconv.tensor.Tensor;

/**
 * Products in BF16 where oneDNN has no bf16 code (on processors below AVX-512), or plain loops (see its callers):
 * operands are widened to F32 for the call, weights rounded to bf16 first, and the result is rounded. The same
 * arithmetic as elsewhere, at the speed of F32 and two more passes over the activations.
 */
final class WidenedBf16 {
    private WidenedBf16() {}

    /** A product of activations and weights that writes activations, all in F32. */
    @FunctionalInterface
    interface Product {
        void run(Tensor activations, Tensor weights, Tensor out);
    }

    /** A product of two activations that writes gradients of weights, all in F32. */
    @FunctionalInterface
    interface WeightGradient {
        void run(Tensor x, Tensor dy);
    }

    /** Whether a product of such activations must take this way. */
    static boolean needed(Tensor activations) {
        return activations.type() == DataType.BF16 && !OneDnn.bf16Accepted();
    }

    static void product(CpuBackend owner, Tensor activations, Tensor weights, Tensor out, Product product) {
        try (Tensor a = widened(owner, activations);
                Tensor narrow = Tensor.allocate(owner.memory(), DataType.BF16, weights.shape());
                Tensor y = Tensor.allocate(owner.memory(), DataType.F32, out.shape())) {
            owner.copy(weights, narrow);
            try (Tensor w = widened(owner, narrow)) {
                product.run(a, w, y);
            }
            owner.copy(y, out);
        }
    }

    static void weightGradient(CpuBackend owner, Tensor x, Tensor dy, WeightGradient gradient) {
        try (Tensor wideX = widened(owner, x);
                Tensor wideDy = widened(owner, dy)) {
            gradient.run(wideX, wideDy);
        }
    }

    private static Tensor widened(CpuBackend owner, Tensor t) {
        Tensor wide = Tensor.allocate(owner.memory(), DataType.F32, t.shape());
        owner.copy(t, wide);
        return wide;
    }
}
