package org.effconv;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;

import com.fasterxml.jackson.databind.node.ObjectNode;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.HashSet;
import java.util.List;
import java.util.Set;
import java.util.TreeSet;
import java.util.regex.Pattern;
import java.util.stream.Stream;
import org.effconv.error.EffconvException.InvalidInput;
import org.junit.jupiter.api.Test;

class SettingsTest {
    @Test
    void configHoldsEverySettingAndGivesItBack() {
        Settings settings = Settings.standard()
                .with(Settings.LR, 0.25)
                .with(Settings.BUDGET, "1.5x")
                .with(Settings.AUGMENT, false);
        ObjectNode json = settings.toJson();
        assertEquals(Settings.table().size(), json.size());
        assertEquals(settings, Settings.fromJson(json, "config.json"));
        assertThrows(InvalidInput.class, () -> Settings.fromJson(json.deepCopy().put("colour", 1), "config.json"));
        assertThrows(
                InvalidInput.class,
                () -> Settings.fromJson((ObjectNode) json.deepCopy().without("seed"), "config.json"));
        assertThrows(
                InvalidInput.class,
                () -> Settings.fromJson((ObjectNode) json.deepCopy().set("seed", json), "config.json"));
    }

    @Test
    void placesAreAbsoluteAndNamesStayAsTheyAre() {
        Settings settings =
                Settings.standard().with(Settings.DATA, "../my/data").with(Settings.LATENCY_TABLE, "./table.json");
        Path here = Path.of("").toAbsolutePath();
        // As written: where the folder before ".." is a link, another one is meant than what its text says.
        assertEquals(here.resolve("../my/data").toString(), settings.get(Settings.DATA));
        assertEquals(here.resolve("./table.json").toString(), settings.get(Settings.LATENCY_TABLE));
        for (String name : List.of("fashion-mnist", "planted:3,train=64")) {
            assertEquals(name, settings.with(Settings.DATA, name).get(Settings.DATA));
        }
        assertEquals("none", Settings.standard().get(Settings.LATENCY_TABLE));
        assertThrows(InvalidInput.class, () -> settings.with(Settings.DATA, "a\0b"));
    }

    @Test
    void whatARunIsLeavesOutWhereItsFilesAre() {
        Settings settings = Settings.standard();
        assertEquals(Set.of("data", "data-memory", "latency-table"), names(settings.places()));
        Set<String> all = names(settings.identity());
        all.addAll(names(settings.places()));
        assertEquals(names(settings.toJson()), all);
        assertEquals(
                settings.identity(), settings.with(Settings.DATA, "elsewhere").identity());
    }

    private static Set<String> names(ObjectNode json) {
        Set<String> names = new HashSet<>();
        json.fieldNames().forEachRemaining(names::add);
        return names;
    }

    @Test
    void aSearchHasALastPartOnlyWhereItIsJudged() {
        Settings standard = Settings.standard();
        assertEquals(0.2, Resolution.search(standard).closing());
        assertEquals(
                0.1, Resolution.search(standard.with(Settings.CLOSING, 0.1)).closing());
        assertEquals(0, Resolution.search(standard.with(Settings.POLISH, 0)).closing());
        assertEquals(0, Resolution.search(standard.with(Settings.CEILING, true)).closing());
    }

    @Test
    void aSystemPropertyChangesTheStandardValue() {
        System.setProperty("effconv.batch", "17");
        try {
            assertEquals(17, Settings.standard().get(Settings.BATCH));
            System.setProperty("effconv.batch", "many");
            String message =
                    assertThrows(InvalidInput.class, Settings::standard).getMessage();
            assertTrue(message.startsWith("-Deffconv.batch 'many'"), message);
        } finally {
            System.clearProperty("effconv.batch");
        }
    }

    @Test
    void everyStandardValueIsOneThatItsSettingAccepts() {
        for (Setting<?> s : Settings.table()) {
            assertEquals(s.standard(), s.parse(s.standard().toString(), s.key()), s.key());
        }
        Resolution.search(Settings.standard()); // the search's own checks
    }

    @Test
    void numbersAreDecimalAndNothingElse() {
        for (String good : List.of("0.01", "1e-2", ".01", "1.E-2", "+0.01", " 0.01 ")) {
            assertEquals(0.01, Settings.LR.parse(good, "--lr"), good);
        }
        for (String bad :
                List.of("1f", "1d", "0x1p3", "NaN", "Infinity", "1e400", "-1", "1,5", "1e-3x", "", ".", "1 2")) {
            assertTrue(assertThrows(InvalidInput.class, () -> Settings.LR.parse(bad, "--lr"), bad)
                    .getMessage()
                    .startsWith("--lr '" + bad + "': expected a number"));
        }
        String tooLong = assertThrows(InvalidInput.class, () -> Settings.SEED.parse("9223372036854775808", "--seed"))
                .getMessage();
        assertEquals("--seed '9223372036854775808': expected an integer of 64 bits", tooLong);
        assertEquals(Long.MIN_VALUE, Settings.SEED.parse("-9223372036854775808", "--seed"));
    }

    @Test
    void thePropertiesAreThoseThatTheSourcesRead() throws IOException {
        Pattern literal = Pattern.compile("\"effconv\\.([a-z-]{2,})\"|-Deffconv\\.([a-z-]+)=\"");
        Set<String> read =
                new TreeSet<>(Settings.table().stream().map(Setting::property).toList());
        List<Path> sources = new ArrayList<>(List.of(Path.of("../../effconv")));
        for (String root : List.of(
                "../core/src/main/java",
                "../export/src/main/java",
                "../onnx/src/main/java",
                "../cli/src/main/java",
                "../../tests/contract/src/test/java",
                "src/test/java/org/effconv/data",
                "src/test/java/org/effconv/backend/cpu")) {
            try (Stream<Path> all = Files.walk(Path.of(root))) {
                all.filter(p -> p.toString().endsWith(".java")).forEach(sources::add);
            }
        }
        for (Path source : sources) {
            literal.matcher(Files.readString(source))
                    .results()
                    .forEach(m -> read.add(Settings.PROPERTIES + (m.group(1) != null ? m.group(1) : m.group(2))));
        }
        assertEquals(read, Settings.properties());
    }
}
