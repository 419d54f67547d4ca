package org.effconv.report;

import com.fasterxml.jackson.databind.JsonNode;
import java.util.ArrayList;
import java.util.List;
import java.util.Locale;
import java.util.stream.Collectors;
import org.effconv.Setting;
import org.effconv.Settings;
import org.effconv.io.ShellWord;
import org.effconv.nn.Architecture;

/**
 * What it takes to run a run again.
 *
 * @param command to type
 * @param changed settings that were not left at their standard value
 * @param ownArchitecture whether the command names a file that the user has
 */
record Repeat(String command, List<Changed> changed, boolean ownArchitecture) {
    record Changed(String key, String value, String standard) {}

    static Repeat of(RunFiles run) {
        String architecture = run.architecture();
        boolean own = !Architecture.builtIns().contains(architecture);
        List<String> words = new ArrayList<>(List.of("./effconv", run.config().command()));
        List<Changed> changed = new ArrayList<>();
        for (Setting<?> setting : Settings.table()) {
            JsonNode value = run.config().identity().path("settings").path(setting.key());
            JsonNode found = value.isMissingNode() ? run.config().places().path(setting.key()) : value;
            String text = setting == Settings.ARCH && own ? architecture + ".json" : found.asText();
            boolean same =
                    found.isMissingNode() || text.equals(setting.standard().toString());
            if (!same) {
                changed.add(new Changed(setting.key(), text, setting.standard().toString()));
            }
            String fixed = same ? fixed(setting, run) : text;
            if (!fixed.isEmpty()) {
                words.add("--" + setting.key());
                words.add(ShellWord.of(fixed));
            }
        }
        if (run.identity("sizes").isArray()) {
            words.add("--sizes");
            words.add(Text.sizes(Text.ints(run.identity("sizes"))).replace(' ', ','));
        }
        return new Repeat(String.join(" ", words), changed, own);
    }

    // What a setting left to the machine, where the same bits depend on it.
    private static String fixed(Setting<?> setting, RunFiles run) {
        JsonNode device = run.identity("device");
        if (setting == Settings.THREADS) {
            return device.path("threads").asText();
        }
        if (setting == Settings.PRECISION) {
            return device.path("activations").asText().equals("BF16") ? "bf16" : "fp32";
        }
        return setting == Settings.DEVICE ? device.path("name").asText().toLowerCase(Locale.ROOT) : "";
    }

    /** The command in a few lines, for a narrow page. */
    String lines() {
        return List.of(command.split(" (?=--)")).stream().collect(Collectors.joining(" \\\n    "));
    }
}
