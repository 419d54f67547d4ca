package org.effconv;

import java.util.Locale;
import java.util.Optional;
import java.util.function.Function;
import org.effconv.backend.cuda.ConvolutionChoice;
import org.effconv.backend.cuda.CudaOptions;
import org.effconv.backend.cuda.CudaProblem;
import org.effconv.error.EffconvException;

/**
 * Which device the settings mean, decided before anything is opened.
 *
 * @param cuda how to open a card; null for the CPU
 * @param reason why this one, for the log
 */
record DeviceChoice(CudaOptions cuda, String reason) {
    /**
     * @param cuda why a card cannot be opened with given options; empty if it can
     * @throws EffconvException where a card was asked for by name and cannot be opened: the reason, what is needed, the
     *     way out
     */
    static DeviceChoice of(Settings settings, Function<CudaOptions, Optional<CudaProblem>> cuda) {
        String name = settings.get(Settings.DEVICE);
        if (name.equals("cpu")) {
            return new DeviceChoice(null, "as asked");
        }
        CudaOptions options = options(settings);
        Optional<CudaProblem> problem = cuda.apply(options);
        if (name.equals("auto")) {
            return problem.map(p -> new DeviceChoice(null, "chosen by 'auto': " + p.reason()))
                    .orElseGet(() ->
                            new DeviceChoice(options, "chosen by 'auto', which takes the first card that can be used"));
        }
        if (problem.isPresent()) {
            throw problem.get().exception(name);
        }
        return new DeviceChoice(options, "as asked");
    }

    private static CudaOptions options(Settings settings) {
        String device = settings.get(Settings.DEVICE);
        int colon = device.indexOf(':');
        return new CudaOptions(
                colon < 0 ? 0 : Integer.parseInt(device.substring(colon + 1)),
                settings.get(Settings.GPU_MEMORY),
                ConvolutionChoice.valueOf(settings.get(Settings.CONV).toUpperCase(Locale.ROOT)),
                settings.get(Settings.GRAPHS).equals("on"));
    }
}
