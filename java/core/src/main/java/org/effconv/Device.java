package org.effconv;

import java.util.Optional;
import java.util.concurrent.atomic.AtomicBoolean;
import org.effconv.backend.Backend;
import org.effconv.backend.Compute;
import org.effconv.backend.cpu.CpuBackend;
import org.effconv.backend.cpu.CpuFeatures;
import org.effconv.backend.cuda.Card;
import org.effconv.backend.cuda.CudaBackend;
import org.effconv.backend.cuda.CudaOptions;
import org.effconv.backend.cuda.CudaProbe;
import org.effconv.backend.cuda.CudaProblem;
import org.effconv.error.EffconvException;
import org.effconv.error.EffconvException.InvalidInput;
import org.effconv.io.Processor;
import org.effconv.latency.LatencyTable;
import org.effconv.nn.NetworkPlan;
import org.effconv.tensor.DataType;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;

/**
 * Where the computing happens, and in which type. A device belongs to one thread at a time: a job claims it while it
 * runs, and a second thread is refused. Many devices may live in one JVM. Close it last; {@link #liveBytes} then reads
 * what was never given back.
 */
public final class Device implements AutoCloseable {
    private static final Logger LOG = LoggerFactory.getLogger(Device.class);

    private static final AtomicBoolean WARNED = new AtomicBoolean();
    private static final int LEAST_BF16_CAPABILITY = 80;

    private final Backend backend;
    private final DataType activationType;
    private final int threads;
    private final String hardware;
    private Thread owner;
    private boolean closed;

    private Device(Backend backend, DataType activationType, int threads, String hardware) {
        this.backend = backend;
        this.activationType = activationType;
        this.threads = threads;
        this.hardware = hardware;
    }

    /**
     * By the settings of devices (device, threads, precision and those of cards) as the system properties have them.
     */
    public static Device open() {
        return open(Settings.standard());
    }

    /** @param name auto, cpu, cuda or cuda:N */
    public static Device open(String name) {
        return open(Settings.standard().with(Settings.DEVICE, name));
    }

    /**
     * Chooses by the settings, and logs what was chosen and why.
     *
     * @throws InvalidInput if there is no such card
     * @throws EffconvException.MissingNative if the native library, the NVIDIA driver or another part of what the
     *     device needs is missing: says what was found, what is needed and the way out
     * @throws EffconvException.OutOfDeviceMemory if the card has less memory than asked for
     */
    public static Device open(Settings settings) {
        CudaProbe probe = CudaProbe.ofThisMachine();
        DeviceChoice choice = DeviceChoice.of(settings, probe::problem);
        return choice.cuda() == null ? openCpu(settings, choice) : openCuda(settings, choice, probe);
    }

    /** A device of a backend that the caller opened and that closes with it; for backends of one's own. */
    public static Device over(Backend backend, DataType activationType) {
        if (activationType == DataType.I32 || activationType == DataType.U8) {
            throw new InvalidInput("activation type " + activationType + ": expected F32, BF16 or F64");
        }
        return new Device(
                backend, activationType, backend instanceof CpuBackend cpu ? cpu.threads() : 1, Processor.name());
    }

    private static Device openCpu(Settings settings, DeviceChoice choice) {
        int asked = settings.get(Settings.THREADS);
        int threads = asked == 0 ? standardThreads() : asked;
        warnOfMoreThreadsThanProcessors(threads, "--threads");
        CpuBackend backend = CpuBackend.open(threads);
        LOG.info(
                "device cpu: {}; {} thread{}{}",
                choice.reason(),
                threads,
                threads == 1 ? "" : "s",
                asked == 0 ? " (half the processors)" : "");
        return new Device(backend, cpuType(settings.get(Settings.PRECISION)), threads, Processor.name());
    }

    private static Device openCuda(Settings settings, DeviceChoice choice, CudaProbe probe) {
        Card card = probe.cards().get(choice.cuda().ordinal());
        DataType type = cudaType(settings.get(Settings.PRECISION), card);
        Backend backend = CudaBackend.open(choice.cuda());
        LOG.info("device {}: {}; {}", backend.name(), choice.reason(), card);
        return new Device(backend, type, 1, card.name());
    }

    /** Why the first card cannot be used; empty if it can. */
    static Optional<CudaProblem> cudaProblem(CudaProbe probe) {
        return probe.problem(CudaOptions.standard());
    }

    /**
     * Warns, once in a process, if so many threads cannot all run at a time.
     *
     * @param what names the setting for the user
     */
    public static void warnOfMoreThreadsThanProcessors(int threads, String what) {
        moreThreadsThanProcessors(threads, Runtime.getRuntime().availableProcessors(), what)
                .filter(warning -> !WARNED.getAndSet(true))
                .ifPresent(LOG::warn);
    }

