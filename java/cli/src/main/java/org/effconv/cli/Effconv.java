package org.effconv.cli;

import java.io.PrintWriter;
import java.io.UncheckedIOException;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Locale;
import java.util.Map;
import java.util.Optional;
import java.util.Set;
import java.util.function.Predicate;
import java.util.function.Supplier;
import java.util.stream.Collectors;
import org.effconv.Setting;
import org.effconv.error.EffconvException;
import org.effconv.error.EffconvException.InvalidInput;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;
import picocli.AutoComplete;
import picocli.CommandLine;
import picocli.CommandLine.Command;
import picocli.CommandLine.Model.CommandSpec;
import picocli.CommandLine.ParameterException;
import picocli.CommandLine.ParseResult;
import picocli.CommandLine.UnmatchedArgumentException;

/**
 * The command line: {@code effconv learn | train | report | eval | data | export | search | sizes | sweep | compare |
 * latency-table | bench | info}. Exit codes: 0 good, 1 the job failed, 2 bad arguments or input, 128 + n ended by
 * signal n.
 */
@Command(
        name = "effconv",
        description = "Learns how large each convolution kernel of a CNN should be, for a budget of parameters, "
                + "multiply-adds or time.",
        mixinStandardHelpOptions = true,
        versionProvider = Version.class,
        synopsisSubcommandLabel = "COMMAND",
        footer = {
            "",
            "Begin with 'effconv learn', which needs no options; docs/tutorial.md goes on from there.",
            "Every setting can also be given as a system property: EFFCONV_JAVA_OPTS=-Deffconv.lr=0.01.",
            "Exit codes: 0 good, 1 the job failed, 2 bad arguments or input, 128 + n ended by signal n (130 by Ctrl-C)."
        })
public final class Effconv implements Runnable {
    static final int FAILED = 1;
    static final int BAD_INPUT = 2;
    private static final String COMPLETION = "generate-completion"; // picocli's name

    @CommandLine.Spec
    private CommandSpec spec;

    public static void main(String[] arguments) {
        Locale.setDefault(Locale.ROOT); // for libraries that format numbers without being told how
        StandardOutput out = StandardOutput.install();
        Set<String> words = Set.copyOf(List.of(arguments));
        boolean all = words.contains(COMPLETION);
        CommandLine line = commandLine(name -> all || words.contains(name));
        int code = out.exitCode(line.execute(arguments), System.err);
        System.exit(Interrupts.exitCode(code));
    }

    /** A fresh command line, ready to execute. */
    public static CommandLine commandLine() {
        return commandLine(name -> true);
    }

    /**
     * @param isNamed whether the arguments can be of this command; of others the list of commands is all that is needed
     */
    private static CommandLine commandLine(Predicate<String> isNamed) {
        Map<Class<?>, Supplier<CommandLine>> commands = new LinkedHashMap<>();
        commands.put(LearnCommand.class, () -> run(new LearnCommand()));
        commands.put(TrainCommand.class, () -> run(new TrainCommand()));
        commands.put(ReportCommand.class, () -> new CommandLine(new ReportCommand()));
        commands.put(EvalCommand.class, () -> withSettings(new EvalCommand(), EvalCommand.offered()));
        commands.put(DataCommand.class, () -> withSettings(new DataCommand(), DataCommand.offered()));
        commands.put(ExportCommand.class, () -> new CommandLine(new ExportCommand()));
        commands.put(SearchCommand.class, () -> run(new SearchCommand()));
        commands.put(SizesCommand.class, () -> new CommandLine(new SizesCommand()));
        commands.put(SweepCommand.class, () -> withSettings(new SweepCommand(), SweepCommand.offered()));
        commands.put(SweepJobCommand.class, () -> new CommandLine(new SweepJobCommand()));
        commands.put(CompareCommand.class, () -> new CommandLine(new CompareCommand()));
        commands.put(
                LatencyTableCommand.class,
                () -> withSettings(new LatencyTableCommand(), LatencyTableCommand.offered()));
        commands.put(BenchCommand.class, () -> withSettings(new BenchCommand(), BenchCommand.offered()));
        commands.put(InfoCommand.class, () -> new CommandLine(new InfoCommand()));

        CommandLine line = new CommandLine(new Effconv());
        commands.forEach((type, whole) -> {
            Command is = type.getAnnotation(Command.class);
            if (isNamed.test(is.name())) {
                CommandLine command = whole.get();
                command.getCommandSpec().versionProvider(new Version());
                HelpSections.use(command);
                line.addSubcommand(command);
            } else {
                CommandSpec listed = CommandSpec.create().name(is.name());
                listed.usageMessage().description(is.description()).hidden(is.hidden());
                line.addSubcommand(listed.name(), listed);
            }
        });
        line.addSubcommand(new CommandLine.HelpCommand());
        CommandLine completion = new CommandLine(new AutoComplete.GenerateCompletion());
        completion.getCommandSpec().usageMessage().hidden(true); // the zip holds what it prints
        line.addSubcommand(completion);
        line.setUsageHelpAutoWidth(true)
                .setExpandAtFiles(false) // '@' is a letter that names of files may begin with
                .setExecutionStrategy(Effconv::execute)
                .setParameterExceptionHandler(Effconv::badArguments)
                .setExecutionExceptionHandler(Effconv::failed)
                .setColorScheme(CommandLine.Help.defaultColorScheme(
                        CommandLine.Help.Ansi.OFF)); // colours are control characters
        return line.setOut(new PrintWriter(new Printable(line.getOut()), true))
                .setErr(new PrintWriter(new Printable(line.getErr()), true));
    }

