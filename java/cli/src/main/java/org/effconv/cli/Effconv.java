package org.effconv.cli;

import java.io.PrintWriter;
import java.io.UncheckedIOException;
import java.util.List;
import java.util.Locale;
import java.util.Optional;
import java.util.stream.Collectors;
import org.effconv.error.EffconvException;
import org.effconv.error.EffconvException.InvalidInput;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;
import picocli.CommandLine;
import picocli.CommandLine.Command;
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
    private static final Logger LOG = LoggerFactory.getLogger(Effconv.class);
    static final int FAILED = 1;
    static final int BAD_INPUT = 2;

    @CommandLine.Spec
    private CommandLine.Model.CommandSpec spec;

    public static void main(String[] arguments) {
        Locale.setDefault(Locale.ROOT); // for libraries that format numbers without being told how
        StandardOutput out = StandardOutput.install();
        int code = out.exitCode(commandLine().execute(arguments), System.err);
        System.exit(Interrupts.exitCode(code));
    }

    /** A fresh command line, ready to execute. */
    public static CommandLine commandLine() {
        RunLog.install();
        LearnCommand learn = new LearnCommand();
        TrainCommand train = new TrainCommand();
        CommandLine line = new CommandLine(new Effconv());
        CommandLine learnLine = new CommandLine(learn);
        SettingOptions.add(learnLine.getCommandSpec(), learn.offered());
        CommandLine trainLine = new CommandLine(train);
        SettingOptions.add(trainLine.getCommandSpec(), train.offered());
        CommandLine evalLine = new CommandLine(new EvalCommand());
        SettingOptions.add(evalLine.getCommandSpec(), EvalCommand.OFFERED);
        CommandLine dataLine = new CommandLine(new DataCommand());
        SettingOptions.add(dataLine.getCommandSpec(), DataCommand.OFFERED);
        CommandLine benchLine = new CommandLine(new BenchCommand());
        SettingOptions.add(benchLine.getCommandSpec(), BenchCommand.OFFERED);
        SearchCommand search = new SearchCommand();
        CommandLine searchLine = new CommandLine(search);
        SettingOptions.add(searchLine.getCommandSpec(), search.offered());
        CommandLine tableLine = new CommandLine(new LatencyTableCommand());
        SettingOptions.add(tableLine.getCommandSpec(), LatencyTableCommand.OFFERED);
        CommandLine sweepLine = new CommandLine(new SweepCommand());
        SettingOptions.add(sweepLine.getCommandSpec(), SweepCommand.OFFERED);
        line.addSubcommand(learnLine)
                .addSubcommand(trainLine)
                .addSubcommand(new ReportCommand())
                .addSubcommand(evalLine)
                .addSubcommand(dataLine)
                .addSubcommand(new ExportCommand())
                .addSubcommand(searchLine)
                .addSubcommand(new SizesCommand())
                .addSubcommand(sweepLine)
                .addSubcommand(new SweepJobCommand())
                .addSubcommand(new CompareCommand())
                .addSubcommand(tableLine)
                .addSubcommand(benchLine)
                .addSubcommand(new InfoCommand())
                .addSubcommand(new CommandLine.HelpCommand());
        line.getSubcommands().values().forEach(command -> {
            command.getCommandSpec().versionProvider(new Version());
            HelpSections.use(command);
        });
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
        try {
            return new CommandLine.RunLast().execute(parsed);
        } catch (OutOfMemoryError | StackOverflowError e) {
            throw new CommandLine.ExecutionException(command, e.toString(), new EffconvException(e.toString(), e));
        }
    }

    private static int failed(Exception e, CommandLine command, ParseResult parsed) {
        PrintWriter err = command.getErr();
        int code = e instanceof InvalidInput ? BAD_INPUT : FAILED;
        Optional<Error> exhausted = Exhausted.in(e); // also in a thread that works for the command
        if (exhausted.isPresent()) {
            LOG.info("failed", e);
            err.println("effconv: " + Exhausted.message(exhausted.get()));
        } else if (e instanceof EffconvException || e instanceof UncheckedIOException) {
            LOG.info("failed", e); // the trace is for log.txt alone
            err.println("effconv: " + Printable.line(String.valueOf(e.getMessage())));
        } else {
            LOG.error("unexpected", e);
            err.println("effconv: unexpected failure, please report it: " + e);
            e.printStackTrace(err);
        }
        err.flush();
        return code;
    }
}