    static Optional<String> moreThreadsThanProcessors(int threads, int processors, String what) {
        return threads <= processors
                ? Optional.empty()
                : Optional.of(what + " means " + threads + " threads on " + processors
                        + (processors == 1 ? " processor" : " processors")
                        + ": they wait for one another, which makes a step several times slower");
    }

    // Processors often come in pairs that share a core, and a thread that waits for one that has no core of its own
    // waits
    // long: half of them lose little on an idle machine and save much on a busy one.
    private static int standardThreads() {
        return Math.max(1, Runtime.getRuntime().availableProcessors() / 2);
    }

    /**
     * Checks that there is such a device, without opening it.
     *
     * @throws EffconvException as {@link #open(Settings)} does
     */
    public static void requireKnown(Settings settings) {
        CudaProbe probe = CudaProbe.ofThisMachine();
        DeviceChoice.of(settings, probe::problem);
    }

    private static DataType cpuType(String precision) {
        boolean supported = CpuFeatures.bf16();
        DataType type = type(
                precision, supported, "this processor " + (supported ? "computes" : "does not compute") + " in bf16");
        if (type == DataType.BF16 && !supported) {
            LOG.warn("precision bf16 as asked, though this processor has neither AMX nor AVX512-BF16: it will be slow");
        }
        return type;
    }

    // Before compute capability 8.0 tensor cores know no bf16.
    private static DataType cudaType(String precision, Card card) {
        boolean supported = card.capability() >= LEAST_BF16_CAPABILITY;
        return type(
                precision,
                supported,
                "this card's tensor cores " + (supported ? "compute" : "do not compute") + " in bf16");
    }

    private static DataType type(String precision, boolean supported, String why) {
        DataType type =
                switch (precision) {
                    case "fp32" -> DataType.F32;
                    case "bf16" -> DataType.BF16;
                    default -> supported ? DataType.BF16 : DataType.F32;
                };
        LOG.info(
                "precision {}: {}",
                type == DataType.BF16 ? "bf16 with fp32 parameters" : "fp32",
                precision.equals("auto") ? "chosen by 'auto', " + why : "as asked");
        return type;
    }

    /** "cpu", "cuda:0". */
    public String name() {
        return backend.name();
    }

    /** The processor's or the card's name, to tell machines apart: "AMD EPYC". */
    public String hardware() {
        return hardware;
    }

    /** Threads that a CPU computes with; 1 for a card. */
    public int threads() {
        return threads;
    }

    /** Type of the activations. Parameters, statistics and losses are F32. */
    public DataType activationType() {
        return activationType;
    }

    public Backend backend() {
        if (closed) {
            throw new IllegalStateException("use after close: Device " + backend.name());
        }
        return backend;
    }

    /** This device, for the inner parts of a job. */
    public Compute compute() {
        return new Compute(backend(), activationType, hardware, threads);
    }

    /**
     * Measures how long a network's layers take on this device; seconds to minutes, on a machine that should do nothing
     * else.
     *
     * @param batch images in a batch
     * @param repeats rounds, in each of which every layer is measured at every size
     * @throws InvalidInput if there is no memory for it, or a number is below 1
     */
    public LatencyTable measureLatency(NetworkPlan plan, LatencyTable.Pass pass, int batch, int repeats) {
        try (Claim claim = claim()) {
            return LatencyTable.measure(compute(), plan, pass, batch, repeats);
        }
    }

    /** Bytes of native memory in use; 0 after everything on the device, and the device, have been closed. */
    public long liveBytes() {
        return backend.liveBytes();
    }

    /** Makes the calling thread the device's owner until {@link Claim#close}. */
    synchronized Claim claim() {
        backend();
        if (owner != null) {
            throw new IllegalStateException("device " + backend.name() + " is in use by thread '" + owner.getName()
                    + "'; a device belongs to one thread at a time, open one per thread");
        }
        owner = Thread.currentThread();
        return this::release;
    }

    private synchronized void release() {
        owner = null;
    }

    /** A job's hold on a device. */
    interface Claim extends AutoCloseable {
        @Override
        void close();
    }

    @Override
    public String toString() {
        String computes = backend instanceof CpuBackend ? ", " + threads + (threads == 1 ? " thread" : " threads") : "";
        return backend.name() + computes + ", "
                + switch (activationType) {
                    case BF16 -> "bf16 with fp32 parameters";
                    case F64 -> "fp64";
                    default -> "fp32";
                };
    }

    @Override
    public synchronized void close() {
        if (owner != null) {
            throw new IllegalStateException(
                    "device " + backend.name() + " is in use by thread '" + owner.getName() + "'");
        }
        if (!closed) {
            closed = true;
            backend.close();
        }
    }
}
