package org.effconv.run;

import java.util.List;
import org.effconv.backend.Compute;
import org.effconv.nn.Network;
import org.effconv.nn.NetworkPlan;
import org.effconv.train.TrainedWeights;
import org.effconv.train.TrainingOptions;

/**
 * What the stages of a job share, as values: settings are read and checked before the first one starts, and not again.
 *
 * @param compute where it runs
 * @param plan the architecture, bound to the images' shape
 * @param training of the network found, over all its epochs; its seed is the run's
 */
public record RunInputs(Compute compute, NetworkPlan plan, TrainingOptions training) {
    /** Of weights, data order, augmentation and search. */
    public long seed() {
        return training.seed();
    }

    /** A network with the initial values of this run's seed. */
    public Network network() {
        return new Network(compute.backend(), plan, compute.activationType(), seed());
    }

    /** Fresh weights of given sizes, one per sized layer. */
    public TrainedWeights weights(int[] sizes) {
        return new TrainedWeights(compute.backend(), plan, sizes, compute.activationType(), seed());
    }

    /** Weights that start from given values, per sized layer in (K, k, k, C / groups) order. */
    public TrainedWeights weights(int[] sizes, List<float[]> initial) {
        return new TrainedWeights(compute.backend(), plan, sizes, compute.activationType(), seed(), initial);
    }
}
