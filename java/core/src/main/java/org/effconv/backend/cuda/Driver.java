package org.effconv.backend.cuda;

/**
 * What the backend asks of one card: everything up to here can be tested without one, by a driver that records, or by
 * one that runs the kernels on the host. Handles and addresses are plain numbers; the driver that gave them out takes
 * them back. Except for {@link #enter}, {@link #name} and {@link #limits}, calls need the card to be current for the
 * thread.
 *
 * <p>A call fails with {@link org.effconv.error.EffconvException.OutOfDeviceMemory} (the card stays usable), with
 * {@link org.effconv.error.EffconvException.DeviceLost} (nothing on this card works any more in this process), or with
 * a plain {@link org.effconv.error.EffconvException} that names the call.
 */
interface Driver extends AutoCloseable {
    /** "cuda:0". */
    String name();

    /** For people: the card's name, compute capability, driver. */
    String description();

    /**
     * What one launch may ask for.
     *
     * @param sharedBytesPerBlock with the opt-in of newer cards
     * @param gridX most blocks
     */
    record Limits(long sharedBytesPerBlock, long gridX, int multiprocessors) {}

    Limits limits();

    /** Bytes of the card's memory, as the driver sees them now. */
    record MemoryInfo(long free, long total) {}

    MemoryInfo memoryInfo();

    /** Device code for this driver. */
    KernelImages images();

    /** Makes the card current for the calling thread. */
    void enter();

    // ---- memory: in the order of a stream ---------------------------------------------------------------------

    /** @return address of {@code bytes} bytes (at least 1), aligned to 256 */
    long allocate(long bytes, long stream);

    void free(long address, long stream);

    /**
     * Gives memory that was freed, but is still held for later allocations, back to the card; what freed it must be
     * done.
     */
    void trim();

    /** Page-locked host memory that the card reaches by itself. */
    long allocatePinned(long bytes);

    void freePinned(long address);

    void copyToDevice(long device, long pinned, long bytes, long stream);

    void copyToHost(long pinned, long device, long bytes, long stream);

    void copyOnDevice(long to, long from, long bytes, long stream);

    /**
     * Writes one pattern over and over.
     *
     * @param width bytes of the pattern: 1, 2 or 4
     */
    void set(long device, int width, int pattern, long count, long stream);

    // ---- order ------------------------------------------------------------------------------------------------

    long createStream();

    void destroyStream(long stream);

    /** Waits until everything put into the stream so far is done. */
    void synchronise(long stream);

    long createEvent();

    void destroyEvent(long event);

    void record(long event, long stream);

    /** Waits until what stood before the event's last {@link #record} is done; at once if it was never recorded. */
    void synchroniseEvent(long event);

    /** An event that also notes when the card reaches it. */
    long createTimedEvent();

    /**
     * Seconds on the card's clock from the last {@link #record} of one timed event to that of another; waits for both.
     */
    double secondsBetween(long first, long second);

    // ---- kernels ----------------------------------------------------------------------------------------------

    /** @param image a fatbin */
    long loadModule(String family, byte[] image);

    void unloadModule(long module);

    /** @return a handle of the kernel, which may ask for all shared memory that {@link #limits} names */
    long function(long module, String kernel);

    /** @param parameters host address of the kernel's one parameter struct, read before the call returns */
    void launch(
            long function,
            long blocks,
            int threads,
            long sharedBytes,
            long parameters,
            long parameterBytes,
            long stream);

    /**
     * The library that computes convolutions on this card beside our kernels, in the order of a stream of this driver.
     *
     * @throws org.effconv.error.EffconvException.MissingNative if there is none that can be used; the message says what
     *     was looked for
     */
    ConvolutionLibrary convolutionLibrary(long stream);

    // ---- graphs -----------------------------------------------------------------------------------------------

    /** From now on what is put into the stream is recorded instead of done. */
    void beginCapture(long stream);

    /** @return the recording, ready to be launched */
    long endCapture(long stream);

    /** Ends a capture whose recording is not wanted, broken or not. */
    void abandonCapture(long stream);

    void launchGraph(long graph, long stream);

    void destroyGraph(long graph);

    /** Gives everything back that belongs to the card itself; handles must have been given back before. */
    @Override
    void close();
}
