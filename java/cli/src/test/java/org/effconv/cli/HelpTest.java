package org.effconv.cli;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertTrue;

import java.util.HashSet;
import java.util.List;
import java.util.Map;
import java.util.Set;
import java.util.stream.Stream;
import org.effconv.Setting;
import org.effconv.Settings;
import org.junit.jupiter.api.Test;
import picocli.CommandLine;
import picocli.CommandLine.Model.ArgSpec;
import picocli.CommandLine.Model.CommandSpec;
import picocli.CommandLine.Model.OptionSpec;

/** What {@code --help} says can be read: few options first, one or two short sentences each. */
class HelpTest {
    private static final int MOST_WORDS = 25;
    private static final int MOST_SENTENCES = 2;
    private static final int MOST_FIRST = 16; // a dozen, help and version, and what a sweep lists

    private static List<CommandSpec> commands() {
        return Effconv.commandLine().getSubcommands().values().stream()
                .map(CommandLine::getCommandSpec)
                .filter(c -> !c.usageMessage().hidden() && !c.name().equals("help"))
                .toList();
    }

    @Test
    void everyOptionIsExplainedInOneOrTwoShortSentences() {
        for (CommandSpec command : commands()) {
            Stream.<ArgSpec>concat(command.options().stream(), command.positionalParameters().stream())
                    .forEach(arg -> requireShort(command.name() + " " + arg, String.join(" ", arg.description())));
        }
    }

    @Test
    void everyCommandIsExplainedInShortSentences() {
        for (CommandSpec command : commands()) {
            sentences(String.join(" ", command.usageMessage().description())).forEach(s -> requireFewWords(command, s));
        }
    }

    private static void requireShort(String what, String description) {
        String text = description.replaceAll("\\s*\\([^()]*default: .*\\)$", "");
        assertTrue(!text.isBlank(), what);
        List<String> sentences = sentences(text);
        assertTrue(sentences.size() <= MOST_SENTENCES, what + ": " + text);
        sentences.forEach(s -> requireFewWords(what, s));
    }

    private static void requireFewWords(Object what, String sentence) {
        int words = sentence.split("\\s+").length;
        assertTrue(words < MOST_WORDS, what + ", " + words + " words: " + sentence);
    }

    private static List<String> sentences(String text) {
        return List.of(text.strip().split("(?<=\\.)\\s+"));
    }

    @Test
    void aboutADozenOptionsStandFirstAndTheOthersUnderHeadings() {
        for (CommandSpec command : commands()) {
            Map<String, List<OptionSpec>> sections = HelpSections.sections(command);
            List<OptionSpec> first = sections.get(HelpSections.FIRST);
            assertTrue(first.size() <= MOST_FIRST, command.name() + ": " + first);
            String help = command.commandLine().getUsageMessage();
            int last = -1;
            for (Map.Entry<String, List<OptionSpec>> section : sections.entrySet()) {
                int at = help.indexOf("\n" + section.getKey() + ":\n");
                assertEquals(sections.size() > 1, at >= 0, command.name() + ", " + section.getKey());
                assertTrue(at > last || sections.size() == 1, command.name() + ", " + section.getKey());
                last = at;
            }
            command.options()
                    .forEach(o -> assertTrue(help.contains(o.longestName().replaceFirst("^--", "")), help));
        }
    }

    @Test
    void everySettingStandsInOneSection() {
        Set<Setting<?>> seen = new HashSet<>();
        HelpSections.settings().values().forEach(section -> section.forEach(s -> assertTrue(seen.add(s), s.key())));
        assertEquals(new HashSet<>(Settings.table()), seen);
    }
}
