package org.effconv.bench;

import static org.bytedeco.pytorch.global.torch.*;

import com.fasterxml.jackson.core.JsonProcessingException;
import com.fasterxml.jackson.databind.JsonNode;
import com.fasterxml.jackson.databind.ObjectMapper;
import java.util.ArrayList;
import java.util.List;
import org.bytedeco.javacpp.PointerScope;
import org.bytedeco.pytorch.Scalar;
import org.bytedeco.pytorch.Tensor;
import org.bytedeco.pytorch.TensorOptional;
import org.effconv.nn.NetworkPlan;

/** A network of PyTorch operations from our own description of it, so that both sides run the same layers. */
final class TorchNetwork implements AutoCloseable {
    private final boolean bf16;
    private final MemoryFormat format;
    private final int kernel;
    private final List<Tensor> parameters = new ArrayList<>();
    private final List<Tensor> owned = new ArrayList<>();
    private final List<Layer> layers;
    private int channels;
    private int height;
    private int width;

    private interface Layer {
        Tensor apply(Tensor x);
    }

    TorchNetwork(NetworkPlan plan, int kernel, boolean bf16, MemoryFormat format) {
        this.bf16 = bf16;
        this.format = format;
        this.kernel = kernel;
        channels = plan.input().channels();
        height = plan.input().height();
        width = plan.input().width();
        try (PointerScope scope = new PointerScope()) {
            JsonNode root = new ObjectMapper().readTree(plan.architecture().json());
            layers = layers(root.get("layers"), plan.input().classes());
        } catch (JsonProcessingException e) {
            throw new IllegalStateException(e);
        }
    }

    List<Tensor> parameters() {
        return parameters;
    }

    Tensor forward(Tensor x) {
        return run(layers, x);
    }

    private static Tensor run(List<Layer> layers, Tensor x) {
        Tensor now = x;
        for (Layer layer : layers) {
            now = layer.apply(now);
        }
        return now;
    }

    private List<Layer> layers(JsonNode nodes, int classes) {
        List<Layer> built = new ArrayList<>();
        for (JsonNode node : nodes) {
            switch (node.get("type").asText()) {
                case "conv" -> built.add(convolution(node));
                case "batchNorm" -> built.add(batchNorm());
                case "relu" -> built.add(x -> relu_(x));
                case "pool" -> built.add(pool(node));
                case "globalAveragePool" -> built.add(globalAveragePool());
                case "linear" -> built.add(linear(node, classes));
                case "dropout" -> {
                    double rate = node.get("rate").asDouble();
                    built.add(x -> dropout(x, rate, true));
                }
                case "residual" -> built.add(residual(node, classes));
                case "repeat" -> {
                    for (int i = 0; i < node.get("times").asInt(); i++) {
                        built.addAll(layers(node.get("layers"), classes));
                    }
                }
                default -> throw new IllegalArgumentException("no PyTorch layer for " + node);
            }
        }
        return built;
    }

    private Layer convolution(JsonNode node) {
        int inputs = channels;
        int outputs = node.path("channels").asInt(inputs);
        int groups =
                node.path("groups").isTextual() ? inputs : node.path("groups").asInt(1); // a text: depthwise
        int size = node.has("kernel") ? node.get("kernel").asInt() : kernel;
        int stride = node.path("stride").asInt(1);
        Tensor weight = weight(outputs, inputs / groups, size, size);
        Tensor bias = node.path("bias").asBoolean(false) ? zeros(outputs) : null;
        channels = outputs;
        height = (height - 1) / stride + 1;
        width = (width - 1) / stride + 1;
        long[] strides = {stride, stride};
        long[] padding = {size / 2, size / 2};
        long[] dilation = {1, 1};
        return x -> conv2d(
                x,
                cast(weight),
                bias == null ? new TensorOptional() : new TensorOptional(cast(bias)),
                strides,
                padding,
                dilation,
                groups);
    }

    private Layer batchNorm() {
        Tensor scale = parameter(torch_ones(channels));
        Tensor shift = zeros(channels);
        Tensor mean = owned(torch_zeros(channels));
        Tensor variance = owned(torch_ones(channels));
        return x -> batch_norm(
                x,
                new TensorOptional(scale),
                new TensorOptional(shift),
                new TensorOptional(mean),
                new TensorOptional(variance),
                true,
                0.1,
                1e-5,
                true);
    }

    private Layer pool(JsonNode node) {
        if (!node.get("kind").asText().equals("max")) {
            throw new IllegalArgumentException("no PyTorch layer for " + node);
        }
        int size = node.get("size").asInt();
        height /= size;
        width /= size;
        long[] window = {size, size};
        long[] padding = {0, 0};
        long[] dilation = {1, 1};
        return x -> max_pool2d(x, window, window, padding, dilation, false);
    }

    private Layer globalAveragePool() {
        height = 1;
        width = 1;
        int features = channels;
        return x -> adaptive_avg_pool2d(x, 1, 1).reshape(-1, features);
    }

    private Layer linear(JsonNode node, int classes) {
        int inputs = channels * height * width;
        int outputs =
                node.get("outputs").isTextual() ? classes : node.get("outputs").asInt();
        Tensor weight = weight(outputs, inputs);
        Tensor bias = zeros(outputs);
        channels = outputs;
        height = 1;
        width = 1;
        return x -> org.bytedeco.pytorch.global.torch.linear(
                x.reshape(-1, inputs), cast(weight), new TensorOptional(cast(bias)));
    }

    private Layer residual(JsonNode node, int classes) {
        int before = channels;
        int h = height;
        int w = width;
        List<Layer> body = layers(node.get("body"), classes);
        int after = channels;
        channels = before;
        height = h;
        width = w;
        List<Layer> shortcut = node.has("shortcut") ? layers(node.get("shortcut"), classes) : List.of();
        if (channels != after) {
            throw new IllegalArgumentException("body and shortcut differ in channels: " + node);
        }
        return x -> relu_(run(body, x).add_(run(shortcut, x)));
    }

    private Tensor cast(Tensor t) {
        return !bf16 ? t : t.to(ScalarType.BFloat16);
    }

    /** Normal values of He's deviation. */
    private Tensor weight(long... dims) {
        long fanIn = 1;
        for (int i = 1; i < dims.length; i++) {
            fanIn *= dims[i];
        }
        Tensor t = randn(dims).mul_(new Scalar(Math.sqrt(2.0 / fanIn)));
        return parameter(dims.length == 4 ? t.contiguous(format) : t);
    }

    private Tensor zeros(long count) {
        return parameter(torch_zeros(count));
    }

    private Tensor parameter(Tensor t) {
        parameters.add(owned(t.set_requires_grad(true)));
        return t;
    }

    private Tensor owned(Tensor t) {
        t.retainReference();
        owned.add(t);
        return t;
    }

    @Override
    public void close() {
        owned.forEach(Tensor::releaseReference);
    }
}
