package org.effconv.backend.cuda;

import java.util.ArrayList;
import java.util.HashSet;
import java.util.List;
import java.util.Optional;
import java.util.Set;
import java.util.function.Predicate;
import org.effconv.error.EffconvException;

/** A library that computes nothing and writes down what it was asked for, in the driver's list of calls. */
final class RecordingLibrary implements ConvolutionLibrary {
    /** A pass as it was put into the stream. */
    record Run(ConvolutionRequest request, long x, long w, long bias, long y, long workspace, boolean captured) {}

    final List<ConvolutionRequest> planned = new ArrayList<>();
    final List<Run> runs = new ArrayList<>();
    final Set<Plan> open = new HashSet<>();
    Predicate<ConvolutionRequest> deterministic = r -> true;
    long workspaceBytes = 1000;
    EffconvException failure; // of the next run
    long stream;
    boolean closed;

    private final RecordingDriver driver;

    RecordingLibrary(RecordingDriver driver) {
        this.driver = driver;
    }

    @Override
    public String description() {
        return "a recorder of convolutions";
    }

    @Override
    public Optional<Plan> plan(ConvolutionRequest request) {
        planned.add(request);
        if (!deterministic.test(request)) {
            return Optional.empty();
        }
        Plan plan = new RecordingPlan(request, workspaceBytes);
        open.add(plan);
        return Optional.of(plan);
    }

    @Override
    public void close() {
        if (!open.isEmpty()) {
            throw new IllegalStateException("closed before its plans");
        }
        closed = true;
    }

    private final class RecordingPlan implements Plan {
        private final ConvolutionRequest request;
        private final long bytes;

        RecordingPlan(ConvolutionRequest request, long bytes) {
            this.request = request;
            this.bytes = bytes;
        }

        @Override
        public long workspaceBytes() {
            return bytes;
        }

        @Override
        public void run(long x, long w, long bias, long y, long workspace) {
            if (closed || !open.contains(this)) {
                throw new IllegalStateException("run after close");
            }
            driver.calls.add("library " + request.pass());
            if (failure != null) {
                throw failure;
            }
            runs.add(new Run(request, x, w, bias, y, workspace, driver.capturing()));
        }

        @Override
        public void close() {
            if (!open.remove(this)) {
                throw new IllegalStateException("closed twice");
            }
        }
    }
}
