package org.effconv;

import static org.junit.jupiter.api.Assertions.*;

import java.util.ArrayList;
import java.util.List;
import java.util.Optional;
import org.effconv.backend.cpu.CpuBackend;
import org.effconv.backend.cuda.ConvolutionChoice;
import org.effconv.backend.cuda.CudaOptions;
import org.effconv.backend.cuda.CudaProblem;
import org.effconv.error.EffconvException.InvalidInput;
import org.effconv.error.EffconvException.MissingNative;
import org.effconv.tensor.DataType;
import org.junit.jupiter.api.Test;

class DeviceChoiceTest {
    private static final CudaProblem OLD = new CudaProblem(CudaProblem.Kind.DRIVER_TOO_OLD, "12.8", "13.0", "update");

    private final List<CudaOptions> asked = new ArrayList<>();

    private DeviceChoice choose(String device, CudaProblem problem) {
        Settings settings = Settings.standard()
                .with(Settings.DEVICE, device)
                .withText(Settings.GPU_MEMORY, "20g", "--gpu-memory")
                .with(Settings.CONV, "own")
                .with(Settings.GRAPHS, "off");
        return DeviceChoice.of(settings, options -> {
            asked.add(options);
            return Optional.ofNullable(problem);
        });
    }

    @Test
    void aCardByNameIsTakenWithItsOptionsOrRefusedWithTheReason() {
        CudaOptions expected = new CudaOptions(3, 20L << 30, ConvolutionChoice.OWN, false);
        assertEquals(new DeviceChoice(expected, "as asked"), choose("cuda:3", null));
        assertEquals(0, choose("cuda", null).cuda().ordinal());
        String message =
                assertThrows(MissingNative.class, () -> choose("cuda", OLD)).getMessage();
        assertEquals("device 'cuda': the NVIDIA driver is too old: found 12.8; needed: 13.0; way out: update", message);
    }

    @Test
    void autoSaysWhatItChoseAndWhy() {
        DeviceChoice card = choose("auto", null);
        assertEquals(0, card.cuda().ordinal());
        assertTrue(card.reason().contains("auto"), card.reason());
        DeviceChoice cpu = choose("auto", OLD);
        assertNull(cpu.cuda());
        assertTrue(cpu.reason().contains("auto") && cpu.reason().contains("too old (12.8)"), cpu.reason());
    }

    @Test
    void theCpuIsTakenWithoutAskingForCards() {
        assertNull(choose("CPU", OLD).cuda());
        assertEquals(List.of(), asked);
    }

    @Test
    void moreThreadsThanProcessorsAreWarnedOfWithBothNumbers() {
        assertEquals(Optional.empty(), Device.moreThreadsThanProcessors(4, 4, "--threads"));
        String warning = Device.moreThreadsThanProcessors(8, 1, "--threads").orElseThrow();
        assertTrue(warning.startsWith("--threads means 8 threads on 1 processor: "), warning);
    }

    @Test
    void otherDevicesAreRefused() {
        for (String name : new String[] {"tpu", "cuda:", "cuda:x", "cuda:-1", "cuda:99999", "gpu"}) {
            String message =
                    assertThrows(InvalidInput.class, () -> choose(name, null)).getMessage();
            assertTrue(
                    message.contains("'" + name + "'") && message.contains("expected auto, cpu, cuda or cuda:N"),
                    message);
        }
    }

    @Test
    void memoryIsGivenInBytesOrTheirMultiples() {
        String[][] good = {
            {"0", "0"}, {"20g", "21474836480"}, {"512M", "536870912"}, {"3k", "3072"}, {"1048576", "1048576"}
        };
        for (String[] pair : good) {
            assertEquals(Long.parseLong(pair[1]), Settings.GPU_MEMORY.parse(pair[0], "here"));
        }
        for (String bad : new String[] {"", "g", "-1", "20t", "1.5g", "9999999999g", "20 g"}) {
            assertThrows(InvalidInput.class, () -> Settings.GPU_MEMORY.parse(bad, "here"), bad);
        }
    }

    @Test
    void aDeviceOverABackendOfOnesOwnClosesIt() {
        CpuBackend backend = CpuBackend.open(2);
        try (Device device = Device.over(backend, DataType.F64)) {
            assertEquals("cpu, 2 threads, fp64", device.toString());
            assertEquals(2, device.threads());
            assertSame(backend, device.backend());
        }
        assertThrows(IllegalStateException.class, () -> backend.fill(null, 0));
        assertThrows(InvalidInput.class, () -> Device.over(backend, DataType.I32));
    }
}
