package org.effconv.export;

import java.util.List;
import org.effconv.backend.Activation;
import org.effconv.backend.Convolution;
import org.effconv.backend.Pooling;
import org.effconv.export.Statements.Value;
import org.effconv.nn.NetworkPlan;
import org.effconv.nn.model.NetworkOperations;
import org.effconv.tensor.Shape;

/** Writes a network as a program for Keras 3, channels last within. */
final class KerasSource implements NetworkOperations<Value> {
    private static final String HEAD =
            """

            import json
            import struct
            from pathlib import Path

            import keras
            import numpy as np
            from keras import layers, ops

            LAST = "channels_last"
            """;

    /** What the layers are, each with the name that its values have in the file. */
    private static final String LAYERS =
            """


            def named(layer):
                \"""Keras' name of a layer; the names that Keras itself gives have no dot.\"""
                return "network." + layer


            def conv(x, layer, filters, kernel, stride=1, groups=1, bias=False):
                \"""A convolution that is padded by kernel // 2 on each side.\"""
                if kernel > 1:
                    x = layers.ZeroPadding2D(kernel // 2, data_format=LAST)(x)
                common = dict(strides=stride, use_bias=bias, data_format=LAST, name=named(layer))
                if groups > 1 and groups == x.shape[-1]:
                    return layers.DepthwiseConv2D(kernel, depth_multiplier=filters // groups, **common)(x)
                return layers.Conv2D(filters, kernel, groups=groups, **common)(x)


            def batch_norm(x, layer, epsilon):
                return layers.BatchNormalization(axis=-1, epsilon=epsilon, name=named(layer))(x)


            def linear(x, layer, units, bias=True):
                \"""A fully connected layer; of an image it reads channel after channel.\"""
                if len(x.shape) == 4:
                    x = layers.Reshape((-1,))(layers.Permute((3, 1, 2))(x))
                return layers.Dense(units, use_bias=bias, name=named(layer))(x)


            def padded(x, padding, value=0.0):
                return ops.pad(x, ((0, 0), (padding, padding), (padding, padding), (0, 0)), constant_values=value)


            def max_pool(x, size, stride, padding=0):
                x = padded(x, padding, float("-inf")) if padding else x
                return ops.max_pool(x, size, strides=stride, padding="valid", data_format=LAST)


            def average_pool(x, size, stride, padding=0):
                \"""Averages over those pixels of each window that are in the image.\"""
                average = dict(pool_size=size, strides=stride, padding="valid", data_format=LAST)
                if not padding:
                    return ops.average_pool(x, **average)
                inside = padded(np.ones((1, x.shape[1], x.shape[2], 1), "float32"), padding)
                return ops.average_pool(padded(x, padding), **average) / ops.average_pool(inside, **average)


            """;

    private static final String LOADER =
            """


            def tensor(dtype, values):
                return np.frombuffer(values, dtype={"F32": np.float32, "I64": np.int64}[dtype])


            """
                    + PythonText.READER
                    + """


            def kernel(layer, weight):
                \"""A kernel as Keras lays it out; the file has PyTorch's (out, in / groups, height, width).\"""
                if isinstance(layer, layers.Dense):
                    return weight.T
                kernel = weight.transpose(2, 3, 1, 0)
                if isinstance(layer, layers.DepthwiseConv2D):
                    return kernel.reshape(layer.kernel.shape)
                return kernel


            def load(path=Path(__file__).with_name("model.safetensors")):
                \"""The network with the weights of a file, ready to classify.\"""
                tensors = read_safetensors(path)
                tensors = {name: t for name, t in tensors.items() if not name.endswith(".num_batches_tracked")}
                network = build()
                for layer in network.layers:
                    if not layer.name.startswith(named("")):
                        continue
                    name = layer.name[len(named("")) :]
                    if isinstance(layer, layers.BatchNormalization):
                        values = [tensors.pop(name + part) for part in (".weight", ".bias", ".running_mean", ".running_var")]
                    else:
                        values = [kernel(layer, tensors.pop(name + ".weight"))]
                        values += [tensors.pop(name + ".bias")] if layer.use_bias else []
                    layer.set_weights(values)
                if tensors:
                    raise ValueError(f"{path}: the network has no {sorted(tensors)}")
                return network
            """;

