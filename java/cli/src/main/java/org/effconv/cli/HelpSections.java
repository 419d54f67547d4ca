package org.effconv.cli;

import java.util.ArrayList;
import java.util.Comparator;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.Set;
import java.util.stream.Collectors;
import java.util.stream.Stream;
import org.effconv.Setting;
import org.effconv.Settings;
import picocli.CommandLine;
import picocli.CommandLine.Help;
import picocli.CommandLine.Model.CommandSpec;
import picocli.CommandLine.Model.OptionSpec;
import picocli.CommandLine.Model.UsageMessageSpec;

/**
 * The order of a command's help: the dozen options that most people need first, the others under headings. It concerns
 * the help alone; picocli's option groups would also change what a repeated option means.
 */
final class HelpSections {
    static final String FIRST = "Needed most";
    static final String SIZES = "How sizes are learned";
    static final String TWO_STAGES = "In a search of its own, before the training (two stages)";
    static final String TRAINING = "Training";
    static final String DEVICE = "Device";
    static final String COMPARING = "Data and comparison";
    private static final String TIMING = "How it is timed";

    private static final String WORDS = "Words such as uniform, sized layer or two stages: docs/reference/glossary.md. "
            + "Data: docs/reference/data.md.";

    /** Settings that stand first. */
    private static final List<Setting<?>> NEEDED_MOST = List.of(
            Settings.ARCH,
            Settings.DATA,
            Settings.TRAIN_IMAGES,
            Settings.BUDGET,
            Settings.COST,
            Settings.EPOCHS,
            Settings.SEED,
            Settings.DEVICE,
            Settings.THREADS,
            Settings.PRECISION);

    private static final Map<String, List<Setting<?>>> LATER = later();

    /** Options of single commands that do not stand first. */
    private static final Map<String, Set<String>> LATER_BY_NAME = Map.of(
            COMPARING, Set.of("--draws", "--match", "--validation"),
            TIMING,
                    Set.of(
                            "--search-length",
                            "--repeats",
                            "--seconds",
                            "--warm",
                            "--bf16-tflops",
                            "--fp32-tflops",
                            "--memory-tbs"));

    private HelpSections() {}

    private static Map<String, List<Setting<?>>> later() {
        List<Setting<?>> device = List.of(Settings.GPU_MEMORY, Settings.CONV, Settings.GRAPHS);
        List<Setting<?>> comparing = List.of(
                Settings.TEST_IMAGES,
                Settings.VALIDATION,
                Settings.IMAGE_SIZE,
                Settings.DATA_MEMORY,
                Settings.BEST_EPOCH,
                Settings.COMPARE,
                Settings.COMPARE_SHAPES);
        Map<String, List<Setting<?>>> sections = new LinkedHashMap<>();
        List<Setting<?>> twoStages = new ArrayList<>(Settings.ofTwoStages());
        twoStages.addAll(List.of(Settings.CEILING, Settings.WARM_START)); // each takes two stages, or needs them
        sections.put(SIZES, without(Settings.ofSearch(), NEEDED_MOST, comparing, twoStages));
        sections.put(TWO_STAGES, List.copyOf(twoStages));
        sections.put(TRAINING, without(Settings.table(), NEEDED_MOST, device, comparing, Settings.ofSearch()));
        sections.put(COMPARING, comparing);
        sections.put(DEVICE, device);
        return sections;
    }

    @SafeVarargs
    private static List<Setting<?>> without(List<Setting<?>> settings, List<Setting<?>>... others) {
        List<Setting<?>> left = new ArrayList<>(settings);
        for (List<Setting<?>> other : others) {
            left.removeAll(other);
        }
        return List.copyOf(left);
    }

    /** All settings by section, in the order of help texts and of the reference page. */
    static Map<String, List<Setting<?>>> settings() {
        Map<String, List<Setting<?>>> sections = new LinkedHashMap<>();
        sections.put(FIRST, NEEDED_MOST);
        sections.putAll(LATER);
        return sections;
    }

    /** Gives a command's help these sections, if it has options for more than one. */
    static void use(CommandLine command) {
        CommandSpec spec = command.getCommandSpec();
        if (sections(spec).size() > 1) {
            spec.usageMessage().abbreviateSynopsis(true);
            if (spec.usageMessage().footer().length == 0) {
                spec.usageMessage().footer("", WORDS);
            }
            command.getHelpSectionMap().put(UsageMessageSpec.SECTION_KEY_OPTION_LIST, HelpSections::text);
        }
    }

    private static String text(Help help) {
        CommandSpec spec = help.commandSpec();
        return sections(spec).entrySet().stream()
                .map(section -> {
                    // Columns are as wide as all options need, so that the sections stand in line.
                    Help.Layout layout =
                            help.createDefaultLayout(spec.options(), spec.positionalParameters(), help.colorScheme());
                    layout.addOptions(section.getValue(), help.parameterLabelRenderer());
                    return System.lineSeparator() + section.getKey() + ":" + System.lineSeparator() + layout;
                })
                .collect(Collectors.joining());
    }

    /** The options of a command by heading; no heading is empty. */
    static Map<String, List<OptionSpec>> sections(CommandSpec spec) {
        Map<String, List<OptionSpec>> sections = new LinkedHashMap<>();
        Stream.concat(Stream.of(FIRST), Stream.concat(LATER.keySet().stream(), Stream.of(TIMING)))
                .forEach(heading -> sections.put(heading, new ArrayList<>()));
        spec.options().forEach(o -> sections.get(heading(o)).add(o));
        sections.get(FIRST).sort(Comparator.comparingInt(HelpSections::rank)); // stable
        sections.values().removeIf(List::isEmpty);
        return sections;
    }

    // What is learned on what, then the command's own options, and what every command has.
    private static int rank(OptionSpec option) {
        List<String> keys = NEEDED_MOST.stream().map(s -> "--" + s.key()).toList();
        int setting = keys.indexOf(option.longestName());
        return setting >= 0 ? setting : option.usageHelp() || option.versionHelp() ? keys.size() + 1 : keys.size();
    }

    private static String heading(OptionSpec option) {
        String name = option.longestName();
        for (Map.Entry<String, Set<String>> section : LATER_BY_NAME.entrySet()) {
            if (section.getValue().contains(name)) {
                return section.getKey();
            }
        }
        for (Map.Entry<String, List<Setting<?>>> section : LATER.entrySet()) {
            if (section.getValue().stream().anyMatch(s -> name.equals("--" + s.key()))) {
                return section.getKey();
            }
        }
        return FIRST;
    }
}
