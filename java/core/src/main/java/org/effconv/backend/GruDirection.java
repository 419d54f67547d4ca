package org.effconv.backend;

import org.effconv.tensor.Tensor;

/**
 * Weights of one direction of a GRU (gates in the order r, z, n; n = tanh(Wn x + bn + r * (Un h + cn))).
 *
 * @param inputWeights W, (3 hidden, input)
 * @param hiddenWeights U, (3 hidden, hidden)
 * @param inputBias b, (3 hidden)
 * @param hiddenBias c, (3 hidden)
 */
public record GruDirection(Tensor inputWeights, Tensor hiddenWeights, Tensor inputBias, Tensor hiddenBias) {
    /** Addresses as a native call takes them: W, U, b, c of the forward direction, then of the reverse one. */
    public static long[] addresses(GruDirection forward, GruDirection reverse) {
        long[] addresses = new long[8];
        int next = 0;
        for (GruDirection d : new GruDirection[] {forward, reverse}) {
            addresses[next++] = d.inputWeights().address();
            addresses[next++] = d.hiddenWeights().address();
            addresses[next++] = d.inputBias().address();
            addresses[next++] = d.hiddenBias().address();
        }
        return addresses;
    }

    /** Hidden units of a direction. */
    public int hidden() {
        return hiddenWeights.shape().dim(-1);
    }
}
