package org.effconv.backend.cuda;

/**
 * A pass of a linear layer, y (N, O) = x (N, D) w (O, D)^T and its gradients, as the matrix product C (m, n) = A (m, k)
 * B (k, n) of a library that counts by columns: to it, what lies here as (rows, columns) is its transpose.
 *
 * @param a operand A; its leading dimension {@code lda} is the length of its rows here
 * @param transposeA whether A is the transpose of what the library sees there
 */
record LinearProduct(
        Operand a,
        boolean transposeA,
        int lda,
        Operand b,
        boolean transposeB,
        int ldb,
        Operand c,
        int ldc,
        int m,
        int n,
        int k) {
    /** Which of a layer's tensors. */
    enum Operand {
        X,
        W,
        Y
    }

    static LinearProduct of(ConvolutionRequest r) {
        int batch = r.batch();
        int in = r.inputs();
        int out = r.outputs();
        return switch (r.pass()) {
            case FORWARD -> new LinearProduct(
                    Operand.W, true, in, Operand.X, false, in, Operand.Y, out, out, batch, in);
            case DATA_GRADIENT -> new LinearProduct(
                    Operand.W, false, in, Operand.Y, false, out, Operand.X, in, in, batch, out);
            case WEIGHT_GRADIENT -> new LinearProduct(
                    Operand.X, false, in, Operand.Y, true, out, Operand.W, in, in, out, batch);
        };
    }
}
