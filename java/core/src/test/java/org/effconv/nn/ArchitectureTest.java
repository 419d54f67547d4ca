package org.effconv.nn;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;

import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import org.effconv.error.EffconvException.InvalidInput;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;

class ArchitectureTest {
    private static final String TAIL =
            ", {\"type\": \"globalAveragePool\"}, {\"type\": \"linear\", \"outputs\": \"classes\"}]}";

    private static String described(String layers) {
        return "{\"name\": \"mine\", \"layers\": [" + layers + TAIL;
    }

    private static final String CONV = "{\"type\": \"conv\", \"channels\": 4}";

    @ParameterizedTest
    @CsvSource(
            delimiter = '|',
            quoteCharacter = '~',
            textBlock =
                    """
            {"type": "conv", "channels": 4, "kmax": 4}                  | layers[0].kmax is 4; expected an odd number from 1 to 33
            {"type": "conv", "channels": 4, "kmax": -3}                 | layers[0].kmax is -3; expected an odd number from 1 to 33
            {"type": "conv", "channels": 4, "kmax": 35}                 | layers[0].kmax is 35; expected an odd number from 1 to 33
            {"type": "conv", "channels": 4, "kernel": 2}                | layers[0].kernel is 2; expected an odd number from 1 to 33, or "learned"
            {"type": "conv", "channels": 4, "kernel": 3, "kmax": 5}     | layers[0].kmax is 5; expected no such field beside a fixed kernel
            {"type": "conv", "channels": 0}                             | layers[0].channels is 0; expected a whole number from 1 to 65536, or "same"
            {"type": "conv", "channels": 4.5}                           | layers[0].channels is 4.5; expected a whole number from 1 to 65536, or "same"
            {"type": "conv"}                                            | layers[0].channels is missing; expected the number of output channels
            {"type": "conv", "channels": 4, "stride": 3}                | layers[0].stride is 3; expected a whole number from 1 to 2
            {"type": "conv", "channels": 4, "bias": 1}                  | layers[0].bias is 1; expected true or false
            {"type": "conv", "channels": 4, "padding": 1}               | layers[0].padding is unknown; a layer of type conv has the fields bias, channels
            {"type": "convolution", "channels": 4}                      | layers[0].type is "convolution"; expected conv, batchNorm
            {"channels": 4}                                             | layers[0].type is missing; expected a text
            {"type": "pool", "kind": "min", "size": 2}                  | layers[0].kind is "min"; expected "max" or "average"
            {"type": "pool", "kind": "max", "size": 2, "padding": 2}    | layers[0].padding is 2; expected a whole number from 0 to 1
            {"type": "dropout", "rate": 1}                              | layers[0].rate is 1; expected a number from 0 to below 1
            {"type": "residual", "body": []}                            | layers[0].body is []; expected at least one layer
            {"type": "residual", "body": [{"type": "relux"}]}           | layers[0].body[0].type is "relux"
            {"type": "repeat", "times": 0, "layers": []}                | layers[0].times is 0; expected a whole number from 1 to 1000
            {"type": "relu", "name": "a b"}                             | layers[0].name is "a b"; expected letters
            3                                                           | layers[0] is 3; expected an object
            {"type": "repeat", "times": 2, "layers": []}                | layers[0].layers is []; expected at least one layer
            {"type": "conv", "channels": 99999999999999999999}          | layers[0].channels is 99999999999999999999; expected a whole number
            """)
    void everyFaultNamesFileFieldValueAndExpectation(String layer, String message) {
        InvalidInput e =
                assertThrows(InvalidInput.class, () -> Architecture.parse(described(layer + "," + CONV), "mine.json"));
        assertTrue(e.getMessage().startsWith("mine.json: field " + message), e.getMessage());
    }

    @Test
    void faultsOfTheWholeAreNamed() {
        assertMessage("mine.json: field layers is missing; expected a list of layers", "{\"name\": \"mine\"}");
        assertMessage("mine.json: field name is missing; expected a text", "{\"layers\": []}");
        assertMessage(
                "mine.json: field kmax is 8; expected an odd number", "{\"name\": \"m\", \"kmax\": 8, \"layers\": []}");
        assertMessage(
                "mine.json: field colour is unknown; an architecture has the fields description, kmax, layers, name",
                "{\"name\": \"m\", \"colour\": 1, \"layers\": [" + CONV + TAIL);
        assertMessage(
                "mine.json: field layers holds no convolution with a learned kernel",
                described("{\"type\": \"conv\", \"channels\": 4, \"kernel\": 3}"));
        assertMessage(
                "mine.json: field layers[1].name: \"a\" is used twice",
                described(
                        "{\"type\": \"conv\", \"name\": \"a\", \"channels\": 4}, {\"type\": \"relu\", \"name\": \"a\"}"));
        assertMessage("mine.json: no valid JSON", "{\"name\": ");
    }

