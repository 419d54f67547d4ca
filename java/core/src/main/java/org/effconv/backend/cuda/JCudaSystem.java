package org.effconv.backend.cuda;

import static jcuda.driver.CUdevice_attribute.CU_DEVICE_ATTRIBUTE_COMPUTE_CAPABILITY_MAJOR;
import static jcuda.driver.CUdevice_attribute.CU_DEVICE_ATTRIBUTE_COMPUTE_CAPABILITY_MINOR;

import java.io.IOException;
import java.io.UncheckedIOException;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.HashMap;
import java.util.Map;
import java.util.Optional;
import java.util.function.IntSupplier;
import java.util.stream.Stream;
import jcuda.CudaException;
import jcuda.driver.CUdevice;
import jcuda.driver.CUresult;
import jcuda.driver.JCudaDriver;
import org.bytedeco.javacpp.Loader;
import org.effconv.backend.bridge.NativeLoader;
import org.effconv.error.EffconvException;

/** The machine that this runs on, through JCuda; what was found once is kept. */
final class JCudaSystem implements CudaSystem {
    private final Map<String, Optional<String>> libraries = new HashMap<>();

    @Override
    public Optional<String> driverLibraryFailure() {
        try {
            NativeLoader.load(); // where it does not load, JavaCPP can look for nothing
            Loader.loadGlobal(DRIVER_LIBRARY);
            return Optional.empty();
        } catch (EffconvException.MissingNative e) {
            return Optional.of("it cannot be looked for, as effconv's own native library does not load");
        } catch (LinkageError e) {
            return Optional.of(String.valueOf(e.getMessage()));
        }
    }

    @Override
    public Optional<String> bindingFailure() {
        return JCudaLibrary.failure();
    }

    @Override
    public String initialise() {
        return result(() -> JCudaDriver.cuInit(0));
    }

    // JCuda either returns results or throws them, as a switch says that is one for the whole process.
    private static String result(IntSupplier call) {
        try {
            return CUresult.stringFor(call.getAsInt());
        } catch (CudaException e) {
            return String.valueOf(e.getMessage()).strip();
        }
    }

    private static void require(String what, IntSupplier call) {
        String result = result(call);
        if (!result.equals("CUDA_SUCCESS")) {
            throw new EffconvException(what + " says " + result);
        }
    }

    @Override
    public int driverVersion() {
        int[] version = new int[1];
        require("cuDriverGetVersion", () -> JCudaDriver.cuDriverGetVersion(version));
        return version[0];
    }

    @Override
    public int cards() {
        int[] count = new int[1];
        require("cuDeviceGetCount", () -> JCudaDriver.cuDeviceGetCount(count));
        return count[0];
    }

    @Override
    public Card card(int ordinal) {
        CUdevice device = new CUdevice();
        require("cuDeviceGet", () -> JCudaDriver.cuDeviceGet(device, ordinal));
        byte[] name = new byte[256];
        require("cuDeviceGetName", () -> JCudaDriver.cuDeviceGetName(name, name.length, device));
        int[] major = new int[1];
        int[] minor = new int[1];
        require(
                "cuDeviceGetAttribute",
                () -> JCudaDriver.cuDeviceGetAttribute(major, CU_DEVICE_ATTRIBUTE_COMPUTE_CAPABILITY_MAJOR, device));
        require(
                "cuDeviceGetAttribute",
                () -> JCudaDriver.cuDeviceGetAttribute(minor, CU_DEVICE_ATTRIBUTE_COMPUTE_CAPABILITY_MINOR, device));
        long[] memory = new long[1];
        require("cuDeviceTotalMem", () -> JCudaDriver.cuDeviceTotalMem(memory, device));
        int length = 0;
        while (length < name.length && name[length] != 0) {
            length++;
        }
        return new Card(
                ordinal, new String(name, 0, length, StandardCharsets.UTF_8), 10 * major[0] + minor[0], memory[0]);
    }

    @Override
    public Optional<String> library(String soname) {
        return libraries.computeIfAbsent(soname, name -> {
            try {
                Loader.loadGlobal(name);
                return Optional.of(place(name));
            } catch (LinkageError e) {
                return Optional.empty(); // an answer: the caller says what that means
            }
        });
    }

    @Override
    public Optional<String> cudnnBindingFailure() {
        return CudnnBinding.failure();
    }

    /** The file behind a loaded library, whose name holds its whole version. */
    private static String place(String soname) {
        String stem = soname.substring(0, soname.indexOf(".so"));
        try (Stream<String> maps = Files.lines(Path.of("/proc/self/maps"))) {
            return maps.filter(l -> l.contains("/" + stem + ".so"))
                    .map(l -> l.substring(l.indexOf('/')))
                    .findFirst()
                    .orElse(soname);
        } catch (IOException e) {
            throw new UncheckedIOException("/proc/self/maps cannot be read", e);
        }
    }

    @Override
    public Optional<DeviceCode> deviceCode() {
        try {
            return DeviceCode.onClassPath();
        } catch (IOException e) {
            throw new UncheckedIOException(DeviceCode.MANIFEST + " cannot be read", e);
        }
    }
}
