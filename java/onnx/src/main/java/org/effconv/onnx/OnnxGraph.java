package org.effconv.onnx;

import ai.onnx.proto.OnnxMl.AttributeProto;
import ai.onnx.proto.OnnxMl.GraphProto;
import ai.onnx.proto.OnnxMl.NodeProto;
import ai.onnx.proto.OnnxMl.TensorProto;
import ai.onnx.proto.OnnxMl.TensorShapeProto;
import ai.onnx.proto.OnnxMl.TypeProto;
import ai.onnx.proto.OnnxMl.ValueInfoProto;
import com.google.protobuf.UnsafeByteOperations;
import java.util.Arrays;
import java.util.HashSet;
import java.util.List;
import java.util.Locale;
import java.util.Map;
import java.util.Set;
import java.util.stream.Collectors;
import java.util.stream.LongStream;
import org.effconv.backend.Activation;
import org.effconv.backend.Convolution;
import org.effconv.backend.Pooling;
import org.effconv.io.TensorData;
import org.effconv.nn.NetworkPlan;
import org.effconv.nn.model.NetworkOperations;
import org.effconv.tensor.Shape;
import org.effconv.train.Normalisation;

/** Builds ONNX's graph of a network. ONNX has channels first where the project has them last, as PyTorch does. */
final class OnnxGraph implements NetworkOperations<OnnxGraph.Value> {
    private static final int LARGEST_BYTE = 255;

    /** A result by its name; height and width of an image, 0 of what is (N, channels). */
    record Value(String name, int height, int width, int channels) {
        boolean flat() {
            return height == 0;
        }
    }

    private final GraphProto.Builder graph = GraphProto.newBuilder();
    private final Map<String, TensorData> values;
    private final Set<String> written = new HashSet<>();
    private int nodes;

    /** @param values parameters and running statistics by the network's names, F32, as PyTorch has them */
    OnnxGraph(String name, Map<String, TensorData> values) {
        graph.setName(name);
        this.values = values;
    }

    Value input(String name, NetworkPlan.Input in) {
        graph.addInput(info(name, in.channels(), in.height(), in.width()));
        return new Value(name, in.height(), in.width(), in.channels());
    }

    /** Pixel values from 0 to 255 as the network wants them, per channel. */
    Value normalised(Value pixels, Normalisation n) {
        float[] factors = new float[pixels.channels];
        float[] offsets = new float[pixels.channels];
        for (int c = 0; c < factors.length; c++) {
            factors[c] = (float) (1 / ((double) LARGEST_BYTE * n.std()[c]));
            offsets[c] = (float) (-(double) n.mean()[c] / n.std()[c]);
        }
        Shape perChannel = Shape.of(1, pixels.channels, 1, 1);
        Value scaled = same(pixels, "Mul", pixels.name, constant("/normalisation/factor", perChannel, factors));
        return same(scaled, "Add", scaled.name, constant("/normalisation/offset", perChannel, offsets));
    }

    void output(String name, Value logits, int classes) {
        graph.addNode(NodeProto.newBuilder()
                .setOpType("Identity")
                .setName(name)
                .addInput(logits.name)
                .addOutput(name));
        graph.addOutput(info(name, classes));
    }

    GraphProto build() {
        return graph.build();
    }

    // ---- operations ---------------------------------------------------------------------------------------------

    @Override
    public Value convolution(Value x, Convolution convolution, String weight, String bias) {
        Shape w = shape(weight); // (K, C / groups, k, k)
        int k = w.dim(2);
        int padding = (k - 1) / 2;
        int stride = convolution.stride();
        String[] inputs = operands(x.name, constant(weight), bias);
        String y = node(
                "Conv",
                List.of(
                        integers("kernel_shape", k, k), integers("pads", padding, padding, padding, padding),
                        integers("strides", stride, stride), integer("group", convolution.groups())),
                inputs);
        return new Value(y, convolution.outputExtent(x.height), convolution.outputExtent(x.width), w.dim(0));
    }

    @Override
    public Value batchNorm(Value x, String scale, String shift, String mean, String variance, double epsilon) {
        AttributeProto e = AttributeProto.newBuilder()
                .setName("epsilon")
                .setType(AttributeProto.AttributeType.FLOAT)
                .setF((float) epsilon)
                .build();
        return same(
                x,
                node(
                        "BatchNormalization",
                        List.of(e),
                        x.name,
                        constant(scale),
                        constant(shift),
                        constant(mean),
                        constant(variance)));
    }

    @Override
    public Value activation(Value x, Activation activation) {
        return activation == Activation.RELU ? same(x, "Relu", x.name) : gelu(x);
    }

