package org.effconv.backend.cuda;

import com.fasterxml.jackson.databind.JsonNode;
import com.fasterxml.jackson.databind.ObjectMapper;
import java.io.IOException;
import java.io.InputStream;
import java.nio.charset.StandardCharsets;
import java.util.ArrayList;
import java.util.List;
import java.util.Optional;
import java.util.stream.Collectors;

/**
 * What the manifest beside the fatbins says of them.
 *
 * @param version of the kernel library
 * @param toolkit of CUDA that compiled it, major version times 1000 plus minor version times 10, as drivers count
 * @param targets compute capabilities times ten with machine code
 * @param ptx compute capability times ten of the portable code, which newer cards translate
 */
public record DeviceCode(String version, int toolkit, List<Integer> targets, int ptx) {
    static final String MANIFEST = "/org/effconv/backend/cuda/kernels/kernels.json";

    public DeviceCode {
        targets = List.copyOf(targets);
    }

    /** The device code on the class path; empty if its jar is not there. */
    static Optional<DeviceCode> onClassPath() throws IOException {
        try (InputStream in = DeviceCode.class.getResourceAsStream(MANIFEST)) {
            return in == null
                    ? Optional.empty()
                    : Optional.of(parse(new String(in.readAllBytes(), StandardCharsets.UTF_8)));
        }
    }

    static DeviceCode parse(String manifest) throws IOException {
        JsonNode json = new ObjectMapper().readTree(manifest);
        List<Integer> targets = new ArrayList<>();
        json.path("targets").forEach(t -> targets.add(t.asInt()));
        String[] toolkit = json.path("toolkit").asText("0.0").split("\\.");
        return new DeviceCode(
                json.path("version").asText("unknown"),
                1000 * Integer.parseInt(toolkit[0]) + 10 * Integer.parseInt(toolkit[1]),
                targets,
                json.path("ptx").asInt());
    }

    /**
     * The oldest driver that takes it: of the toolkit's major version, since a newer PTX or machine code is refused by
     * older ones.
     */
    int leastDriver() {
        return toolkit / 1000 * 1000;
    }

    /** Whether a card of this compute capability runs it: machine code of its generation up to it, or PTX up to it. */
    boolean runsOn(int capability) {
        return capability >= ptx || targets.stream().anyMatch(t -> t / 10 == capability / 10 && t <= capability);
    }

    String cards() {
        return targets.stream().map(t -> "sm_" + t).collect(Collectors.joining(", ")) + " and PTX of compute_" + ptx;
    }
}
