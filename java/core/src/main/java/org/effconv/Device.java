package org.effconv;

import org.effconv.EffconvException.InvalidInput;
import org.effconv.backend.Backend;
import org.effconv.backend.cpu.CpuBackend;
import org.effconv.backend.cpu.CpuFeatures;
import org.effconv.tensor.DataType;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;

/**
 * Where the computing happens, and in which type. A device belongs to one thread at a time: a job claims it while it runs,
 * and a second thread is refused. Many devices may live in one JVM. Close it last; {@link #liveBytes} then reads what was
 * never given back.
 */
public final class Device implements AutoCloseable {
    private static final Logger LOG = LoggerFactory.getLogger(Device.class);

    private final Backend backend;
    private final DataType activationType;
    private final int threads;
    private Thread owner;
    private boolean closed;

    private Device(Backend backend, DataType activationType, int threads) {
        this.backend = backend;
        this.activationType = activationType;
        this.threads = threads;
    }

    /** By the settings device, threads and precision as the system properties have them. */
    public static Device open() {
        return open(Settings.standard());
    }

    /**
     * @param name auto or cpu
     */
    public static Device open(String name) {
        return open(Settings.standard().with(Settings.DEVICE, name));
    }

    /**
     * Chooses by the settings device, threads and precision, and logs what was chosen and why.
     *
     * @throws InvalidInput                    if there is no such device, or it lacks the precision asked for
     * @throws EffconvException.MissingNative  if the native library cannot be loaded
     */
    public static Device open(Settings settings) {
        String name = checkedName(settings);
        int asked = settings.get(Settings.THREADS);
        int threads = asked == 0 ? standardThreads() : asked;
        Backend backend = CpuBackend.open(threads);
        DataType type = type(settings.get(Settings.PRECISION));
        LOG.info("device {}: {}, {} thread{}{}", backend.name(),
                name.equals("auto") ? "chosen by 'auto', this build has no other" : "as asked", threads, threads == 1 ? "" : "s",
                asked == 0 ? " (half the processors)" : "");
        return new Device(backend, type, threads);
    }

    // Processors often come in pairs that share a core, and a thread that waits for one that has no core of its own waits
    // long: half of them lose little on an idle machine and save much on a busy one.
    private static int standardThreads() {
        return Math.max(1, Runtime.getRuntime().availableProcessors() / 2);
    }

    private static String checkedName(Settings settings) {
        String name = settings.get(Settings.DEVICE);
        if (name.equals("cuda") || name.startsWith("cuda:")) {
            throw new InvalidInput("device '" + name + "': this build has no CUDA backend, expected auto or cpu");
        }
        if (!name.equals("auto") && !name.equals("cpu")) {
            throw new InvalidInput("device '" + name + "': expected auto or cpu");
        }
        return name;
    }

    /**
     * Checks that there is such a device, without opening it.
     *
     * @throws InvalidInput if there is none
     */
    public static void requireKnown(Settings settings) {
        checkedName(settings);
    }

    private static DataType type(String precision) {
        boolean supported = CpuFeatures.bf16();
        DataType type = switch (precision) {
            case "fp32" -> DataType.F32;
            case "bf16" -> DataType.BF16;
            default -> supported ? DataType.BF16 : DataType.F32;
        };
        if (type == DataType.BF16 && !supported) {
            LOG.warn("precision bf16 as asked, though this processor has neither AMX nor AVX512-BF16: it will be slow");
        }
        LOG.info("precision {}: {}", type == DataType.BF16 ? "bf16 with fp32 parameters" : "fp32",
                precision.equals("auto")
                        ? "chosen by 'auto', this processor " + (supported ? "computes" : "does not compute") + " in bf16"
                        : "as asked");
        return type;
    }

    /** "cpu". */
    public String name() {
        return backend.name();
    }

    /** Backend and processor, to tell machines apart: "cpu, AMD EPYC". */
    public String hardware() {
        return backend instanceof CpuBackend ? backend.name() + ", " + SystemInfo.processor() : backend.name();
    }

    public int threads() {
        return threads;
    }

    /** Type of the activations: F32 or BF16. Parameters, statistics and losses are F32. */
    public DataType activationType() {
        return activationType;
    }

    public Backend backend() {
        if (closed) {
            throw new IllegalStateException("use after close: Device " + backend.name());
        }
        return backend;
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
        return backend.name() + ", " + threads + (threads == 1 ? " thread, " : " threads, ")
                + (activationType == DataType.BF16 ? "bf16 with fp32 parameters" : "fp32");
    }

    @Override
    public synchronized void close() {
        if (owner != null) {
            throw new IllegalStateException("device " + backend.name() + " is in use by thread '" + owner.getName() + "'");
        }
        if (!closed) {
            closed = true;
            backend.close();
        }
    }
}
