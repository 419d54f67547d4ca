package org.effconv.onnx;

import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;

import org.effconv.error.EffconvException.InvalidInput;
import org.junit.jupiter.api.Test;

/** The limits of the format; what a model computes is tested in tests/exports. */
class OnnxExportTest {
    @Test
    void whatAFileCannotHoldIsRefused() {
        OnnxExport.requireRoom("a network", 1_000_000_000L);
        String message = assertThrows(InvalidInput.class, () -> OnnxExport.requireRoom("a network", 1L << 31))
                .getMessage();
        assertTrue(message.startsWith("a network has 2147483648 bytes of weights"), message);
    }
}
