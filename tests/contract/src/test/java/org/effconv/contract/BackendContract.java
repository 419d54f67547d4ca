package org.effconv.contract;

import static org.junit.jupiter.api.Assumptions.assumeTrue;

import java.util.EnumSet;
import java.util.List;
import java.util.ServiceLoader;
import java.util.Set;
import java.util.stream.Stream;
import org.effconv.backend.Backend;
import org.effconv.backend.OperationTest;
import org.effconv.tensor.DataType;
import org.junit.jupiter.params.Parameter;
import org.junit.jupiter.params.ParameterizedClass;
import org.junit.jupiter.params.provider.MethodSource;

/** A part of what every backend must do; run once for each {@link BackendProvider}. */
@ParameterizedClass(name = "{0}")
@MethodSource("org.effconv.contract.BackendContract#providers")
abstract class BackendContract extends OperationTest<Backend> {
    /** Names of backends, with commas between them: {@code -Deffconv.contract=cuda}. */
    private static final String CHOSEN = "effconv.contract";

    @Parameter
    Named named;

    /** A provider under its name, which is what reports show. */
    record Named(BackendProvider provider) {
        @Override
        public String toString() {
            return provider.name();
        }
    }

    /** All, or those that the system property names. */
    static Stream<Named> providers() {
        String chosen = System.getProperty(CHOSEN);
        return ServiceLoader.load(BackendProvider.class).stream()
                .map(p -> new Named(p.get()))
                .filter(n -> chosen == null || List.of(chosen.split(",")).contains(n.toString()));
    }

    final BackendProvider provider() {
        return named.provider();
    }

    @Override
    protected final Backend openBackend() {
        provider().missing().ifPresent(reason -> assumeTrue(false, provider().name() + ": " + reason));
        return provider().open();
    }

    /** Types of activations that this backend computes in. */
    final Set<DataType> activations() {
        return provider().types();
    }

    /** Those of them in which it convolves and multiplies. */
    final Set<DataType> productTypes() {
        return provider().productTypes();
    }

    /** Those of parameters. */
    final Set<DataType> parameterTypes() {
        Set<DataType> types = EnumSet.copyOf(activations());
        types.remove(DataType.BF16);
        return types;
    }

    /** Skips a test that needs fp64: central differences; backends without it are held to fp64 references instead. */
    final void needsDouble() {
        assumeTrue(activations().contains(DataType.F64), provider().name() + " does not compute in fp64");
    }
}