    @Test
    void repetitionsAreCountedBeforeTheyAreUnrolled() {
        String thousandfold = "{\"type\": \"repeat\", \"times\": 1000, \"layers\": [" + CONV + "]}";
        assertMessage(
                "mine.json: field layers holds 1,000,002 layers, repetitions unrolled; expected at most 10,000",
                described("{\"type\": \"repeat\", \"times\": 1000, \"layers\": [" + thousandfold + "]}"));
        String tenfold = "{\"type\": \"repeat\", \"times\": 10, \"layers\": [" + thousandfold + "]}";
        assertMessage("mine.json: field layers holds 10,002 layers", described(tenfold)); // with the two behind it
        assertMessage(
                "mine.json: field layers[0].layers[0].layers[0].layers holds 16,384 layers",
                described(nested(17, "repeat")));
    }

    @Test
    void nestingIsLimited() {
        assertEquals(
                "mine",
                Architecture.parse(described(nested(32, "residual")), "mine.json")
                        .name());
        for (String type : new String[] {"repeat", "residual"}) {
            String json = described(nested(33, type));
            InvalidInput e = assertThrows(InvalidInput.class, () -> Architecture.parse(json, "mine.json"));
            assertTrue(
                    e.getMessage()
                            .endsWith(
                                    "... stands in 33 repetitions and residual blocks; expected at most 32 in one another"),
                    e.getMessage());
        }
        assertMessage("mine.json: no valid JSON: Document nesting depth", described(nested(3000, "residual")));
    }

    private static String nested(int depth, String type) {
        String list = type.equals("repeat") ? "\"times\": 2, \"layers\"" : "\"body\"";
        return ("{\"type\": \"" + type + "\", " + list + ": [").repeat(depth) + CONV + "]}".repeat(depth);
    }

    @Test
    void namesAndUnknownFieldsAreLimited() {
        String good = "n".repeat(64);
        String layers = "\", \"layers\": [" + CONV + TAIL;
        assertEquals(
                good,
                Architecture.parse("{\"name\": \"" + good + layers, "mine.json").name());
        for (String name : new String[] {"n".repeat(65), "", " ", "../up", "a\\\\b", "a\\nb"}) {
            assertMessage("mine.json: field name is \"", "{\"name\": \"" + name + layers);
        }
        assertMessage(
                "mine.json: field layers[0].name is \"nnn",
                described("{\"type\": \"relu\", \"name\": \"" + good + "n\"}, " + CONV));
        InvalidInput e = assertThrows(
                InvalidInput.class,
                () -> Architecture.parse(
                        described("{\"type\": \"relu\", \"" + "f".repeat(10_000) + "\": 1}, " + CONV), "mine.json"));
        assertTrue(e.getMessage().length() < 300, e.getMessage());
    }

    @Test
    void aFileWithoutAnEndIsRefused(@TempDir Path dir) throws IOException {
        Path file = dir.resolve("long.json");
        Files.writeString(file, described(CONV) + " ".repeat(16 << 20));
        InvalidInput e = assertThrows(InvalidInput.class, () -> Architecture.read(file));
        assertEquals(file + ": is longer than 16777216 bytes; expected at most that many", e.getMessage());
    }

    private static void assertMessage(String start, String json) {
        InvalidInput e = assertThrows(InvalidInput.class, () -> Architecture.parse(json, "mine.json"));
        assertTrue(e.getMessage().startsWith(start), e.getMessage());
    }

    @Test
    void unknownNameListsTheBuiltIns() {
        InvalidInput e = assertThrows(InvalidInput.class, () -> Architecture.named("vgg"));
        assertTrue(
                e.getMessage().startsWith("architecture \"vgg\" is unknown; expected one of cnn6, dwnet"),
                e.getMessage());
        assertTrue(e.getMessage().contains(String.join(", ", Architecture.builtIns()) + ", or the path"));
    }

    @Test
    void everyBuiltInIsReadUnderItsNameAndFitsItsInputs() {
        for (String name : Architecture.builtIns()) {
            Architecture a = Architecture.named(name);
            assertEquals(name, a.name());
            for (NetworkPlan.Input input : new NetworkPlan.Input[] {
                new NetworkPlan.Input(28, 28, 1, 10),
                new NetworkPlan.Input(32, 32, 3, 10),
                new NetworkPlan.Input(8, 11, 3, 2)
            }) {
                NetworkPlan plan = a.plan(input);
                assertTrue(plan.leastParameters() < plan.mostParameters(), plan.toString());
            }
        }
    }

    @Test
    void aFileInAnotherLayoutIsTheSameArchitecture(@TempDir Path dir) throws IOException {
        Architecture builtIn = Architecture.named("lenet");
        Path file = dir.resolve("lenet.json");
        Files.writeString(file, builtIn.json());
        assertEquals(builtIn, Architecture.read(file));
    }

    @Test
    void missingFileIsNamed(@TempDir Path dir) {
        Path file = dir.resolve("none.json");
        InvalidInput e = assertThrows(InvalidInput.class, () -> Architecture.read(file));
        assertEquals(file + ": no such file", e.getMessage());
    }
}
