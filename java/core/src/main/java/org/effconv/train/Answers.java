package org.effconv.train;

import com.fasterxml.jackson.databind.node.ArrayNode;
import com.fasterxml.jackson.databind.node.ObjectNode;
import java.util.Arrays;
import java.util.Comparator;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import java.util.stream.IntStream;
import org.effconv.error.EffconvException.InvalidInput;
import org.effconv.io.Json;

/**
 * What a network answered to each image of a part. An image's answer is the class of its first largest logit; all
 * figures of an {@link Evaluation} but the loss are counts of these.
 */
public final class Answers {
    /** The answer to an image for which a logit is NaN. It is wrong, as in the loss's operation. */
    public static final int NONE = -1;

    /** Answers among which {@link #topCorrect} looks for the label. */
    public static final int TOP = 5;

    /** Pairs of classes that results name at most: of thousands of classes the worst. */
    static final int MOST_CONFUSIONS = 1000;

    /** Wrong answers that results name. */
    static final int MOST_CONFUSED = 12;

    private final int classes;
    private final int[] labels;
    private final int[] predicted;
    private final float[] certainty;
    private int count;
    private int topCorrect;

    /**
     * How often images of one class were taken for another.
     *
     * @param label class that they are of
     * @param predicted class that was answered
     */
    public record Confusion(int label, int predicted, int images) {}

    Answers(int classes, int images) {
        this.classes = classes;
        labels = new int[images];
        predicted = new int[images];
        certainty = new float[images];
    }

    /**
     * Adds images.
     *
     * @param logits (batch.length, classes), row-major
     * @param batch their labels
     * @throws InvalidInput if a label is no class of the network
     */
    void add(float[] logits, int[] batch) {
        for (int i = 0; i < batch.length; i++) {
            int from = i * classes;
            int label = batch[i];
            if (label >= classes) {
                throw new InvalidInput("image " + count + ": label " + label + ", the network knows " + classes
                        + " classes, counted from 0");
            }
            int first = 0;
            int before = 0; // logits that come before the label's, the largest first
            float own = logits[from + label];
            boolean none = false;
            for (int c = 0; c < classes; c++) {
                float x = logits[from + c];
                none |= Float.isNaN(x);
                first = x > logits[from + first] ? c : first;
                before += x > own || x == own && c < label ? 1 : 0;
            }
            double sum = 0; // of the softmax, by its largest term
            for (int c = 0; c < classes; c++) {
                float x = logits[from + c];
                sum += x == logits[from + first]
                        ? 1
                        : Math.exp(x - (double) logits[from + first]); // infinite ones, too
            }
            labels[count] = label;
            predicted[count] = none ? NONE : first;
            certainty[count++] = none ? 0 : (float) (1 / sum);
            topCorrect += !none && before < TOP ? 1 : 0;
        }
    }

    public int classes() {
        return classes;
    }

    /** Images that were looked at. */
    public int images() {
        return count;
    }

    /** Right answers. */
    public int correct() {
        return (int)
                IntStream.range(0, count).filter(i -> labels[i] == predicted[i]).count();
    }

    /** Images whose label is among the {@link #TOP} largest logits. */
    public int topCorrect() {
        return topCorrect;
    }

    /** Images of each class. */
    public int[] imagesByClass() {
        int[] counts = new int[classes];
        IntStream.range(0, count).forEach(i -> counts[labels[i]]++);
        return counts;
    }

    /** Right answers of each class. */
    public int[] correctByClass() {
        int[] counts = new int[classes];
        IntStream.range(0, count).filter(i -> labels[i] == predicted[i]).forEach(i -> counts[labels[i]]++);
        return counts;
    }

    /** The confusion matrix beside its diagonal, without zeros: the worst pairs first. */
    public List<Confusion> confusions() {
        Map<Long, Integer> counts =
                new HashMap<>(); // by label * classes + predicted: a square of thousands is too much
        IntStream.range(0, count)
                .filter(this::isConfused)
                .forEach(i -> counts.merge((long) labels[i] * classes + predicted[i], 1, Integer::sum));
        return counts.entrySet().stream()
                .map(e -> new Confusion((int) (e.getKey() / classes), (int) (e.getKey() % classes), e.getValue()))
                .sorted(Comparator.comparingInt((Confusion c) -> -c.images)
                        .thenComparingInt(Confusion::label)
                        .thenComparingInt(Confusion::predicted))
                .toList();
    }

    private boolean isConfused(int i) {
        return predicted[i] != labels[i] && predicted[i] != NONE;
    }

    /** Adds the figures to an object of results, with the images that the network was most certain and wrong of. */
    void put(ObjectNode json, List<String> names) {
        if (classes > TOP) {
            json.put("top" + TOP, (double) topCorrect / count);
        }
        int[] of = imagesByClass();
        int[] right = correctByClass();
        ArrayNode each = json.putArray("classes");
        for (int c = 0; c < classes; c++) {
            each.addObject().put("name", names.get(c)).put("images", of[c]).put("correct", right[c]);
        }
        List<Confusion> confusions = confusions();
        List<Confusion> told = confusions.subList(0, Math.min(MOST_CONFUSIONS, confusions.size()));
        json.set("confusions", Json.tree(told));
        json.put("confusionsLeftOut", confusions.size() - told.size());
        ArrayNode worst = json.putArray("mostConfused");
        IntStream.range(0, count)
                .filter(this::isConfused)
                .boxed()
                .sorted(Comparator.comparingDouble((Integer i) -> -certainty[i]).thenComparing(i -> i))
                .limit(MOST_CONFUSED)
                .forEach(i -> worst.addObject()
                        .put("image", i)
                        .put("label", labels[i])
                        .put("predicted", predicted[i])
                        .put("certainty", certainty[i]));
    }

    @Override
    public boolean equals(Object o) {
        return o instanceof Answers other
                && classes == other.classes
                && topCorrect == other.topCorrect
                && Arrays.equals(labels, other.labels)
                && Arrays.equals(predicted, other.predicted)
                && Arrays.equals(certainty, other.certainty);
    }

    @Override
    public int hashCode() {
        return Arrays.hashCode(predicted);
    }
}
