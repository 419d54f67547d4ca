package org.effconv.backend.cuda;

import static org.effconv.backend.bridge.NativeLibrary.*;

import java.util.LinkedHashMap;
import java.util.Map;
import org.effconv.error.EffconvException;

/**
 * The kernels of one card: modules loaded when a kernel of theirs is first asked for, after the handshake of versions.
 */
final class KernelModules implements AutoCloseable {
    private final Driver driver;
    private final KernelImages images;
    private final Map<String, Long> modules = new LinkedHashMap<>();
    private final long[] functions = new long[ec_kernel_count()]; // 0: not asked for yet

    /** @throws EffconvException.MissingNative if there is no device code, or it does not belong to this library */
    KernelModules(Driver driver) {
        this.driver = driver;
        images = driver.images();
        if (ec_check_kernel_manifest(images.manifest()) != EC_OK) {
            throw new EffconvException.MissingNative(
                    ec_last_error().getString()
                            + "; put the kernels' jar of this library's version on the class path, or build both with:"
                            + " mvn -Pcuda package",
                    null);
        }
    }

    /** @param kernel index as in effconv_launch.h */
    long function(int kernel) {
        if (functions[kernel] == 0) {
            String family = ec_kernel_family(kernel).getString();
            Long module = modules.get(family);
            if (module == null) {
                module = driver.loadModule(family, images.module(family));
                modules.put(family, module);
            }
            functions[kernel] = driver.function(module, ec_kernel_name(kernel).getString());
        }
        return functions[kernel];
    }

    @Override
    public void close() {
        modules.values().forEach(driver::unloadModule);
        modules.clear();
    }
}
