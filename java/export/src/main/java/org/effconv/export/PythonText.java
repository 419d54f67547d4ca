package org.effconv.export;

import java.util.List;
import java.util.stream.Collectors;
import java.util.stream.IntStream;
import org.effconv.io.Json;
import org.effconv.io.ThisBuild;
import org.effconv.nn.NetworkPlan;

/** What the programs for Python have in common. */
final class PythonText {
    private static final int WIDTH = 100;

    /** Reads a safetensors file; beside it stands a function {@code tensor(dtype, values)} that makes one of bytes. */
    static final String READER =
            """
            def read_safetensors(path):
                \"""The tensors of a safetensors file by name: eight bytes of length, a header in JSON, the values.\"""
                with open(path, "rb") as file:
                    (length,) = struct.unpack("<Q", file.read(8))
                    header = json.loads(file.read(length))
                    values = bytearray(file.read())
                header.pop("__metadata__", None)
                tensors = {}
                for name, entry in header.items():
                    begin, end = entry["data_offsets"]
                    tensors[name] = tensor(entry["dtype"], values[begin:end]).reshape(entry["shape"])
                return tensors
            """;

    private PythonText() {}

    /** What a program is, for its first lines. */
    static String title(PortableModel model) {
        NetworkPlan.Input in = model.plan().input();
        StringBuilder title = new StringBuilder();
        title.append(text(model.plan().architecture().name())).append(", an ordinary CNN in fp32, written by EffConv ");
        title.append(ThisBuild.version()).append(".\n\n");
        title.append("Input: pixel values from 0 to 255, of shape (N, ").append(in.channels());
        title.append(", ").append(in.height()).append(", ").append(in.width()).append(").\n");
        title.append("Output: logits, of shape (N, ").append(in.classes()).append(").\n\n");
        title.append("Kernel sizes that were open:\n");
        List<String> names = model.plan().sizedLayerNames();
        IntStream.range(0, names.size()).forEach(i -> title.append("    ")
                .append(names.get(i))
                .append(": ")
                .append(model.sizes()[i])
                .append('\n'));
        return title.toString();
    }

    /** A named list of texts; JSON's text is one of Python. */
    static String list(String name, List<String> texts) {
        List<String> quoted = texts.stream().map(t -> Json.tree(t).toString()).toList();
        String line = name + " = [" + String.join(", ", quoted) + "]\n";
        return line.length() <= WIDTH ? line : name + " = [\n    " + String.join(",\n    ", quoted) + ",\n]\n";
    }

    /** Python's list of numbers, each of which reads as the same fp32. */
    static String list(float[] numbers) {
        return "["
                + IntStream.range(0, numbers.length)
                        .mapToObj(i -> Float.toString(numbers[i]))
                        .collect(Collectors.joining(", "))
                + "]";
    }

    /** The lines, each behind so many spaces; empty ones stay empty. */
    static String indented(List<String> lines, int spaces) {
        StringBuilder text = new StringBuilder();
        lines.forEach(
                l -> text.append(l.isEmpty() ? "" : " ".repeat(spaces) + l).append('\n'));
        return text.toString();
    }

    // In a text between three quotes.
    private static String text(String name) {
        return name.replace("\\", "/").replace('"', '\'');
    }

    /** The layer of a parameter or statistic. */
    static String layer(String tensor) {
        return tensor.substring(0, tensor.lastIndexOf('.'));
    }
}
