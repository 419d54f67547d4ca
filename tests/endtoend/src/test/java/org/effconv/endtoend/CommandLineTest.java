package org.effconv.endtoend;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertFalse;
import static org.junit.jupiter.api.Assertions.assertTrue;
import static org.junit.jupiter.api.Assumptions.assumeTrue;

import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.List;
import java.util.Map;
import org.effconv.cli.Effconv;
import org.junit.jupiter.api.Test;

/** What every command has: help, a version, known properties, output that arrives. */
class CommandLineTest {
    @Test
    void everyCommandTellsItsVersionAndItsHelp() {
        List<String> commands = Effconv.commandLine().getSubcommands().entrySet().stream()
                .filter(c -> !c.getValue().getCommandSpec().usageMessage().hidden()
                        && !c.getKey().equals("help"))
                .map(Map.Entry::getKey)
                .toList();
        assertTrue(commands.containsAll(List.of("learn", "info")), commands.toString());
        for (String command : commands) {
            assertTrue(Cli.run(command, "--version").out().startsWith("effconv "), command);
            Cli help = Cli.run(command, "--help");
            assertTrue(help.exitCode() == 0 && help.out().startsWith("Usage: effconv " + command), command);
            assertFalse(help.out().contains("\u001b"), "colours, but no terminal");
            assertEquals(help, Cli.run("help", command));
        }
    }

    @Test
    void anUnknownPropertyIsRefusedWithTheNearestName() {
        System.setProperty("effconv.lrr", "1");
        try {
            Cli run = Cli.run("info");
            assertEquals(2, run.exitCode(), run.out());
            assertEquals("", run.out());
            assertTrue(
                    run.err()
                            .startsWith("effconv: unknown system property '-Deffconv.lrr'; did you mean effconv.lr?\n"),
                    run.err());
            assertEquals(0, Cli.run("info", "--help").exitCode(), "help is for those who err");
        } finally {
            System.clearProperty("effconv.lrr");
        }
        assertEquals(0, Cli.run("info").exitCode());
    }

    @Test
    void outputThatIsLostIsAFailure() throws IOException, InterruptedException {
        Path full = Path.of("/dev/full");
        assumeTrue(Files.exists(full), "there is no " + full + " here");
        Process process = new ProcessBuilder(CliProcess.command(List.of("--version")))
                .redirectOutput(full.toFile())
                .start();
        String err = new String(process.getErrorStream().readAllBytes(), java.nio.charset.StandardCharsets.UTF_8);
        assertEquals(1, process.waitFor(), err);
        assertTrue(err.startsWith("effconv: standard output could not be written: "), err);
    }
}
