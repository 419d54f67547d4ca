package org.effconv.export;

import java.util.List;
import java.util.Map;
import java.util.stream.Collectors;
import org.effconv.backend.Activation;
import org.effconv.backend.Convolution;
import org.effconv.backend.Pooling;
import org.effconv.export.Statements.Value;
import org.effconv.nn.NetworkPlan;
import org.effconv.nn.model.NetworkOperations;
import org.effconv.tensor.Shape;

/** Writes a network as a program for PyTorch. */
final class PytorchSource implements NetworkOperations<Value> {
    private static final double TORCH_EPSILON = 1e-5; // of a batch norm, where none is given
    private static final String AVERAGE_POOL =
            """


            def average_pool(x, size, stride, padding):
                \"""Averages over those pixels of each window that are in the image; PyTorch's own pads less.\"""
                beside = [padding] * 4
                inside = F.pad(torch.ones_like(x[:1, :1]), beside)
                return F.avg_pool2d(F.pad(x, beside), size, stride) / F.avg_pool2d(inside, size, stride)
            """;

    private final PortableModel model;
    private final Statements statements = new Statements();
    private final TorchModules modules = new TorchModules();
    private boolean averagesFarPadding;

    private PytorchSource(PortableModel model) {
        this.model = model;
    }

    static String of(PortableModel model) {
        return new PytorchSource(model).text();
    }

    private String text() {
        NetworkPlan.Input in = model.plan().input();
        Value logits = model.plan().trace(this, statements.input(in.height(), in.width(), in.channels()));
        return "\"\"\"" + PythonText.title(model) + "\"\"\"\n"
                + """

                import json
                import struct
                from pathlib import Path

                import torch
                import torch.nn.functional as F
                from torch import nn

                """
                + PythonText.list("CLASSES", model.classNames())
                + "# of each channel, of pixel values from 0 to 1\n"
                + "MEAN = " + PythonText.list(model.normalisation().mean()) + "\n"
                + "STD = " + PythonText.list(model.normalisation().std()) + "\n"
                + "\n\nclass Network(nn.Module):\n    def __init__(self):\n        super().__init__()\n"
                + constant("mean", "MEAN")
                + constant("std", "STD")
                + PythonText.indented(modules.declarations(), 8)
                + "\n    def forward(self, pixels):\n        x = (pixels / 255 - self.mean) / self.std\n"
                + PythonText.indented(statements.lines(logits, new Aliases()), 8)
                + (averagesFarPadding ? AVERAGE_POOL : "")
                + "\n\n"
                + reader()
                + loader();
    }

    // No part of the state_dict, which has weights alone.
    private static String constant(String name, String list) {
        return "        self.register_buffer(\"" + name + "\", torch.tensor(" + list
                + ").reshape(1, -1, 1, 1), persistent=False)\n";
    }

    private static String reader() {
        return """
               def tensor(dtype, values):
                   return torch.frombuffer(values, dtype={"F32": torch.float32, "I64": torch.int64}[dtype])


               """
                + PythonText.READER;
    }

    private String loader() {
        Map<String, String> renamed = modules.renamed();
        String names = renamed.entrySet().stream()
                .map(e -> "    \"" + e.getKey() + "\": \"" + e.getValue() + "\",\n")
                .collect(Collectors.joining());
        String table = renamed.isEmpty()
                ? ""
                : "\n\n# Layers whose names in the file Python or nn.Module has for itself.\nRENAMED = {\n" + names
                        + "}\n";
        String rename = renamed.isEmpty()
                ? ""
                : """
                      split = {name: name.rpartition(".") for name in state}
                      state = {RENAMED.get(split[n][0], split[n][0]) + "." + split[n][2]: t for n, t in state.items()}
                  """;
        return table
                + """


                def load(path=Path(__file__).with_name("model.safetensors")):
                    \"""The network with the weights of a file, ready to classify.\"""
                    state = read_safetensors(path)
                """
                + rename
                + """
                    network = Network()
                    network.load_state_dict(state, strict=True)
                    return network.eval()
                """;
    }

    /** A short name for the modules of a block that lies deep: {@code block = self.stage1["2"].block}. */
    private static final class Aliases implements Statements.Scopes {
        private String path = "";
        private String alias = "self";

        @Override
        public String enter(String scope, List<String> lines) {
            if (path.isEmpty() || !(scope + ".").startsWith(path + ".")) {
                leave();
                if (!scope.isEmpty()) {
                    lines.add("");
                }
                if (scope.indexOf('.') > 0) {
                    path = scope;
                    alias = local(scope.substring(scope.lastIndexOf('.') + 1));
                    lines.add(alias + " = " + TorchModules.reach("self", scope));
                }
            }
            String below = path.isEmpty() ? scope : scope.substring(Math.min(scope.length(), path.length() + 1));
            return TorchModules.reach(alias, below);
        }

