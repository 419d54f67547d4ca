package org.effconv.data;

import org.effconv.error.EffconvException.InvalidInput;

/**
 * How a dataset is read.
 *
 * @param trainImages training images to keep, the first of each class; more than there are: all
 * @param testImages test images, likewise
 * @param imageSize side in pixels to which every image is scaled and cut; 0: images stay as they are and must be of one
 *     size
 * @param heldOut fraction of the images that becomes the test part where a dataset has none
 * @param memory Java heap for decoded pixels, in bytes; images beyond it are read from their files again and again
 * @param listener hears how far it is
 */
public record ReadOptions(
        int trainImages, int testImages, int imageSize, double heldOut, long memory, LoadListener listener) {
    /** Part of the images that is set aside for testing where nobody says how many. */
    public static final double HELD_OUT = 0.1;

    public ReadOptions {
        if (trainImages < 1 || testImages < 1) {
            throw new InvalidInput("asked for " + Math.min(trainImages, testImages) + " "
                    + (trainImages < 1 ? "training" : "test") + " images, expected at least 1");
        }
        if (imageSize < 0 || imageSize > Images.MAX_SIDE) {
            throw new InvalidInput(
                    "image size " + imageSize + " is out of range, expected 0 to " + Images.MAX_SIDE + " pixels");
        }
        if (!(heldOut > 0 && heldOut < 1)) {
            throw new InvalidInput(
                    "fraction of test images " + heldOut + " is out of range, expected above 0 and below 1");
        }
        if (memory < 0) {
            throw new InvalidInput("memory for images " + memory + " is out of range, expected 0 or more bytes");
        }
    }

    /** All images as they are, in memory up to half of what the Java heap may grow to. */
    public static ReadOptions standard() {
        return new ReadOptions(
                Integer.MAX_VALUE,
                Integer.MAX_VALUE,
                0,
                HELD_OUT,
                Runtime.getRuntime().maxMemory() / 2,
                LoadListener.silent());
    }

    /** Only the first images of each class. */
    public ReadOptions images(int train, int test) {
        return new ReadOptions(train, test, imageSize, heldOut, memory, listener);
    }

    public ReadOptions imageSize(int side) {
        return new ReadOptions(trainImages, testImages, side, heldOut, memory, listener);
    }

    public ReadOptions heldOut(double fraction) {
        return new ReadOptions(trainImages, testImages, imageSize, fraction, memory, listener);
    }

    public ReadOptions memory(long bytes) {
        return new ReadOptions(trainImages, testImages, imageSize, heldOut, bytes, listener);
    }

    public ReadOptions listener(LoadListener hears) {
        return new ReadOptions(trainImages, testImages, imageSize, heldOut, memory, hears);
    }
}
