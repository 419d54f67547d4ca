package org.effconv.cli;

import ch.qos.logback.classic.Level;
import ch.qos.logback.classic.LoggerContext;
import ch.qos.logback.classic.PatternLayout;
import ch.qos.logback.classic.filter.ThresholdFilter;
import ch.qos.logback.classic.spi.ILoggingEvent;
import ch.qos.logback.core.AppenderBase;
import ch.qos.logback.core.ConsoleAppender;
import ch.qos.logback.core.encoder.LayoutWrappingEncoder;
import java.io.BufferedWriter;
import java.io.IOException;
import java.io.UncheckedIOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.nio.file.StandardOpenOption;
import java.util.ArrayList;
import java.util.List;
import org.slf4j.LoggerFactory;

/** Sends the log to a run's log.txt. What is logged before the run has a folder is kept and written first. */
final class RunLog extends AppenderBase<ILoggingEvent> {
    private static final String NAME = "run-log";
    private static final int KEPT = 1000;
    private static final String MESSAGE = "%replace(%msg){'\\n', '\\\\n'}"; // on one line, whatever names it holds

    private final PatternLayout layout;
    private final List<String> early = new ArrayList<>();
    private BufferedWriter file;

    private RunLog(PatternLayout layout) {
        this.layout = layout;
    }

    /** Replaces whatever logging was set up: warnings to stderr, everything of EffConv to the run's log. */
    static void install() {
        LoggerContext context = (LoggerContext) LoggerFactory.getILoggerFactory();
        context.reset();
        ch.qos.logback.classic.Logger root = context.getLogger(org.slf4j.Logger.ROOT_LOGGER_NAME);
        root.setLevel(Level.INFO);

        ConsoleAppender<ILoggingEvent> console = new ConsoleAppender<>();
        console.setContext(context);
        console.setTarget("System.err");
        LayoutWrappingEncoder<ILoggingEvent> encoder = new LayoutWrappingEncoder<>();
        encoder.setContext(context);
        encoder.setLayout(layout(context, "effconv: %level: " + MESSAGE + "%n%nopex"));
        encoder.start();
        console.setEncoder(encoder);
        ThresholdFilter warnings = new ThresholdFilter();
        warnings.setLevel("WARN");
        warnings.start();
        console.addFilter(warnings);
        console.start();
        root.addAppender(console);

        RunLog log =
                new RunLog(layout(context, "%d{yyyy-MM-dd HH:mm:ss.SSS} %-5level %logger{0}: " + MESSAGE + "%n%ex"));
        log.setContext(context);
        log.setName(NAME);
        log.start();
        root.addAppender(log);
    }

    private static PatternLayout layout(LoggerContext context, String pattern) {
        PatternLayout layout = new PatternLayout() {
            @Override
            public String doLayout(ILoggingEvent event) {
                return Printable.text(super.doLayout(event));
            }
        };
        layout.setContext(context);
        layout.setPattern(pattern);
        layout.start();
        return layout;
    }

    /** From now on into this file, which is appended to. */
    static void attach(Path path) {
        LoggerContext context = (LoggerContext) LoggerFactory.getILoggerFactory();
        RunLog log =
                (RunLog) context.getLogger(org.slf4j.Logger.ROOT_LOGGER_NAME).getAppender(NAME);
        log.open(path);
    }

    private synchronized void open(Path path) {
        try {
            close();
            file = Files.newBufferedWriter(path, StandardOpenOption.CREATE, StandardOpenOption.APPEND);
            for (String line : early) {
                file.write(line);
            }
            file.flush();
            early.clear();
        } catch (IOException e) {
            throw new UncheckedIOException("cannot write " + path + ": " + e, e);
        }
    }

    @Override
    protected synchronized void append(ILoggingEvent event) {
        String line = layout.doLayout(event);
        if (file == null) {
            if (early.size() < KEPT) {
                early.add(line);
            }
            return;
        }
        try {
            file.write(line);
            file.flush(); // a killed run's log ends with what happened last
        } catch (IOException e) {
            addError("log.txt", e);
        }
    }

    @Override
    public synchronized void stop() {
        super.stop();
        try {
            close();
        } catch (IOException e) {
            addError("log.txt", e);
        }
    }

    private void close() throws IOException {
        if (file != null) {
            file.close();
            file = null;
        }
    }
}
