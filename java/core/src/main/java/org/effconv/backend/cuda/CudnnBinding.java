package org.effconv.backend.cuda;

import java.util.Optional;
import org.effconv.error.EffconvException.MissingNative;

/**
 * The door to {@link CudnnLibrary}, which with {@link CublasLibrary} needs the JavaCPP preset's jars: says what is
 * missing where they cannot be loaded, and keeps that. To be asked once cuDNN's and cuBLAS's own libraries are known to
 * be there.
 */
final class CudnnBinding {
    /** Version of org.bytedeco:cuda that the library was compiled with: CUDA, cuDNN, JavaCPP. */
    static final String PRESET = "13.1-9.19-1.5.13";

    private CudnnBinding() {}

    /** Why cuDNN cannot be reached from Java; empty if it can. */
    static Optional<String> failure() {
        return Optional.ofNullable(FirstAttempt.FAILURE);
    }

    /** @param stream the driver's own handle, a CUstream */
    static ConvolutionLibrary open(String device, long stream) {
        failure().ifPresent(why -> {
            throw new MissingNative(device + ": cuDNN cannot be reached from Java: " + why, null);
        });
        return CudnnLibrary.open(device, stream);
    }

    /** Runs once, when first asked for. */
    private static final class FirstAttempt {
        static final String FAILURE = attempt();

        private static String attempt() {
            try {
                return wrongMajor(CudnnLibrary.load()).orElse(null);
            } catch (NoClassDefFoundError e) {
                return "no class " + String.valueOf(e.getMessage()).replace('/', '.') + " on the class path";
            } catch (LinkageError e) {
                return String.valueOf(e.getMessage()).lines().findFirst().orElse(e.toString());
            }
        }
    }

    /**
     * What stands against a cuDNN of that version.
     *
     * @param version as cudnnGetVersion gives it: 91900 for 9.19.0, 8907 for 8.9.7
     */
    static Optional<String> wrongMajor(long version) {
        return major(version) == CudaProbe.CUDNN
                ? Optional.empty()
                : Optional.of("the cuDNN that was loaded is " + text(version) + ", and org.bytedeco:cuda:" + PRESET
                        + " needs cuDNN " + CudaProbe.CUDNN);
    }

    // Since version 9 the major number counts ten thousands.
    private static long unit(long version) {
        return version >= 90_000 ? 10_000 : 1_000;
    }

    private static long major(long version) {
        return version / unit(version);
    }

    static String text(long version) {
        return major(version) + "." + version % unit(version) / 100 + "." + version % 100;
    }
}
