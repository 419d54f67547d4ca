package org.effconv.backend.cuda;

import static org.effconv.backend.bridge.NativeLibrary.*;

import java.util.Iterator;
import java.util.LinkedHashMap;
import java.util.Map;
import java.util.Optional;
import org.effconv.error.EffconvException;
import org.effconv.error.EffconvException.DeviceLost;
import org.effconv.error.EffconvException.MissingNative;
import org.effconv.tensor.DataType;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;

/**
 * The passes that a library computes, as a table says: their plans, kept by shape, and their place in the shared
 * workspace. In bf16 a pass begins, as our own kernels' do, with a bf16 copy of the fp32 weights.
 */
final class LibraryConvolutions implements AutoCloseable {
    private static final Logger LOG = LoggerFactory.getLogger(LibraryConvolutions.class);

    /** Plans kept, those used last. */
    static final int MOST = 256;

    private static final long ALIGNMENT = 256;

    private final Driver driver;
    private final DeviceMemory memory;
    private final Launcher launcher;
    private final ConvolutionTable table;
    private final ConvolutionLibrary library; // null: our own kernels compute everything
    private long passes;
    private final Map<ConvolutionRequest, Optional<ConvolutionLibrary.Plan>> plans =
            new LinkedHashMap<>(16, 0.75f, true);

    /** @throws MissingNative if the table needs a library and there is none that can be used */
    LibraryConvolutions(Driver driver, DeviceMemory memory, Launcher launcher, ConvolutionTable table, long stream) {
        this.driver = driver;
        this.memory = memory;
        this.launcher = launcher;
        this.table = table;
        library = table.wantsLibrary() ? open(stream) : null;
    }

    private ConvolutionLibrary open(long stream) {
        try {
            ConvolutionLibrary opened = driver.convolutionLibrary(stream);
            LOG.info(
                    "{}: {} computes convolutions and linear layers{}; left to the project's kernels: bf16 weight gradients of"
                            + " convolutions, and what of bf16 layers has to do with a bias",
                    driver.name(),
                    opened.description(),
                    table.needsLibrary() ? "" : " of some shapes");
            return opened;
        } catch (MissingNative e) {
            if (table.needsLibrary()) {
                throw e;
            }
            LOG.info("{}: the project's kernels compute all convolutions: {}", driver.name(), e.getMessage());
            return null;
        }
    }

    /**
     * Computes a pass, if it is the library's. Addresses are those of the Backend's tensors, weights in F32, as
     * {@link ConvolutionLibrary.Plan#run} takes them.
     *
     * @return false if it is left to the project's kernels; nothing was launched then
     */
    boolean run(ConvolutionRequest request, long x, long w, long bias, long y) {
        if (library == null || !table.toLibrary(request)) {
            return false;
        }
        Optional<ConvolutionLibrary.Plan> plan = plan(request);
        if (plan.isEmpty()) {
            return false;
        }
        run(plan.get(), request, x, w, bias, y);
        passes++;
        return true;
    }

    /** Passes that the library was given so far; those of replayed steps are counted once, when they were recorded. */
    long passes() {
        return passes;
    }

    private void run(ConvolutionLibrary.Plan plan, ConvolutionRequest request, long x, long w, long bias, long y) {
        long own = (plan.workspaceBytes() + ALIGNMENT - 1) / ALIGNMENT * ALIGNMENT;
        boolean copies = request.type() == DataType.BF16 && request.pass() != ConvolutionRequest.Pass.WEIGHT_GRADIENT;
        long room = launcher.workspace(own + (copies ? request.type().bytes() * request.weights() : 0));
        long weights = w;
        if (copies) {
            long copy = room + own;
            launcher.run(() -> ec_plan_copy(
                    launcher.plan(), DataType.F32.ordinal(), w, request.type().ordinal(), copy, request.weights()));
            weights = copy;
        }
        try {
            plan.run(x, weights, bias, y, room);
        } catch (EffconvException e) {
            askAfterTheCard(e);
            throw e;
        }
    }

    // A library's failure may be the first sign of a lost card, which the driver tells.
    private void askAfterTheCard(EffconvException why) {
        try {
            driver.memoryInfo();
        } catch (DeviceLost lost) {
            lost.addSuppressed(why);
            throw lost;
        }
    }

    private Optional<ConvolutionLibrary.Plan> plan(ConvolutionRequest request) {
        Optional<ConvolutionLibrary.Plan> plan = plans.get(request);
        if (plan == null) {
            // It may load code onto the card, which a capture forbids; the step's run before has made it, unless it was
            // evicted since.
            memory.requireUnsealed("a plan of " + library.description() + " for " + request);
            plan = library.plan(request);
            if (plan.isEmpty()) {
                LOG.warn(
                        "{} has no deterministic way to compute {}; the project's kernels do",
                        library.description(),
                        request);
            }
            plans.put(request, plan);
            evict();
        }
        return plan;
    }

    private void evict() {
        Iterator<Optional<ConvolutionLibrary.Plan>> oldest = plans.values().iterator();
        while (plans.size() > MOST) {
            oldest.next().ifPresent(ConvolutionLibrary.Plan::close);
            oldest.remove();
        }
    }

    @Override
    public void close() {
        plans.values().forEach(plan -> plan.ifPresent(ConvolutionLibrary.Plan::close));
        plans.clear();
        if (library != null) {
            library.close();
        }
    }
}
