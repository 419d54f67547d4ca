package org.effconv.cli;

import java.util.Collection;
import java.util.Comparator;
import java.util.List;
import java.util.Map;
import java.util.stream.Stream;
import org.apache.commons.text.similarity.LevenshteinDistance;
import org.effconv.Settings;
import picocli.CommandLine;
import picocli.CommandLine.Model.CommandSpec;
import picocli.CommandLine.Model.OptionSpec;
import picocli.CommandLine.ParameterException;
import picocli.CommandLine.UnmatchedArgumentException;

/** Names that are unknown, and those that were perhaps meant. */
final class Suggestion {
    private static final int MOST = 3;
    private static final int LETTERS_PER_MISTAKE = 3;
    private static final LevenshteinDistance MISTAKES = LevenshteinDistance.getDefaultInstance();

    private Suggestion() {}

    /** @throws ParameterException if a system property looks like a setting of EffConv and is none */
    static void requireKnownProperties(CommandLine command) {
        Collection<String> known = Settings.properties();
        for (String name : System.getProperties().stringPropertyNames()) {
            if (name.startsWith(Settings.PROPERTIES) && !known.contains(name)) {
                throw new ParameterException(command, "unknown system property '-D" + name + "'" + among(known, name));
            }
        }
    }

    /** What to say of arguments that belong nowhere. */
    static String of(UnmatchedArgumentException e) {
        String typed = e.getUnmatched().get(0);
        CommandSpec command = e.getCommandLine().getCommandSpec();
        if (e.isUnknownOption()) {
            Stream<String> options = Stream.concat(
                    command.options().stream().map(OptionSpec::longestName),
                    command.negatedOptionsMap().keySet().stream());
            return "unknown option '" + typed + "'" + among(options.toList(), typed);
        }
        if (!command.subcommands().isEmpty()) {
            return "unknown command '" + typed + "'"
                    + among(
                            command.subcommands().entrySet().stream()
                                    .filter(c -> !c.getValue()
                                            .getCommandSpec()
                                            .usageMessage()
                                            .hidden())
                                    .map(Map.Entry::getKey)
                                    .toList(),
                            typed);
        }
        return "unexpected argument '" + typed + "'";
    }

    /**
     * The names that begin with what was typed; else those with at most one mistake in three letters, the nearest
     * first.
     */
    private static String among(Collection<String> names, String typed) {
        String plain = plain(typed);
        int mostMistakes = Math.max(1, plain.length() / LETTERS_PER_MISTAKE);
        List<String> meant = names.stream()
                .filter(name -> plain.length() > 1 && plain(name).startsWith(plain))
                .sorted()
                .limit(MOST)
                .toList();
        if (meant.isEmpty()) {
            meant = names.stream()
                    .filter(name -> mistakes(plain, name) <= mostMistakes)
                    .sorted(Comparator.comparingInt(name -> mistakes(plain, name)))
                    .limit(MOST)
                    .toList();
        }
        return meant.isEmpty() ? "" : "; did you mean " + String.join(" or ", meant) + "?";
    }

    private static int mistakes(String plain, String name) {
        return MISTAKES.apply(plain, plain(name));
    }

    private static String plain(String name) {
        return name.startsWith(Settings.PROPERTIES)
                ? name.substring(Settings.PROPERTIES.length())
                : name.replaceAll("^-+", "");
    }
}
