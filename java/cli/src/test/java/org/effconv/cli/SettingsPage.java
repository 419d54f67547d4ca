package org.effconv.cli;

import java.util.List;
import java.util.Map;
import java.util.stream.Collectors;
import org.effconv.Setting;
import org.effconv.Settings;
import picocli.CommandLine;

/** Writes docs/reference/settings.md out of the table of settings. */
final class SettingsPage {
    private static final String HEAD =
            """
            # Settings

            Every setting is one row of one table in the code, and the same name serves everywhere. `--lr 0.01` on the command
            line is `.set(Settings.LR, 0.01)` in Java. It is `-Deffconv.lr=0.01` as a system property (in `EFFCONV_JAVA_OPTS`),
            and `"lr": 0.01` in a run's config.json.

            The nearest one wins: the command line or the builder, then the system property, then the default. A flag such as
            `--compare` is turned off by `--no-compare`. Words of our own are explained in the [glossary](glossary.md).

            This page is written by the code, and a test holds it to that. To write it anew, run
            `mvn -pl java/core,java/onnx,java/cli -am test -Dtest=SettingsPageTest -Dsurefire.failIfNoSpecifiedTests=false`
            and copy `java/cli/target/settings.md` here.
            """;

    private static final CommandLine COMMANDS = Effconv.commandLine();

    private SettingsPage() {}

    static String text() {
        return HEAD
                + HelpSections.settings().entrySet().stream()
                        .map(section -> section(section.getKey(), section.getValue()))
                        .collect(Collectors.joining());
    }

    private static String section(String heading, List<Setting<?>> settings) {
        return "\n## " + heading
                + "\n\n| option | default | values | what it does | commands |\n|---|---|---|---|---|\n"
                + settings.stream().map(SettingsPage::row).collect(Collectors.joining());
    }

    private static String row(Setting<?> s) {
        return "| `--" + s.key() + "` | " + (s.isFlag() ? s.standard().equals(true) ? "on" : "off" : s.standard())
                + " | " + (s.isFlag() ? "on or off" : cell(s.form())) + " | " + cell(s.description()) + " | "
                + commands(s) + " |\n";
    }

    private static String cell(String text) {
        return text.replace("|", "\\|").replace("<", "&lt;");
    }

    private static String commands(Setting<?> s) {
        return COMMANDS.getSubcommands().entrySet().stream()
                .filter(c -> !c.getValue().getCommandSpec().usageMessage().hidden())
                .filter(c -> takes(c.getValue(), s))
                .map(Map.Entry::getKey)
                .collect(Collectors.joining(", "));
    }

    private static boolean takes(CommandLine command, Setting<?> s) {
        boolean own = command.getCommandName().equals("sizes") && s == Settings.BUDGET; // an amount, and no range
        return !own && command.getCommandSpec().findOption("--" + s.key()) != null;
    }
}
