package org.effconv.backend;

/** Which rings of a kernel a support grid holds. */
public enum Support {
    /** Rings with mask > 0. Enough where no gradient of the size is asked for. */
    MASK,
    /**
     * Also rings whose mask is zero but whose derivative by the size is not: the spare ring, carried exactly when it
     * carries signal. Without it no loss can grow a kernel that sits on an odd size.
     */
    SIGNAL
}
