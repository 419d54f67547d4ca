package org.effconv.backend.cuda;

import static org.effconv.backend.bridge.NativeLibrary.*;

import java.util.function.Consumer;
import java.util.function.IntSupplier;
import java.util.function.LongSupplier;
import org.bytedeco.javacpp.LongPointer;
import org.bytedeco.javacpp.Pointer;
import org.effconv.backend.bridge.NativeStatus;
import org.effconv.error.EffconvException;
import org.effconv.tensor.DataType;
import org.effconv.tensor.Tensor;

/**
 * From an operation to launches: asks the native library for a plan (native/effconv_launch.h), finds room for its
 * workspace and its table, and launches. All operations run on one stream and share one workspace.
 */
final class Launcher implements AutoCloseable {
    private static final long WORKSPACE_STEP = 1 << 20;

    private final Driver driver;
    private final DeviceMemory memory;
    private final Transfers transfers;
    private final KernelModules modules;
    private final long stream;
    private final ec_plan plan;
    private final ec_launch launch = new ec_launch();
    private long workspace;
    private long workspaceBytes;
    private Recording recording; // null unless a step is being recorded
    private long tableBytes; // placed since the last measure()
    private long liveBytes; // the same

    Launcher(Driver driver, DeviceMemory memory, Transfers transfers, KernelModules modules, long stream) {
        this.driver = driver;
        this.memory = memory;
        this.transfers = transfers;
        this.modules = modules;
        this.stream = stream;
        Driver.Limits limits = driver.limits();
        plan = ec_plan_create(limits.sharedBytesPerBlock(), limits.gridX(), limits.multiprocessors());
        if (plan == null || plan.isNull()) {
            throw new EffconvException("no host memory for launch plans");
        }
    }

    /** The plan that operations fill. */
    ec_plan plan() {
        return plan;
    }

    /** The code of a tensor's type, where this device serves it. */
    int type(Tensor t) {
        return served(t).type().ordinal();
    }

    /** @throws IllegalArgumentException for F64 */
    Tensor served(Tensor t) {
        if (t.type() == DataType.F64) {
            throw new IllegalArgumentException(
                    t + " on " + driver.name() + ": a card computes in F32 or BF16; F64 is for the CPU");
        }
        return t;
    }

    /**
     * Launches what {@code operation} planned.
     *
     * @param operation one of the ec_plan functions on {@link #plan}
     * @throws IllegalArgumentException if no kernel serves the request
     */
    void run(IntSupplier operation) {
        NativeStatus.check(operation.getAsInt());
        long room = workspace(ec_plan_workspace_bytes(plan));
        long bytes = ec_plan_table_bytes(plan);
        long passing = 0;
        long table = 0;
        if (bytes > 0) {
            tableBytes += Recording.rounded(bytes);
            long host = ec_plan_table(plan);
            table = recording != null ? recording.table(host, bytes) : transfers.table(host, bytes);
            if (table == 0) { // too large for the ring: memory of its own, freed in the order of the stream
                passing = memory.allocate(bytes, DeviceMemory.Use.TABLES);
                transfers.upload(passing, host, bytes);
                table = passing;
            }
        }
        NativeStatus.check(ec_plan_place(plan, table, room));
        int launches = ec_plan_launches(plan);
        for (int i = 0; i < launches; i++) {
            NativeStatus.check(ec_plan_launch(plan, i, launch));
            driver.launch(
                    modules.function(launch.kernel()),
                    launch.blocks(),
                    launch.threads(),
                    launch.shared_bytes(),
                    launch.parameters(),
                    launch.parameter_bytes(),
                    stream);
        }
        if (passing != 0) {
            memory.release(passing);
        }
    }

    /**
     * The workspace that all operations share, at least that large: for whoever puts work into the stream that no plan
     * of the native library describes. A step that is being recorded finds the workspace that its warm-up grew.
     */
    long workspace(long bytes) {
        if (bytes > workspaceBytes) {
            long larger = (bytes + WORKSPACE_STEP - 1) / WORKSPACE_STEP * WORKSPACE_STEP;
            long address = memory.allocate(larger, DeviceMemory.Use.WORKSPACE);
            if (workspaceBytes > 0) {
                memory.free(workspace, workspaceBytes);
            }
            workspace = address;
            workspaceBytes = larger;
        }
        return workspace;
    }

    /**
     * Where a number stands on the card that may be another one each time a recorded step is replayed; 0 outside a
     * recording, where the number itself is a parameter.
     */
    long value(LongSupplier source) {
        return live(Long.BYTES, host -> new LongPointer(host).put(source.getAsLong()));
    }

    /**
     * Where bytes stand on the card, aligned to 64 if there are more than 8, that {@code fill} writes anew each time a
     * recorded step is replayed; 0 outside a recording, where the launch's table or parameters hold them.
     */
    long live(long bytes, Consumer<Pointer> fill) {
        liveBytes = Recording.aligned(liveBytes, bytes) + bytes;
        return recording == null ? 0 : recording.live(bytes, fill);
    }

    // ---- recording --------------------------------------------------------------------------------------------

    /** What a step needs on the card beside tensors and workspace. */
    record Measure(long tableBytes, long liveBytes) {}

    void startMeasure() {
        tableBytes = 0;
        liveBytes = 0;
    }

    Measure measured() {
        return new Measure(tableBytes, liveBytes);
    }

    /** Tables and values of what follows belong to {@code r}; null ends that. */
    void recordInto(Recording r) {
        recording = r;
    }

    boolean recording() {
        return recording != null;
    }

    @Override
    public void close() {
        if (workspaceBytes > 0) {
            memory.free(workspace, workspaceBytes);
            workspaceBytes = 0;
        }
        launch.close();
        ec_plan_destroy(plan);
    }
}