    private static CommandLine run(RunCommand<?, ?> command) {
        return withSettings(command, command.offered());
    }

    private static CommandLine withSettings(Object command, List<Setting<?>> offered) {
        CommandLine line = new CommandLine(command);
        SettingOptions.add(line.getCommandSpec(), offered);
        return line;
    }

    @Override
    public void run() {
        throw new ParameterException(
                spec.commandLine(),
                "a command is missing: one of "
                        + spec.subcommands().values().stream()
                                .filter(command ->
                                        !command.getCommandSpec().usageMessage().hidden())
                                .map(CommandLine::getCommandName)
                                .distinct()
                                .collect(Collectors.joining(", ")));
    }

    private static int badArguments(ParameterException e, String[] arguments) {
        CommandLine command = e.getCommandLine();
        PrintWriter err = command.getErr();
        err.println("effconv: "
                + (e instanceof UnmatchedArgumentException unmatched ? Suggestion.of(unmatched) : e.getMessage()));
        err.println("'" + command.getCommandSpec().qualifiedName() + " --help' lists the arguments.");
        err.flush();
        return BAD_INPUT;
    }

    /** An Error is none of picocli's failures; those that say what the process lacks are some of ours. */
    private static int execute(ParseResult parsed) {
        Integer help = CommandLine.executeHelpRequest(parsed);
        if (help != null) {
            return help;
        }
        List<CommandLine> commands = parsed.asCommandLineList();
        CommandLine command = commands.get(commands.size() - 1);
        Suggestion.requireKnownProperties(command);
        RunLog.install(); // not before: what sets up logging takes as long as a help text
        try {
            return new CommandLine.RunLast().execute(parsed);
        } catch (OutOfMemoryError | StackOverflowError e) {
            throw new CommandLine.ExecutionException(command, e.toString(), new EffconvException(e.toString(), e));
        }
    }

    private static int failed(Exception e, CommandLine command, ParseResult parsed) {
        PrintWriter err = command.getErr();
        Logger log = LoggerFactory.getLogger(Effconv.class);
        int code = e instanceof InvalidInput ? BAD_INPUT : FAILED;
        Optional<Error> exhausted = Exhausted.in(e); // also in a thread that works for the command
        if (exhausted.isPresent()) {
            log.info("failed", e);
            err.println("effconv: " + Exhausted.message(exhausted.get()));
        } else if (e instanceof EffconvException || e instanceof UncheckedIOException) {
            log.info("failed", e); // the trace is for log.txt alone
            err.println("effconv: " + Printable.line(String.valueOf(e.getMessage())));
        } else {
            log.error("unexpected", e);
            err.println("effconv: unexpected failure, please report it: " + e);
            e.printStackTrace(err);
        }
        err.flush();
        return code;
    }
}
