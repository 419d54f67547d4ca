package example;

import java.nio.file.Path;
import java.util.Arrays;
import org.effconv.Device;
import org.effconv.Learning;
import org.effconv.LearningResult;
import org.effconv.data.Dataset;
import org.effconv.data.Datasets;
import org.effconv.onnx.OnnxExport;

/** Learns the kernel sizes of a small network on images that it draws, and writes the network as an ONNX model. */
public final class LearnAndExport {
    public static void main(String[] arguments) {
        Dataset data = Datasets.open("planted:3,train=64,test=32,size=12");
        try (Device device = Device.open("cpu");
                LearningResult result =
                        Learning.of("planted3").epochs(2).seed(1).run(device, data)) {
            System.out.println("sizes " + Arrays.toString(result.search().sizes()));
            Path file = Path.of(arguments.length > 0 ? arguments[0] : "model.onnx");
            OnnxExport.write(result.learned().model(), file);
            System.out.println("wrote " + file);
        }
    }
}
