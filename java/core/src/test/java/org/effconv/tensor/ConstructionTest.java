package org.effconv.tensor;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertThrows;

import java.util.ArrayList;
import java.util.List;
import org.junit.jupiter.api.Test;

class ConstructionTest {
    private final List<String> closed = new ArrayList<>();

    @Test
    void partsOfWhatFailedAreClosedTheLastFirstWhateverOneOfThemSays() {
        AutoCloseable first = () -> closed.add("first");
        AutoCloseable broken = () -> {
            throw new IllegalArgumentException("cannot be closed");
        };
        AutoCloseable last = () -> closed.add("last");
        IllegalStateException why = assertThrows(IllegalStateException.class, () -> {
            try (Construction construction = new Construction()) {
                construction.own(first);
                construction.own(broken);
                construction.own(last);
                throw new IllegalStateException("half way");
            }
        });
        assertEquals(List.of("last", "first"), closed);
        assertEquals("half way", why.getMessage());
        assertEquals("cannot be closed", why.getSuppressed()[0].getMessage());
    }

    @Test
    void partsOfWhatIsDoneStayOpen() {
        AutoCloseable part = () -> closed.add("part");
        try (Construction construction = new Construction()) {
            construction.own(part);
            construction.done();
        }
        assertEquals(List.of(), closed);
    }
}
