package org.effconv.exports;

import java.util.List;
import java.util.Random;
import org.effconv.Device;
import org.effconv.Settings;
import org.effconv.Training;
import org.effconv.TrainingResult;
import org.effconv.data.Dataset;
import org.effconv.data.Images;
import org.effconv.nn.Architecture;
import org.effconv.nn.NetworkPlan;

/** Networks to export: everything an architecture can be made of, shortly trained. */
final class Networks {
    /** Everything but global pooling, which resnet20 has. */
    static final String ALL =
            """
            {"name": "all", "layers": [
              {"type": "conv", "name": "first", "channels": 8, "stride": 2, "bias": true},
              {"type": "gelu"},
              {"type": "pool", "kind": "average", "size": 3, "stride": 2, "padding": 1},
              {"type": "batchNorm", "name": "gelu"},
              {"type": "conv", "name": "grouped", "channels": 12, "groups": 2, "bias": true},
              {"type": "batchNorm"},
              {"type": "relu"},
              {"type": "residual", "activation": "relu",
               "body": [{"type": "conv", "groups": "depthwise"}, {"type": "batchNorm"}],
               "shortcut": [{"type": "conv", "channels": 12, "kernel": 1}]},
              {"type": "repeat", "times": 2, "layers": [{"type": "conv", "channels": 12}, {"type": "relu"}]},
              {"type": "residual",
               "body": [{"type": "conv", "channels": "same", "kernel": 3}, {"type": "batchNorm"}, {"type": "relu"}]},
              {"type": "residual", "activation": "relu", "body": [{"type": "dropout", "rate": 0.5}, {"type": "conv", "channels": "same"}]},
              {"type": "pool", "kind": "max", "size": 2, "padding": 1},
              {"type": "linear", "outputs": 7},
              {"type": "relu"},
              {"type": "dropout", "rate": 0.25},
              {"type": "linear", "outputs": "classes", "bias": false}]}""";

    /**
     * What is hard to say in Python: padding beyond half a window, names that Python or a module has for itself,
     * residual blocks in one another, a value that two read, a depthwise convolution that multiplies its channels.
     */
    static final String AWKWARD =
            """
            {"name": "awkward \\"\\"\\" net", "layers": [
              {"type": "batchNorm", "name": "mean"},
              {"type": "conv", "name": "1st", "channels": 6},
              {"type": "pool", "kind": "max", "size": 3, "stride": 2, "padding": 2},
              {"type": "conv", "name": "half", "channels": 12, "groups": 6},
              {"type": "pool", "kind": "average", "size": 4, "stride": 3, "padding": 3},
              {"type": "conv", "name": "a-b", "channels": 8},
              {"type": "conv", "name": "a_b", "channels": 8, "stride": 2},
              {"type": "batchNorm"},
              {"type": "residual", "name": "class", "body": [
                {"type": "residual", "name": "x", "activation": "relu", "body": [
                   {"type": "conv", "name": "_modules", "channels": "same"}, {"type": "gelu"}],
                 "shortcut": [{"type": "residual", "body": [{"type": "dropout", "rate": 0.5}]}]},
                {"type": "conv", "name": "forward", "channels": 8}, {"type": "relu"}],
               "shortcut": [{"type": "batchNorm", "name": "items"}, {"type": "relu"}]},
              {"type": "repeat", "name": "train", "times": 2, "layers": [
                {"type": "residual", "name": "self", "body": [{"type": "batchNorm"}, {"type": "relu"},
                   {"type": "conv", "name": "3x3", "channels": "same"}]}]},
              {"type": "conv", "name": "network", "channels": 8, "stride": 2},
              {"type": "globalAveragePool"},
              {"type": "gelu"},
              {"type": "linear", "name": "type", "outputs": "classes"}]}""";

    private Networks() {}

    static Device device() {
        return Device.open(Settings.standard()
                .with(Settings.DEVICE, "cpu")
                .with(Settings.THREADS, 1)
                .with(Settings.PRECISION, "fp32"));
    }

    /** Random pixels; images higher than wide, so that no axis stands for another. */
    static Dataset data(int height, int width, int channels, int classes) {
        Random random = new Random(5);
        Images[] parts = new Images[2];
        for (int p = 0; p < parts.length; p++) {
            int count = 40;
            byte[] pixels = new byte[count * height * width * channels];
            random.nextBytes(pixels);
            parts[p] = Images.of(pixels, random.ints(count, 0, classes).toArray(), height, width, channels);
        }
        return Dataset.of(
                "drawn", parts[0], parts[1], List.of("a", "b", "c", "d", "e").subList(0, classes));
    }

    /** Trained for two epochs with sizes drawn from 1 to 9. */
    static TrainingResult trained(Device device, Architecture architecture, Dataset data) {
        NetworkPlan plan =
                architecture.plan(new NetworkPlan.Input(data.height(), data.width(), data.channels(), data.classes()));
        Random random = new Random(3);
        int[] sizes =
                random.ints(plan.sizedLayers().size(), 0, 5).map(i -> 1 + 2 * i).toArray();
        return Training.of(Settings.standard().with(Settings.EPOCHS, 2).with(Settings.BATCH, 16), architecture, sizes)
                .run(device, data);
    }
}
