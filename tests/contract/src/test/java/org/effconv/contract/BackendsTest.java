package org.effconv.contract;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertTrue;
import static org.junit.jupiter.api.Assumptions.assumeTrue;

import org.effconv.backend.Backend;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.MethodSource;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;

/**
 * Says once which backends this machine runs the suite against, and why not the others; build tools hide the reasons of
 * skips.
 */
class BackendsTest {
    private static final Logger LOG = LoggerFactory.getLogger(BackendsTest.class);

    @ParameterizedTest(name = "{0}")
    @MethodSource("org.effconv.contract.BackendContract#providers")
    void runsHereOrSaysWhyNot(BackendContract.Named named) {
        BackendProvider provider = named.provider();
        provider.missing().ifPresent(reason -> {
            LOG.warn("contract suite: skipped for {}: {}", named, reason);
            assumeTrue(false, named + ": " + reason);
        });
        LOG.info("contract suite: runs for {}, in {}", named, provider.types());
        assertTrue(provider.types().containsAll(provider.productTypes()));
        Backend backend = provider.open();
        assertTrue(
                !backend.name().equals("cpu") || backend.memory().guarded(), "what lies beside an operand is watched");
        backend.close();
        assertEquals(0, backend.liveBytes());
    }
}
