package org.effconv.backend.cuda;

import java.util.ArrayDeque;
import java.util.Deque;
import java.util.concurrent.atomic.AtomicReference;
import java.util.function.Supplier;
import org.effconv.backend.OneThread;
import org.effconv.backend.Operations;
import org.effconv.backend.bridge.HostMask;
import org.effconv.backend.bridge.NativeLoader;
import org.effconv.error.EffconvException;
import org.effconv.error.EffconvException.DeviceLost;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;

/**
 * A driver and what the backend has of it: one stream, memory, kernels, recorded steps; and the rules under which every
 * operation runs.
 */
final class CudaSession implements AutoCloseable {
    private static final Logger LOG = LoggerFactory.getLogger(CudaSession.class);

    private final Driver driver;
    private final OneThread user;
    private final AtomicReference<DeviceLost> lost = new AtomicReference<>();
    private final Deque<Runnable> toClose = new ArrayDeque<>(); // opened last, closed first
    private long stream;
    private DeviceMemory memory;
    private Transfers transfers;
    private Launcher launcher;
    private StepGraphs graphs; // null: every step launch by launch
    private LibraryConvolutions convolutions;
    private CudaProducts products;
    private CudaData data;
    private CudaOptimizer optimizer;
    private Operations operations;
    private volatile boolean closed;

    private CudaSession(Driver driver) {
        this.driver = driver;
        user = new OneThread(driver.name());
    }

    /** A session that owns the driver from here on, even if this fails. */
    static CudaSession open(Driver driver, CudaOptions options, ConvolutionTable table) {
        CudaSession session = new CudaSession(driver);
        try {
            session.open(options, table);
            return session;
        } catch (Throwable e) {
            session.undo(e);
            throw e;
        }
    }

    private void open(CudaOptions options, ConvolutionTable table) {
        NativeLoader.load();
        driver.enter();
        stream = driver.createStream();
        toClose.push(() -> driver.destroyStream(stream));
        KernelModules modules = new KernelModules(driver);
        toClose.push(modules::close);
        memory = new DeviceMemory(driver, stream, options.memoryLimit());
        toClose.push(memory::close);
        transfers = new Transfers(driver, memory, stream);
        toClose.push(transfers::close);
        launcher = new Launcher(driver, memory, transfers, modules, stream);
        toClose.push(launcher::close);
        convolutions = new LibraryConvolutions(driver, memory, launcher, table, stream);
        toClose.push(convolutions::close);
        products = new CudaProducts(launcher, convolutions);
        data = new CudaData(driver, transfers, launcher, stream);
        optimizer = new CudaOptimizer(memory, launcher, data);
        toClose.push(optimizer::close);
        operations = new Operations(
                data,
                products,
                products,
                new CudaNetwork(launcher),
                optimizer,
                new CudaMethod(launcher, data),
                new HostMask());
        if (options.graphs()) {
            graphs = new StepGraphs(driver, memory, transfers, launcher, stream);
            toClose.push(graphs::close);
        }
    }

    private void undo(Throwable why) {
        try {
            closeParts();
        } catch (RuntimeException e) {
            why.addSuppressed(e);
        }
    }

    private void closeParts() {
        try {
            while (!toClose.isEmpty()) {
                toClose.pop().run();
            }
        } finally {
            driver.close();
        }
    }

    /**
     * Memory that the pool keeps goes back to the card, once the stream has freed it. What a job has found must not be
     * lost over this: a failure is logged, and a card that is lost by now throws at its next use.
     */
    void trim() {
        if (lost.get() != null) {
            return;
        }
        try {
            use(() -> {
                driver.synchronise(stream);
                driver.trim();
            });
        } catch (EffconvException e) {
            LOG.warn("{} keeps memory that is not in use: {}", driver.name(), e.getMessage());
        }
    }

    @Override
    public void close() {
        if (closed) {
            return;
        }
        closed = true;
        if (lost.get() != null) { // the card answers nothing any more; what it held is gone
            optimizer.close();
            convolutions.close();
            launcher.close();
            driver.close();
            return;
        }
        driver.enter();
        try {
            driver.synchronise(stream);
        } finally {
            closeParts();
        }
    }

    Driver driver() {
        return driver;
    }

    DeviceMemory memory() {
        return memory;
    }

    CudaProducts products() {
        return products;
    }

    CudaData data() {
        return data;
    }

    Operations operations() {
        return operations;
    }

    int recordedSteps() {
        return graphs == null ? 0 : graphs.held();
    }

    // ---- the way every operation takes ------------------------------------------------------------------------

    /**
     * Runs an operation under the rules of the backend: not closed, one thread at a time, the card current and alive.
     */
    void use(Runnable operation) {
        get(() -> {
            operation.run();
            return null;
        });
    }

    /** {@link #use} of an operation with a result. */
    <T> T get(Supplier<T> operation) {
        if (closed) {
            throw new IllegalStateException("use after close: " + driver.name());
        }
        DeviceLost before = lost.get();
        if (before != null) {
            throw new DeviceLost(before.getMessage(), before);
        }
        try {
            return user.get(() -> {
                driver.enter();
                return operation.get();
            });
        } catch (DeviceLost e) {
            lost.compareAndSet(null, e);
            memory.abandon();
            throw e;
        }
    }

    <T> T step(Object key, Supplier<T> body) {
        return get(() -> key == null || graphs == null ? body.get() : graphs.step(key, body));
    }

    /** By events of the stream. */
    double seconds(Runnable work) {
        return get(() -> {
            long before = driver.createTimedEvent();
            long after = driver.createTimedEvent();
            try {
                driver.record(before, stream);
                work.run();
                driver.record(after, stream);
                return driver.secondsBetween(before, after);
            } finally {
                driver.destroyEvent(before);
                driver.destroyEvent(after);
            }
        });
    }
}
