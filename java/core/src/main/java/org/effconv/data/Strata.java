package org.effconv.data;

import java.util.Arrays;
import java.util.function.Consumer;
import java.util.stream.IntStream;

/** Choice of a subset that keeps the mixture of classes. */
final class Strata {
    private Strata() {}

    /**
     * Marks {@code wanted} images; each class gives its share, rounded by largest remainder (ties: lower class first).
     *
     * @param labels of all images
     * @param order puts the members of a class, given in ascending order, into the order in which they are taken
     */
    static boolean[] choose(int[] labels, int classes, int wanted, Consumer<int[]> order) {
        int[] members = new int[classes];
        for (int label : labels) {
            members[label]++;
        }
        int[] quota = quotas(members, labels.length, wanted);
        boolean[] chosen = new boolean[labels.length];
        for (int c = 0; c < classes; c++) {
            int label = c;
            int[] own = IntStream.range(0, labels.length)
                    .filter(i -> labels[i] == label)
                    .toArray();
            order.accept(own);
            for (int i = 0; i < quota[c]; i++) {
                chosen[own[i]] = true;
            }
        }
        return chosen;
    }

    static int[] indices(boolean[] marks, boolean value) {
        return IntStream.range(0, marks.length).filter(i -> marks[i] == value).toArray();
    }

    private static int[] quotas(int[] members, long total, long wanted) {
        int[] quota = new int[members.length];
        long[] remainder = new long[members.length];
        long open = wanted;
        for (int c = 0; c < members.length; c++) {
            quota[c] = (int) (members[c] * wanted / total);
            remainder[c] = members[c] * wanted % total;
            open -= quota[c];
        }
        Integer[] byRemainder = new Integer[members.length];
        Arrays.setAll(byRemainder, c -> c);
        Arrays.sort(
                byRemainder, (a, b) -> Long.compare(remainder[b], remainder[a])); // stable: ties stay in class order
        for (int i = 0; i < open; i++) {
            quota[byRemainder[i]]++;
        }
        return quota;
    }
}
