package org.effconv;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;

import java.lang.reflect.InvocationTargetException;
import java.lang.reflect.Proxy;
import java.util.ArrayList;
import java.util.List;
import java.util.concurrent.atomic.AtomicInteger;
import org.effconv.backend.Backend;
import org.effconv.backend.cpu.CpuBackend;
import org.effconv.data.Dataset;
import org.effconv.data.Datasets;
import org.effconv.error.EffconvException.OutOfDeviceMemory;
import org.effconv.tensor.Allocator;
import org.effconv.tensor.DataType;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.Test;

/**
 * Whichever allocation of a job fails (but those that the CPU backend makes for itself, as oneDNN's scratch), of the
 * device's memory or (of the Java heap, say) with an Error, the job ends with that, keeps nothing, and the device stays
 * usable.
 */
class MemoryFaultsTest {
    private static final Dataset DATA = Datasets.open("planted:3,train=32,test=16,size=12");

    private final CpuBackend cpu = CpuBackend.open(1);
    private final AtomicInteger left = new AtomicInteger(Integer.MAX_VALUE); // allocations that still succeed
    private final List<Long> heldAfterTrim = new ArrayList<>();
    private boolean error; // whether the next one fails as the heap or direct buffers do

    @AfterEach
    void close() {
        cpu.close();
    }

    private Backend limited() {
        Allocator memory = new Allocator() {
            @Override
            public long allocate(long bytes) {
                if (left.getAndDecrement() <= 0) {
                    if (error) {
                        throw new OutOfMemoryError("test");
                    }
                    throw new OutOfDeviceMemory("test: no memory for " + bytes + " bytes");
                }
                return cpu.memory().allocate(bytes);
            }

            @Override
            public void free(long address, long bytes) {
                cpu.memory().free(address, bytes);
            }
        };
        return (Backend) Proxy.newProxyInstance(
                Backend.class.getClassLoader(), new Class<?>[] {Backend.class}, (proxy, method, arguments) -> {
                    try {
                        Object result = method.getName().equals("memory") ? memory : method.invoke(cpu, arguments);
                        if (method.getName().equals("trim")) {
                            heldAfterTrim.add(cpu.liveBytes());
                        }
                        return result;
                    } catch (InvocationTargetException e) {
                        throw e.getCause();
                    }
                });
    }

    private void everyFaultIsSurvived(Runnable job) {
        everyFaultIsSurvived(job, OutOfDeviceMemory.class);
        error = true;
        everyFaultIsSurvived(job, OutOfMemoryError.class);
    }

    private void everyFaultIsSurvived(Runnable job, Class<? extends Throwable> fault) {
        int count = Integer.MAX_VALUE;
        left.set(count);
        job.run();
        int allocations = count - left.get();
        assertEquals(0, cpu.liveBytes(), "kept by the backend itself");
        assertTrue(allocations > 20, allocations + " allocations");
        for (int n = 0; n < allocations; n += n < 100 ? 1 : 31) {
            left.set(n);
            assertThrows(fault, job::run);
            assertEquals(0, cpu.liveBytes(), "after the failure of allocation " + (n + 1) + " of " + allocations);
        }
        left.set(count);
        job.run();
    }

    /** A search keeps nothing on its device; so nothing may be left when what is free goes back to the system. */
    @Test
    void searchesTrimOnceTheyHaveFreedAll() {
        Device device = Device.over(limited(), DataType.F32);
        KernelSizeSearch.of("planted3").budget("k5").epochs(1).batch(16).run(device, DATA);
        BudgetRangeSearch.of("planted3")
                .budget("any:k3..k5")
                .epochs(1)
                .batch(16)
                .run(device, DATA);
        assertEquals(List.of(0L, 0L), heldAfterTrim);
    }

    @Test
    void inASearch() {
        Device device = Device.over(limited(), DataType.F32);
        everyFaultIsSurvived(() -> KernelSizeSearch.of("planted3")
                .budget("k5")
                .set(Settings.FLOW, "two-stage")
                .epochs(1)
                .batch(16)
                .run(device, DATA));
    }

    @Test
    void inAProbeAndItsCandidates() {
        Device device = Device.over(limited(), DataType.F32);
        everyFaultIsSurvived(() -> KernelSizeSearch.of("planted3")
                .budget("k5")
                .set(Settings.EPOCHS, 1)
                .epochs(16)
                .batch(16)
                .run(device, DATA));
    }

    @Test
    void inASearchForARange() {
        Device device = Device.over(limited(), DataType.F32);
        everyFaultIsSurvived(() -> BudgetRangeSearch.of("planted3")
                .budget("any:k3..k5")
                .epochs(1)
                .batch(16)
                .run(device, DATA));
    }

    @Test
    void inATraining() {
        Device device = Device.over(limited(), DataType.F32);
        everyFaultIsSurvived(() -> Training.of("planted3", new int[] {3, 5, 3})
                .epochs(1)
                .batch(16)
                .run(device, DATA)
                .close());
    }

    @Test
    void inATrainingOfContinuousKernels() {
        Device device = Device.over(limited(), DataType.F32);
        everyFaultIsSurvived(() -> FlexConvTraining.of(
                        Settings.standard().with(Settings.BATCH, 16).with(Settings.EPOCHS, 1),
                        Job.architecture("planted1"))
                .run(device, DATA));
    }
}