        private void leave() {
            path = "";
            alias = "self";
        }

        private static String local(String name) {
            boolean free = TorchModules.isIdentifier(name)
                    && !Statements.isTaken(name)
                    && !List.of("self", "pixels", "torch", "nn", "F", "average_pool")
                            .contains(name);
            return free ? name : "part";
        }
    }

    // ---- operations ---------------------------------------------------------------------------------------------

    /** Declares a module and calls it. */
    private Value call(Value x, Value like, String tensor, boolean chained, String constructor) {
        String name = modules.add(PythonText.layer(tensor), constructor);
        int dot = name.lastIndexOf('.');
        String scope = dot < 0 ? "" : name.substring(0, dot);
        String last = name.substring(dot + 1);
        boolean flatten = constructor.startsWith("nn.Linear") && !x.flat();
        return statements.add(
                like,
                scope,
                chained,
                (prefix, o) -> TorchModules.reach(prefix, last) + "(" + o.get(0) + (flatten ? ".flatten(1)" : "") + ")",
                x);
    }

    @Override
    public Value convolution(Value x, Convolution convolution, String weight, String bias) {
        Shape w = shape(weight); // (K, C / groups, k, k)
        int k = w.dim(2);
        String constructor = "nn.Conv2d(" + x.channels() + ", " + w.dim(0) + ", kernel_size=" + k
                + unless(1, ", stride=", convolution.stride())
                + (k == 1 ? "" : ", padding=" + k + " // 2")
                + unless(1, ", groups=", convolution.groups())
                + (bias == null ? ", bias=False" : "") + ")";
        Value like = new Value(0, convolution.outputExtent(x.height()), convolution.outputExtent(x.width()), w.dim(0));
        return call(x, like, weight, false, constructor);
    }

    @Override
    public Value batchNorm(Value x, String scale, String shift, String mean, String variance, double epsilon) {
        String eps = epsilon == TORCH_EPSILON ? "" : ", eps=" + epsilon;
        return call(x, x, scale, true, "nn.BatchNorm2d(" + x.channels() + eps + ")");
    }

    @Override
    public Value linear(Value x, String weight, String bias) {
        Shape w = shape(weight);
        String constructor = "nn.Linear(" + w.dim(1) + ", " + w.dim(0) + (bias == null ? ", bias=False" : "") + ")";
        return call(x, new Value(0, 0, 0, w.dim(0)), weight, false, constructor);
    }

    @Override
    public Value activation(Value x, Activation activation) {
        String function = activation == Activation.RELU ? "F.relu(" : "F.gelu(";
        return statements.add(x, null, true, (prefix, o) -> function + o.get(0) + ")", x);
    }

    @Override
    public Value pool(Value x, Pooling p) {
        averagesFarPadding |= p.kind() == Pooling.Kind.AVERAGE && isFar(p);
        Value like = new Value(0, p.outputExtent(x.height()), p.outputExtent(x.width()), x.channels());
        return statements.add(like, null, false, (prefix, o) -> pooled(o.get(0), p), x);
    }

    // PyTorch pads by half the window at most.
    private static boolean isFar(Pooling p) {
        return 2 * p.padding() > p.size();
    }

    private static String pooled(String x, Pooling p) {
        boolean far = isFar(p);
        String window = ", " + p.size() + unless(p.size(), ", stride=", p.stride());
        String padding = unless(0, ", padding=", p.padding());
        if (p.kind() == Pooling.Kind.MAX) {
            return far
                    ? "F.max_pool2d(F.pad(" + x + ", [" + p.padding() + "] * 4, value=-torch.inf)" + window + ")"
                    : "F.max_pool2d(" + x + window + padding + ")";
        }
        return far
                ? "average_pool(" + x + ", " + p.size() + ", " + p.stride() + ", " + p.padding() + ")"
                : "F.avg_pool2d(" + x + window + padding + (p.padding() == 0 ? "" : ", count_include_pad=False") + ")";
    }

    @Override
    public Value globalAveragePool(Value x) {
        return statements.add(
                new Value(0, 0, 0, x.channels()), null, false, (prefix, o) -> o.get(0) + ".mean(dim=(2, 3))", x);
    }

    @Override
    public Value add(Value a, Value b) {
        return statements.add(a, null, false, (prefix, o) -> o.get(0) + " + " + o.get(1), a, b);
    }

    private Shape shape(String name) {
        return model.values().get(name).shape();
    }

    private static String unless(int usual, String before, int value) {
        return value == usual ? "" : before + value;
    }
}
