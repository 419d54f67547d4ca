package org.effconv.backend.bridge;

import org.effconv.error.EffconvException;

/** The one place where a status of the native library becomes an exception. */
public final class NativeStatus {
    private NativeStatus() {}

    /** @throws RuntimeException with the library's sentence, unless the status is EC_OK */
    public static void check(int status) {
        if (status == NativeLibrary.EC_OK) {
            return;
        }
        String sentence = NativeLibrary.ec_last_error().getString();
        throw switch (status) {
            case NativeLibrary.EC_INVALID_ARGUMENT -> new IllegalArgumentException(sentence);
            case NativeLibrary.EC_OUT_OF_MEMORY -> new EffconvException.OutOfDeviceMemory(sentence);
            default -> new EffconvException("native library, status " + status + ": " + sentence);
        };
    }
}
