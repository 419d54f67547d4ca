package org.effconv.backend.cuda;

import java.util.Optional;
import java.util.function.Supplier;
import org.effconv.backend.CheckedBackend;
import org.effconv.backend.DatasetMemory;
import org.effconv.backend.Operations;
import org.effconv.tensor.Allocator;
import org.effconv.tensor.Tensor;

/**
 * One NVIDIA card: the project's own kernels, launched in the order of one stream. Computes in F32 and BF16; F64 is
 * refused. Operations return when they are launched, not when they are done; reading waits. Used by one thread at a
 * time; it may pass from one thread to another between operations. Memory may be allocated and freed from any thread.
 * Two runs give the same bits.
 */
public final class CudaBackend extends CheckedBackend {
    private final CudaSession session;

    private CudaBackend(CudaSession session) {
        this.session = session;
    }

    /**
     * Opens a card.
     *
     * @throws org.effconv.error.EffconvException what {@link CudaProbe#problem} finds: driver, card, native library or
     *     device code are missing or do not fit, with the way out
     */
    public static CudaBackend open(CudaOptions options) {
        CudaProbe.ofThisMachine().problem(options).ifPresent(problem -> {
            throw problem.exception("cuda:" + options.ordinal());
        });
        return over(JCudaDriver.open(options.ordinal()), options);
    }

    /** A backend over any driver, which it owns from here on, even if this fails. */
    static CudaBackend over(Driver driver, CudaOptions options) {
        return over(driver, options, new ConvolutionTable(options.conv()));
    }

    /** @param table who computes convolutions, in place of what the options choose */
    static CudaBackend over(Driver driver, CudaOptions options, ConvolutionTable table) {
        return new CudaBackend(CudaSession.open(driver, options, table));
    }

    @Override
    public String name() {
        return session.driver().name();
    }

    /** For people: the card, its compute capability, the driver. */
    public String description() {
        return session.driver().description();
    }

    @Override
    public Allocator memory() {
        return session.memory();
    }

    @Override
    public long liveBytes() {
        return session.memory().liveBytes();
    }

    /** Most bytes of device memory that were held at a time. */
    public long peakBytes() {
        return session.memory().peakBytes();
    }

    /**
     * Convolution and linear passes that a library beside our kernels was given; 0 where there is none. Tells who
     * computed.
     */
    public long libraryPasses() {
        return session.products().libraryPasses();
    }

    /** Steps held as recordings now. */
    int recordedSteps() {
        return session.recordedSteps();
    }

    /**
     * By events of the stream, one before and one after the work. Where the card is still busy with what came before,
     * the time the host takes to put the work into the stream is not in it; where it waits for the host, it is.
     */
    @Override
    public double seconds(Runnable work) {
        return session.seconds(work);
    }

    @Override
    public void trim() {
        session.trim();
    }

    /** Gives everything back. Tensors that are still open lose their memory; closing them afterwards is harmless. */
    @Override
    public void close() {
        session.close();
    }

    @Override
    protected Operations operations() {
        return session.operations();
    }

    @Override
    protected <T> T get(Supplier<T> operation) {
        return session.get(operation);
    }

    @Override
    public boolean readsLate() {
        return true;
    }

    @Override
    public Optional<DatasetMemory> datasetMemory() {
        return Optional.of(new CudaImages(session));
    }

    @Override
    public <T> T step(Object key, Supplier<T> body) {
        return session.step(key, body);
    }

    static long at(Tensor t) {
        return t == null ? 0 : t.address();
    }
}
