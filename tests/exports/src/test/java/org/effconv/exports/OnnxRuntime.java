package org.effconv.exports;

import ai.onnxruntime.OnnxTensor;
import ai.onnxruntime.OrtEnvironment;
import ai.onnxruntime.OrtException;
import ai.onnxruntime.OrtSession;
import java.nio.FloatBuffer;
import java.nio.file.Path;
import java.util.Map;
import org.effconv.data.Images;
import org.effconv.onnx.OnnxExport;

/** Runs exported models. */
final class OnnxRuntime {
    private OnnxRuntime() {}

    static OrtSession open(Path file) throws OrtException {
        return OrtEnvironment.getEnvironment().createSession(file.toString(), new OrtSession.SessionOptions());
    }

    static float[] logits(OrtSession session, Images images) throws OrtException {
        long[] shape = {images.count(), images.channels(), images.height(), images.width()};
        try (OnnxTensor input = OnnxTensor.createTensor(OrtEnvironment.getEnvironment(), Pixels.of(images), shape);
                OrtSession.Result result = session.run(Map.of(OnnxExport.INPUT, input))) {
            FloatBuffer logits = ((OnnxTensor) result.get(OnnxExport.OUTPUT).orElseThrow()).getFloatBuffer();
            float[] all = new float[logits.remaining()];
            logits.get(all);
            return all;
        }
    }
}