    // x / 2 * (1 + erf(x / sqrt 2)): these operators have none of their own for it
    private Value gelu(Value x) {
        Shape one = Shape.of(1);
        Value scaled = same(x, "Mul", x.name, constant("/gelu/scale", one, (float) Math.sqrt(0.5)));
        Value erf = same(x, "Erf", scaled.name);
        Value sum = same(x, "Add", erf.name, constant("/gelu/one", one, 1));
        Value half = same(x, "Mul", x.name, constant("/gelu/half", one, 0.5f));
        return same(x, "Mul", half.name, sum.name);
    }

    // Padded pixels count neither in ONNX's maximum nor, by default, in its average.
    @Override
    public Value pool(Value x, Pooling p) {
        String y = node(
                p.kind() == Pooling.Kind.MAX ? "MaxPool" : "AveragePool",
                List.of(
                        integers("kernel_shape", p.size(), p.size()),
                        integers("pads", p.padding(), p.padding(), p.padding(), p.padding()),
                        integers("strides", p.stride(), p.stride())),
                x.name);
        return new Value(y, p.outputExtent(x.height), p.outputExtent(x.width), x.channels);
    }

    @Override
    public Value globalAveragePool(Value x) {
        return flattened(new Value(node("GlobalAveragePool", List.of(), x.name), 1, 1, x.channels));
    }

    @Override
    public Value linear(Value x, String weight, String bias) {
        String y = node("Gemm", List.of(integer("transB", 1)), operands(flattened(x).name, constant(weight), bias));
        return new Value(y, 0, 0, shape(weight).dim(0));
    }

    @Override
    public Value add(Value a, Value b) {
        return same(a, "Add", a.name, b.name);
    }

    private Value flattened(Value x) {
        return x.flat()
                ? x
                : new Value(
                        node("Flatten", List.of(integer("axis", 1)), x.name), 0, 0, x.height * x.width * x.channels);
    }

    // ---- nodes and constants ------------------------------------------------------------------------------------
    // Names of the network have dots and no slashes, those of nodes neither: no two are the same.

    private Value same(Value like, String type, String... inputs) {
        return same(like, node(type, List.of(), inputs));
    }

    private static Value same(Value like, String name) {
        return new Value(name, like.height, like.width, like.channels);
    }

    private String node(String type, List<AttributeProto> attributes, String... inputs) {
        String name = type.toLowerCase(Locale.ROOT) + ++nodes;
        graph.addNode(NodeProto.newBuilder()
                .setOpType(type)
                .setName(name)
                .addAllInput(Arrays.asList(inputs))
                .addOutput(name)
                .addAllAttribute(attributes));
        return name;
    }

    private String[] operands(String x, String weight, String bias) {
        return bias == null ? new String[] {x, weight} : new String[] {x, weight, constant(bias)};
    }

    private Shape shape(String name) {
        return values.get(name).shape();
    }

    private String constant(String name) {
        return constant(name, shape(name), values.get(name).floats());
    }

    private String constant(String name, Shape shape, float... data) {
        if (written.add(name)) {
            TensorData bytes = TensorData.of(shape, data); // little-endian, as ONNX has it
            graph.addInitializer(TensorProto.newBuilder()
                    .setName(name)
                    .setDataType(TensorProto.DataType.FLOAT_VALUE)
                    .addAllDims(dims(shape))
                    .setRawData(UnsafeByteOperations.unsafeWrap(bytes.bytes()))); // nobody else has them
        }
        return name;
    }

    private static List<Long> dims(Shape shape) {
        return LongStream.range(0, shape.rank())
                .mapToObj(i -> (long) shape.dim((int) i))
                .collect(Collectors.toList());
    }

    private static ValueInfoProto info(String name, int... afterBatch) {
        TensorShapeProto.Builder shape = TensorShapeProto.newBuilder()
                .addDim(TensorShapeProto.Dimension.newBuilder().setDimParam("N"));
        for (int d : afterBatch) {
            shape.addDim(TensorShapeProto.Dimension.newBuilder().setDimValue(d));
        }
        return ValueInfoProto.newBuilder()
                .setName(name)
                .setType(TypeProto.newBuilder()
                        .setTensorType(TypeProto.Tensor.newBuilder()
                                .setElemType(TensorProto.DataType.FLOAT_VALUE)
                                .setShape(shape)))
                .build();
    }

    private static AttributeProto integer(String name, long value) {
        return AttributeProto.newBuilder()
                .setName(name)
                .setType(AttributeProto.AttributeType.INT)
                .setI(value)
                .build();
    }

    private static AttributeProto integers(String name, long... list) {
        return AttributeProto.newBuilder()
                .setName(name)
                .setType(AttributeProto.AttributeType.INTS)
                .addAllInts(LongStream.of(list).boxed().toList())
                .build();
    }
}
