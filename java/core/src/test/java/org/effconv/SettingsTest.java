package org.effconv;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;

import com.fasterxml.jackson.databind.node.ObjectNode;
import org.effconv.EffconvException.InvalidInput;
import org.junit.jupiter.api.Test;

class SettingsTest {
    @Test
    void configHoldsEverySettingAndGivesItBack() {
        Settings settings = Settings.standard().with(Settings.LR, 0.25).with(Settings.BUDGET, "1.5x").with(Settings.AUGMENT, false);
        ObjectNode json = settings.toJson();
        assertEquals(Settings.table().size(), json.size());
        assertEquals(settings, Settings.fromJson(json, "config.json"));
        assertThrows(InvalidInput.class, () -> Settings.fromJson(json.deepCopy().put("colour", 1), "config.json"));
        assertThrows(InvalidInput.class, () -> Settings.fromJson((ObjectNode) json.deepCopy().without("seed"), "config.json"));
    }

    @Test
    void aSearchHasALastPartOnlyWhereItIsJudged() {
        Settings standard = Settings.standard();
        assertEquals(0.2, standard.search().closing());
        assertEquals(0.1, standard.with(Settings.CLOSING, 0.1).search().closing());
        assertEquals(0, standard.with(Settings.POLISH, 0).search().closing());
        assertEquals(0, standard.with(Settings.CEILING, true).search().closing());
    }

    @Test
    void aSystemPropertyChangesTheStandardValue() {
        System.setProperty("effconv.batch", "17");
        try {
            assertEquals(17, Settings.standard().get(Settings.BATCH));
            System.setProperty("effconv.batch", "many");
            String message = assertThrows(InvalidInput.class, Settings::standard).getMessage();
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
        Settings.standard().search(); // the search's own checks
    }
}
