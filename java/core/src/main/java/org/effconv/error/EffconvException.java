package org.effconv.error;

/** Root of everything this library throws on purpose; unchecked. Subclasses say what a caller can do about it. */
public class EffconvException extends RuntimeException {
    private static final long serialVersionUID = 1L;

    public EffconvException(String message) {
        super(message);
    }

    public EffconvException(String message, Throwable cause) {
        super(message, cause);
    }

    /** The caller's input is wrong: the sentence names file or setting, field, value and what was expected. */
    public static final class InvalidInput extends EffconvException {
        private static final long serialVersionUID = 1L;

        public InvalidInput(String message) {
            super(message);
        }

        public InvalidInput(String message, Throwable cause) {
            super(message, cause);
        }
    }

    /** The device has no memory left for a request; the session stays usable once memory is freed. */
    public static final class OutOfDeviceMemory extends EffconvException {
        private static final long serialVersionUID = 1L;

        public OutOfDeviceMemory(String message) {
            super(message);
        }
    }

    /** The device is gone for this process; only a restart of the process helps. */
    public static final class DeviceLost extends EffconvException {
        private static final long serialVersionUID = 1L;

        public DeviceLost(String message, Throwable cause) {
            super(message, cause);
        }
    }

    /** A native library is missing or of another version: says what was tried and what mends it. */
    public static final class MissingNative extends EffconvException {
        private static final long serialVersionUID = 1L;

        public MissingNative(String message, Throwable cause) {
            super(message, cause);
        }
    }

    /** The job itself failed: a loss that is no longer finite, a budget that cannot be met. */
    public static final class JobFailed extends EffconvException {
        private static final long serialVersionUID = 1L;

        public JobFailed(String message) {
            super(message);
        }

        public JobFailed(String message, Throwable cause) {
            super(message, cause);
        }
    }
}
