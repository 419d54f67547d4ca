package org.effconv.export;

import java.util.ArrayList;
import java.util.HashMap;
import java.util.HashSet;
import java.util.List;
import java.util.Map;
import java.util.Objects;
import java.util.Set;

/**
 * The straight code of a forward pass, in Python: collects what is computed, then names the results. A name is taken
 * again once nothing reads its value any more, so that most code has {@code x} alone.
 */
final class Statements {
    /** A result by its number; height and width of an image, 0 of what is (N, channels). */
    record Value(int number, int height, int width, int channels) {
        boolean flat() {
            return height == 0;
        }
    }

    /** Writes an operation down. */
    @FunctionalInterface
    interface Expression {
        /**
         * @param prefix of the names of its layers, where {@link Scopes} gave one
         * @param operands as Python has them
         */
        String of(String prefix, List<String> operands);
    }

    /** Says what stands before the layers of a scope. */
    @FunctionalInterface
    interface Scopes {
        /**
         * Called where the code comes to layers of another scope.
         *
         * @param lines to which what defines the prefix may be added
         */
        String enter(String scope, List<String> lines);
    }

    /** @param scope of the layer that it calls; null if it calls none */
    private record Operation(
            Value result, String scope, boolean chained, Expression expression, List<Value> operands) {}

    private static final String NAMES = "xyzuvw";

    private final List<Operation> operations = new ArrayList<>();

    /** What goes into the code, under the name {@code x}. */
    Value input(int height, int width, int channels) {
        Value x = new Value(0, height, width, channels);
        operations.add(new Operation(x, null, false, null, List.of()));
        return x;
    }

    /**
     * Adds an operation.
     *
     * @param like has the extents of the result
     * @param scope of the layer that it calls; null if it calls none
     * @param chained whether it may stand around its only operand, in one line
     */
    Value add(Value like, String scope, boolean chained, Expression expression, Value... operands) {
        Value result = new Value(operations.size(), like.height, like.width, like.channels);
        operations.add(new Operation(result, scope, chained, expression, List.of(operands)));
        return result;
    }

    /** The lines, the last of which returns {@code last}. */
    List<String> lines(Value last, Scopes scopes) {
        int[] readBy = readers(last);
        boolean[] inline = inline(readBy);
        int[] until = lastReads(last, inline);
        List<String> lines = new ArrayList<>();
        Map<Value, String> text = new HashMap<>(); // a name, or an expression that its reader takes in
        Map<Value, String> named = new HashMap<>(Map.of(operations.get(0).result, name(0)));
        text.putAll(named);
        String scope = null;
        String prefix = "";
        for (Operation o : operations.subList(1, operations.size())) {
            if (o.scope != null && !o.scope.equals(scope)) {
                scope = o.scope;
                prefix = scopes.enter(scope, lines);
            }
            String expression =
                    o.expression.of(prefix, o.operands.stream().map(text::get).toList());
            if (inline[o.result.number]) {
                text.put(o.result, expression);
                continue;
            }
            named.keySet().removeIf(v -> until[v.number] <= o.result.number);
            String name = free(named);
            named.put(o.result, name);
            text.put(o.result, name);
            lines.add(name + " = " + expression);
        }
        String assigned = text.get(last) + " = ";
        int end = lines.size() - 1;
        boolean atEnd = end >= 0 && lines.get(end).startsWith(assigned);
        lines.add("return " + (atEnd ? lines.remove(end).substring(assigned.length()) : text.get(last)));
        return lines;
    }

    /** How many operations read each value; the end of the code reads the last. */
    private int[] readers(Value last) {
        int[] readers = new int[operations.size()];
        operations.forEach(o -> o.operands.forEach(v -> readers[v.number]++));
        readers[last.number]++;
        return readers;
    }

    /** Which values stand in their reader's line: the next operation alone reads them, and may stand around them. */
    private boolean[] inline(int[] readers) {
        boolean[] inline = new boolean[operations.size()];
        for (int i = 1; i + 1 < inline.length; i++) {
            Operation o = operations.get(i);
            Operation next = operations.get(i + 1);
            boolean sameScope = next.scope == null || Objects.equals(next.scope, o.scope);
            inline[i] = next.chained && next.operands.equals(List.of(o.result)) && readers[i] == 1 && sameScope;
        }
        return inline;
    }

    /** The operation in whose line each value is read for the last time; one that stands inside is read with it. */
    private int[] lastReads(Value last, boolean[] inline) {
        int[] until = new int[operations.size()];
        int line = until.length; // of the end
        until[last.number] = line;
        for (int i = until.length - 1; i > 0; i--) {
            line = inline[i] ? line : i;
            for (Value v : operations.get(i).operands) {
                until[v.number] = Math.max(until[v.number], line);
            }
        }
        return until;
    }

    private static String free(Map<Value, String> named) {
        Set<String> taken = new HashSet<>(named.values());
        int i = 0;
        while (taken.contains(name(i))) {
            i++;
        }
        return name(i);
    }

    private static String name(int i) {
        return i < NAMES.length() ? NAMES.substring(i, i + 1) : "x" + i;
    }

    /** Whether the code may give a value this name. */
    static boolean isTaken(String name) {
        return name.length() == 1 && NAMES.contains(name) || name.matches("x\\d+");
    }
}
