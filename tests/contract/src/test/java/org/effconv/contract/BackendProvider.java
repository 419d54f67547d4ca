package org.effconv.contract;

import java.util.Optional;
import java.util.Set;
import org.effconv.backend.Backend;
import org.effconv.tensor.DataType;

/** A backend that the contract suite runs against; found by {@link java.util.ServiceLoader}. */
public interface BackendProvider {
    /** For the names of tests. */
    String name();

    /** What this machine lacks for it, as the reason of a skip; empty if it can run. */
    Optional<String> missing();

    /** A fresh backend; the suite closes it and then expects no live bytes. */
    Backend open();

    /** Types of activations that it computes in. */
    Set<DataType> types();

    /** Those of them in which it convolves and multiplies matrices; fewer where a processor lacks instructions. */
    default Set<DataType> productTypes() {
        return types();
    }

    /** Whether it runs its operations so slowly that only small shapes are bearable. */
    boolean emulated();

    /** Whether it reads labels and image numbers before it computes, and refuses wrong ones; else they make NaN. */
    boolean refusesWrongLabels();
}
