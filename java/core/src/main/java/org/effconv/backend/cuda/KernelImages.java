package org.effconv.backend.cuda;

import java.io.IOException;
import java.io.InputStream;
import java.nio.charset.StandardCharsets;
import org.effconv.error.EffconvException;

/** Where device code comes from: a manifest and one module per kernel family. */
interface KernelImages {
    /** kernels.json as built beside the modules. */
    String manifest();

    byte[] module(String family);

    /** The resources on the class path. */
    static KernelImages resources() {
        return new KernelImages() {
            @Override
            public String manifest() {
                return new String(read(DeviceCode.MANIFEST), StandardCharsets.UTF_8);
            }

            @Override
            public byte[] module(String family) {
                return read(DeviceCode.MANIFEST.replace("kernels.json", family + ".fatbin"));
            }

            private byte[] read(String file) {
                try (InputStream in = KernelImages.class.getResourceAsStream(file)) {
                    if (in == null) {
                        throw new EffconvException.MissingNative(
                                "device code " + file
                                        + " is not on the class path; add the jar effconv-cuda-kernels with"
                                        + " classifier linux-x86_64-cuda13, or build it with: mvn -Pcuda -pl java/cuda package",
                                null);
                    }
                    return in.readAllBytes();
                } catch (IOException e) {
                    throw new EffconvException.MissingNative(
                            "device code " + file + " cannot be read: " + e.getMessage(), e);
                }
            }
        };
    }
}
