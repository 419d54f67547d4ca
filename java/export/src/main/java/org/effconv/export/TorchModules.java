package org.effconv.export;

import java.util.ArrayList;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.Set;
import org.effconv.error.EffconvException.InvalidInput;

/**
 * The tree of modules that a network's layers make, by the parts of their full names: layers directly, what lies
 * between as {@code nn.ModuleDict}. Names that Python or {@code nn.Module} has for itself get others.
 */
final class TorchModules {
    private static final Set<String> KEYWORDS = Set.of(
            ("False None True and as assert async await break class continue def del elif else except finally for from"
                            + " global if import in is lambda nonlocal not or pass raise return try while with yield")
                    .split(" "));
    // Public attributes of nn.Module and nn.ModuleDict, PyTorch 1.13 and 2.9, and of the network itself.
    private static final Set<String> ATTRIBUTES = Set.of(
            ("T_destination add_module apply bfloat16 buffers call_super_init children clear compile cpu cuda double"
                            + " dump_patches eval extra_repr float forward get_buffer get_extra_state get_parameter"
                            + " get_submodule half ipu items keys load_state_dict modules mtia named_buffers"
                            + " named_children named_modules named_parameters parameters pop register_backward_hook"
                            + " register_buffer register_forward_hook register_forward_pre_hook"
                            + " register_full_backward_hook register_full_backward_pre_hook"
                            + " register_load_state_dict_post_hook register_load_state_dict_pre_hook register_module"
                            + " register_parameter register_state_dict_post_hook register_state_dict_pre_hook"
                            + " requires_grad_ set_extra_state set_submodule share_memory state_dict to to_empty train"
                            + " training type update values xpu zero_grad mean std")
                    .split(" "));

    /** A layer, which has a constructor, or a folder of them. */
    private static final class Node {
        final Map<String, Node> children = new LinkedHashMap<>();
        final String name;
        String constructor;

        Node(String name) {
            this.name = name;
        }

        Node child(String part, boolean top) {
            return children.computeIfAbsent(part, p -> new Node(free(p, top)));
        }

        private String free(String part, boolean top) {
            String free = legal(part, top);
            while (isTaken(free)) {
                free += "_";
            }
            return free;
        }

        private boolean isTaken(String candidate) {
            return children.values().stream().anyMatch(n -> n.name.equals(candidate));
        }
    }

    private final Node root = new Node("");
    private final Map<String, String> renamed = new LinkedHashMap<>();

    /**
     * Adds a layer.
     *
     * @param layer its full name
     * @return its name in the program, which differs where the full one cannot be had
     * @throws InvalidInput if it would have to be a layer and hold others
     */
    String add(String layer, String constructor) {
        Node node = root;
        List<String> names = new ArrayList<>();
        for (String part : layer.split("\\.")) {
            if (node.constructor != null) {
                throw both(layer, node.name);
            }
            node = node.child(part, node == root);
            names.add(node.name);
        }
        if (!node.children.isEmpty()) {
            throw both(layer, node.name);
        }
        node.constructor = constructor;
        String name = String.join(".", names);
        if (!name.equals(layer)) {
            renamed.put(layer, name);
        }
        return name;
    }

    private static InvalidInput both(String layer, String name) {
        return new InvalidInput("layer " + layer + ": '" + name
                + "' is a layer and holds others, which a module of PyTorch cannot; expected another name");
    }

    /** Layers that have another name in the program, by their full names. */
    Map<String, String> renamed() {
        return renamed;
    }

    /** Lines of a constructor that make all modules. */
    List<String> declarations() {
        List<String> lines = new ArrayList<>();
        for (Node n : root.children.values()) {
            declare(n, "self." + n.name + " = ", "", "", lines);
        }
        return lines;
    }

    private static void declare(Node node, String before, String after, String indent, List<String> lines) {
        if (node.constructor != null) {
            lines.add(indent + before + node.constructor + after);
            return;
        }
        lines.add(indent + before + "nn.ModuleDict({");
        for (Node child : node.children.values()) {
            declare(child, '"' + child.name + "\": ", ",", indent + "    ", lines);
        }
        lines.add(indent + "})" + after);
    }

    /**
     * How Python reaches what has the name {@code path} below {@code from}: by attributes, or keys where it must.
     *
     * @param path empty for {@code from} itself
     */
    static String reach(String from, String path) {
        StringBuilder python = new StringBuilder(from);
        for (String part : path.isEmpty() ? new String[0] : path.split("\\.")) {
            python.append(isIdentifier(part) ? "." + part : "[\"" + part + "\"]");
        }
        return python.toString();
    }

    static boolean isIdentifier(String name) {
        return name.matches("[A-Za-z_][A-Za-z0-9_]*") && !KEYWORDS.contains(name);
    }

    // Below a ModuleDict a name may begin with a digit. Python's own private attributes begin with _.
    private static String legal(String part, boolean top) {
        String word = part.replace('-', '_');
        if (word.startsWith("_") || top && Character.isDigit(word.charAt(0))) {
            word = "layer" + word;
        }
        return KEYWORDS.contains(word) || ATTRIBUTES.contains(word) ? word + "_" : word;
    }
}
