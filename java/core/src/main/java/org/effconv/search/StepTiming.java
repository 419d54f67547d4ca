package org.effconv.search;

import java.util.Optional;
import org.effconv.autodiff.Tape;
import org.effconv.autodiff.Variable;
import org.effconv.nn.WeightSource.Progress;

/** When a steady update reads its gradients: at once, or late on a device that no step should wait for. */
interface StepTiming extends AutoCloseable {
    /** Before a step. */
    void prepare(Progress progress);

    /** As {@link org.effconv.train.TrainableWeights#stepKey}. */
    Optional<Object> key();

    /** Whether the pass that begins is a step that was prepared; its weights then stand on the tape. */
    boolean beginPrepared(Tape tape);

    /** After the backward pass of a step that moves sizes. */
    void takeGradient(Variable drawn, Progress progress);

    /** Once a step is under way. */
    void afterStep(Progress progress);

    /** Takes up what is still under way. */
    void finish();

    /** Drops what is still under way. */
    void forget();

    @Override
    void close();
}
