package org.effconv.train;

import org.effconv.data.Augmentation;

/**
 * What a loop needs to know beside network, weights and data.
 *
 * @param epochs of the whole run
 * @param batch images per step
 * @param optimizer of everything the network and the weight source own
 * @param labelSmoothing 0 for none
 * @param augmentation of the training images
 * @param seed of data order, augmentation and dropout
 */
public record TrainingOptions(
        int epochs,
        int batch,
        OptimizerSettings optimizer,
        double labelSmoothing,
        Augmentation augmentation,
        long seed) {
    /** The same for another number of epochs. */
    public TrainingOptions withEpochs(int other) {
        return new TrainingOptions(other, batch, optimizer, labelSmoothing, augmentation, seed);
    }
}
