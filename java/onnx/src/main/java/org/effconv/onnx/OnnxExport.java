package org.effconv.onnx;

import ai.onnx.proto.OnnxMl.ModelProto;
import ai.onnx.proto.OnnxMl.OperatorSetIdProto;
import ai.onnx.proto.OnnxMl.StringStringEntryProto;
import java.nio.file.Path;
import org.effconv.TrainedModel;
import org.effconv.error.EffconvException.InvalidInput;
import org.effconv.export.PortableModel;
import org.effconv.io.AtomicFile;
import org.effconv.io.ThisBuild;
import org.effconv.nn.NetworkPlan;

/**
 * Writes a trained network as an ONNX model, for whatever runs those: an ordinary CNN in fp32 with fixed kernels.
 *
 * <p>Its input {@value #INPUT} is float32 (N, C, H, W) with the pixels' values, 0 to 255; the normalisation is part of
 * the model. Its output {@value #OUTPUT} is float32 (N, classes), before the softmax. N is free. It has the metadata of
 * {@link PortableModel#metadata}.
 */
public final class OnnxExport {
    public static final String INPUT = "pixels";
    public static final String OUTPUT = "logits";
    /** Version of ONNX's operators (of 2022) that the model is written in. */
    public static final int OPERATORS = 17;

    private static final int FORMAT = 8; // ONNX's own, which belongs to those operators
    // What one protobuf message may hold, less what is not weights.
    private static final long MOST_BYTES = (1L << 31) - (1 << 24);

    private OnnxExport() {}

    /**
     * Replaces {@code file}, whose folder must exist.
     *
     * @throws InvalidInput if the weights are more than an ONNX file can hold, 2 GiB, or in fp64
     * @throws IllegalStateException if another thread uses the model's device
     * @throws java.io.UncheckedIOException if the file cannot be written; the old one is then still whole
     */
    public static void write(TrainedModel model, Path file) {
        AtomicFile.write(file, model(model)::writeTo);
    }

    static ModelProto model(TrainedModel model) {
        NetworkPlan plan = model.plan();
        requireRoom(plan.toString(), Float.BYTES * model.parameters());
        PortableModel portable = PortableModel.of(model);
        OnnxGraph graph = new OnnxGraph(plan.architecture().name(), portable.values());
        OnnxGraph.Value pixels = graph.input(INPUT, plan.input());
        graph.output(
                OUTPUT,
                plan.trace(graph, graph.normalised(pixels, model.normalisation())),
                plan.input().classes());
        ModelProto.Builder written = ModelProto.newBuilder()
                .setIrVersion(FORMAT)
                .addOpsetImport(OperatorSetIdProto.newBuilder().setVersion(OPERATORS))
                .setProducerName("effconv")
                .setProducerVersion(ThisBuild.version())
                .setGraph(graph.build());
        portable.metadata().forEach((key, value) -> written.addMetadataProps(entry(key, value)));
        return written.build();
    }

    static void requireRoom(String what, long bytes) {
        if (bytes > MOST_BYTES) {
            throw new InvalidInput(
                    what + " has " + bytes + " bytes of weights; an ONNX file holds " + MOST_BYTES + " at most");
        }
    }

    private static StringStringEntryProto entry(String key, String value) {
        return StringStringEntryProto.newBuilder().setKey(key).setValue(value).build();
    }
}
