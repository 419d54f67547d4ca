package org.effconv.backend;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertTrue;

import java.lang.reflect.Method;
import java.lang.reflect.Modifier;
import org.effconv.backend.cpu.CpuBackend;
import org.effconv.backend.cuda.CudaBackend;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.ValueSource;

/** No operation reaches a device without the checks in front of both. */
class CheckedBackendTest {
    private static final Class<?>[] FAMILIES = {
        DataOperations.class,
        ConvolutionOperations.class,
        LinearOperations.class,
        NetworkOperations.class,
        OptimizerOperations.class,
        MethodOperations.class,
        MaskArithmetic.class
    };

    @ParameterizedTest
    @ValueSource(classes = {CpuBackend.class, CudaBackend.class})
    void everyOperationIsCheckedFirstOrMadeOfOnesThatAre(Class<?> backend) throws NoSuchMethodException {
        int operations = 0;
        for (Class<?> family : FAMILIES) {
            for (Method m : family.getMethods()) {
                Method used = backend.getMethod(m.getName(), m.getParameterTypes());
                boolean composed = m.isDefault() && used.getDeclaringClass() == family;
                assertTrue(composed || used.getDeclaringClass() == CheckedBackend.class, used::toString);
                assertTrue(composed || Modifier.isFinal(used.getModifiers()), used::toString);
                operations++;
            }
        }
        assertTrue(operations > 40, operations + " operations");
    }

    /** An operation of a family that is not listed here would be nobody's. */
    @ParameterizedTest
    @ValueSource(classes = Backend.class)
    void theseAreAllFamilies(Class<?> backend) {
        assertEquals(FAMILIES.length + 1, backend.getInterfaces().length, "and AutoCloseable");
    }
}
