package org.effconv.size;

import java.util.List;
import org.effconv.EffconvException.InvalidInput;

/**
 * A convolution layer whose kernel size is open.
 *
 * @param name           unique within the network
 * @param outputChannels K
 * @param inputChannels  C per group
 * @param kmax           largest size it may take, odd
 */
public record SizedLayer(String name, int outputChannels, int inputChannels, int kmax) {
    /** Largest kernel size that any backend serves. */
    public static final int LARGEST = 33;

    /**
     * @throws InvalidInput if a value is out of range
     */
    public SizedLayer {
        if (outputChannels < 1 || inputChannels < 1) {
            throw new InvalidInput("layer " + name + ": " + outputChannels + " output and " + inputChannels
                    + " input channels per group; expected at least 1 of each");
        }
        if (kmax < 1 || kmax > LARGEST || kmax % 2 == 0) {
            throw new InvalidInput("layer " + name + ": kmax " + kmax + "; expected an odd number from 1 to " + LARGEST);
        }
    }

    /** Weights that one tap of the kernel costs: K * C / groups. */
    public long weightsPerTap() {
        return (long) outputChannels * inputChannels;
    }

    static int[] largestSizes(List<SizedLayer> layers) {
        return layers.stream().mapToInt(SizedLayer::kmax).toArray();
    }
}