    private final PortableModel model;
    private final Statements statements = new Statements();

    private KerasSource(PortableModel model) {
        this.model = model;
    }

    static String of(PortableModel model) {
        return new KerasSource(model).text();
    }

    private String text() {
        NetworkPlan.Input in = model.plan().input();
        Value logits = model.plan().trace(this, statements.input(in.height(), in.width(), in.channels()));
        List<String> lines = statements.lines(logits, (scope, before) -> "");
        String last = lines.remove(lines.size() - 1).replaceFirst("return ", "");
        return "\"\"\"" + PythonText.title(model) + "\"\"\"\n"
                + HEAD
                + PythonText.list("CLASSES", model.classNames())
                + "# of each channel, of pixel values from 0 to 1\n"
                + "MEAN = np.array(" + PythonText.list(model.normalisation().mean()) + ", \"float32\")\n"
                + "STD = np.array(" + PythonText.list(model.normalisation().std()) + ", \"float32\")\n"
                + LAYERS
                + "def build():\n"
                + "    \"\"\"The network with weights drawn at random.\"\"\"\n"
                + "    pixels = keras.Input((" + in.channels() + ", " + in.height() + ", " + in.width()
                + "), name=\"pixels\")\n"
                + "    x = (layers.Permute((2, 3, 1))(pixels) / 255.0 - MEAN) / STD\n"
                + PythonText.indented(lines, 4)
                + "    return keras.Model(pixels, " + last + ")\n"
                + LOADER;
    }

    // ---- operations ---------------------------------------------------------------------------------------------

    private Value add(Value like, String before, String after, Value x) {
        return statements.add(like, null, false, (prefix, o) -> before + o.get(0) + after, x);
    }

    private static String layer(String tensor) {
        return ", \"" + PythonText.layer(tensor) + "\"";
    }

    @Override
    public Value convolution(Value x, Convolution convolution, String weight, String bias) {
        Shape w = model.values().get(weight).shape(); // (K, C / groups, k, k)
        String rest = ", " + w.dim(0) + ", kernel=" + w.dim(2)
                + (convolution.stride() == 1 ? "" : ", stride=" + convolution.stride())
                + (convolution.groups() == 1 ? "" : ", groups=" + convolution.groups())
                + (bias == null ? ")" : ", bias=True)");
        Value like = new Value(0, convolution.outputExtent(x.height()), convolution.outputExtent(x.width()), w.dim(0));
        return add(like, "conv(", layer(weight) + rest, x);
    }

    @Override
    public Value batchNorm(Value x, String scale, String shift, String mean, String variance, double epsilon) {
        return add(x, "batch_norm(", layer(scale) + ", epsilon=" + epsilon + ")", x);
    }

    @Override
    public Value activation(Value x, Activation activation) {
        return activation == Activation.RELU
                ? add(x, "ops.relu(", ")", x)
                : add(x, "ops.gelu(", ", approximate=False)", x);
    }

    @Override
    public Value pool(Value x, Pooling p) {
        Value like = new Value(0, p.outputExtent(x.height()), p.outputExtent(x.width()), x.channels());
        String function = p.kind() == Pooling.Kind.MAX ? "max_pool(" : "average_pool(";
        String padding = p.padding() == 0 ? "" : ", padding=" + p.padding();
        return add(like, function, ", " + p.size() + ", stride=" + p.stride() + padding + ")", x);
    }

    @Override
    public Value globalAveragePool(Value x) {
        return add(new Value(0, 0, 0, x.channels()), "ops.mean(", ", axis=(1, 2))", x);
    }

    @Override
    public Value linear(Value x, String weight, String bias) {
        int units = model.values().get(weight).shape().dim(0);
        return add(
                new Value(0, 0, 0, units),
                "linear(",
                layer(weight) + ", " + units + (bias == null ? ", bias=False)" : ")"),
                x);
    }

    @Override
    public Value add(Value a, Value b) {
        return statements.add(a, null, false, (prefix, o) -> o.get(0) + " + " + o.get(1), a, b);
    }
}
