package org.effconv.cli;

import java.util.List;
import java.util.Map;
import java.util.TreeMap;
import org.effconv.Setting;
import org.effconv.Settings;
import picocli.CommandLine.Model.CommandSpec;
import picocli.CommandLine.Model.OptionSpec;
import picocli.CommandLine.ParseResult;

/** Gives a command one option for each of its settings, out of the one table in {@link Settings}. */
final class SettingOptions {
    private SettingOptions() {}

    static void add(CommandSpec spec, List<Setting<?>> settings) {
        for (Setting<?> s : settings) {
            OptionSpec.Builder option = OptionSpec.builder("--" + s.key());
            if (s.isFlag()) {
                option.type(Boolean.class)
                        .arity("0")
                        .negatable(true)
                        .defaultValue(s.standard().toString())
                        .fallbackValue("true");
            } else {
                option.type(String.class).arity("1").paramLabel(label(s));
            }
            option.description(s.description().replace("%", "%%") + standard(s));
            spec.addOption(option.build());
        }
        spec.usageMessage().sortOptions(false); // in the order of the table
    }

    private static String label(Setting<?> s) {
        Object standard = s.standard();
        return standard instanceof String
                ? s.key().toUpperCase(java.util.Locale.ROOT)
                : standard instanceof Double ? "X" : "N";
    }

    private static String standard(Setting<?> s) {
        if (s.isFlag()) {
            return s.standard().equals(true) ? " (default: on)" : " (default: off)";
        }
        String choices = s.form().startsWith("one of") ? s.form() + "; " : "";
        return " (" + choices + "default: " + s.standard() + ")";
    }

    /** What the user gave, as text by setting; without what was left out. */
    static Map<String, String> given(ParseResult parsed, List<Setting<?>> settings) {
        Map<String, String> given = new TreeMap<>();
        for (Setting<?> s : settings) {
            OptionSpec option = parsed.matchedOption("--" + s.key());
            if (option != null) {
                given.put(s.key(), option.getValue().toString());
            }
        }
        return given;
    }

    /** Whether the user gave a setting, or its system property, so that it is not the standard value. */
    static boolean isSet(ParseResult parsed, Setting<?> setting) {
        return given(parsed, List.of(setting)).containsKey(setting.key())
                || System.getProperty(setting.property()) != null;
    }

    /** Standard values and system properties, overridden by what the user gave. */
    static Settings settings(ParseResult parsed, List<Setting<?>> offered) {
        Settings settings = Settings.standard();
        Map<String, String> given = given(parsed, offered);
        for (Setting<?> s : offered) {
            if (given.containsKey(s.key())) {
                settings = settings.withText(s, given.get(s.key()), "--" + s.key());
            }
        }
        return settings;
    }
}
