/**
 * The one loop of search and training, and what a run keeps: checkpoints, metrics, the run folder, the model file. The
 * loop knows {@link org.effconv.train.TrainableWeights} and not where weights come from; state that is added to
 * training must go into {@link org.effconv.train.Checkpoint}, or a killed run ends with other bits. Begin with
 * {@link org.effconv.train.TrainingLoop} and {@link org.effconv.train.Phase}.
 */
package org.effconv.train;
