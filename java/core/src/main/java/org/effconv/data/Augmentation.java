package org.effconv.data;

import org.effconv.error.EffconvException;

/**
 * Which random changes training images get. For an image with draws (dy, dx, flip), pixel (y, x) of the result is pixel
 * (y + dy, x' + dx) of the image, where x' = x, or W - 1 - x when flipped; outside the image it is the mean of its
 * channel, i.e. 0 after normalising.
 *
 * @param pad largest shift in pixels: dy and dx are uniform in -pad..pad
 * @param flip whether half of the images are mirrored left to right
 */
public record Augmentation(int pad, boolean flip) {
    /** Largest shift that is accepted. */
    public static final int MAX_PAD = 64;

    public Augmentation {
        if (pad < 0 || pad > MAX_PAD) {
            throw new EffconvException.InvalidInput(
                    "augmentation: pad " + pad + " is out of range, expected 0 to " + MAX_PAD);
        }
    }

    /** Images as they are. */
    public static Augmentation none() {
        return new Augmentation(0, false);
    }
}
