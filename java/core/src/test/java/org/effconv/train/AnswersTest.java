package org.effconv.train;

import static org.junit.jupiter.api.Assertions.assertArrayEquals;
import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertNotEquals;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;

import com.fasterxml.jackson.databind.node.ObjectNode;
import java.util.List;
import java.util.Random;
import java.util.stream.IntStream;
import org.effconv.backend.Backend;
import org.effconv.backend.cpu.CpuBackend;
import org.effconv.error.EffconvException.InvalidInput;
import org.effconv.io.Json;
import org.effconv.tensor.DataType;
import org.effconv.tensor.Shape;
import org.effconv.tensor.Tensor;
import org.junit.jupiter.api.Test;

class AnswersTest {
    private static final List<String> NAMES = List.of("a", "b", "c", "d", "e", "f", "g");

    @Test
    void countsAreThoseOfEachClass() {
        Answers answers = new Answers(3, 5);
        answers.add(new float[] {2, 1, 0, 0, 5, 0}, new int[] {0, 0});
        answers.add(new float[] {0, 5, 0, 1, 1, 0, 0, 9, 0}, new int[] {2, 1, 0});
        assertEquals(5, answers.images());
        assertEquals(1, answers.correct(), "of equal logits the first counts");
        assertArrayEquals(new int[] {3, 1, 1}, answers.imagesByClass());
        assertArrayEquals(new int[] {1, 0, 0}, answers.correctByClass());
        assertEquals(
                List.of(new Answers.Confusion(0, 1, 2), new Answers.Confusion(1, 0, 1), new Answers.Confusion(2, 1, 1)),
                answers.confusions());
        assertEquals(5, answers.topCorrect(), "three classes are all among the first five");
    }

    @Test
    void amongTheFirstFiveCountsWhatComesBeforeTheLabel() {
        Answers answers = new Answers(7, 3);
        float[] falling = {7, 6, 5, 4, 3, 2, 1};
        answers.add(falling, new int[] {4});
        answers.add(falling, new int[] {5});
        answers.add(new float[7], new int[] {5}); // all equal: five come before it
        assertEquals(1, answers.topCorrect());
        ObjectNode json = Json.object();
        answers.put(json, NAMES);
        assertEquals(1.0 / 3, json.path("top5").asDouble());
    }

    /** An accuracy is the same whether the loss's operation counts it or this class. */
    @Test
    void rightAnswersAreThoseOfTheLoss() {
        Random random = new Random(1);
        int n = 200;
        int classes = 9;
        float[] logits = new float[n * classes];
        IntStream.range(0, logits.length).forEach(i -> logits[i] = random.nextInt(4)); // with many ties
        int[] labels = random.ints(n, 0, classes).toArray();
        for (int c = 0; c < classes; c++) { // NaN is no answer, whatever else there is
            logits[c * classes + c] = Float.NaN;
            labels[c] = 0;
        }
        try (Backend backend = CpuBackend.open(1);
                Tensor x = Tensor.allocate(backend.memory(), DataType.F32, Shape.of(n, classes));
                Tensor y = Tensor.allocate(backend.memory(), DataType.I32, Shape.of(n));
                Tensor loss = Tensor.allocate(backend.memory(), DataType.F32, Shape.of(1));
                Tensor correct = Tensor.allocate(backend.memory(), DataType.I32, Shape.of(1))) {
            backend.write(x, logits);
            backend.write(y, labels);
            backend.softmaxCrossEntropy(x, y, 0, loss, correct, null);
            Answers answers = new Answers(classes, n);
            answers.add(logits, labels);
            assertEquals(backend.readInts(correct)[0], answers.correct());
        }
    }

    @Test
    void resultsNameTheWorstOfThousandsOfClasses() {
        int classes = 3000;
        Answers answers = new Answers(classes, 2000);
        for (int i = 0; i < 2000; i++) {
            float[] logits = new float[classes];
            logits[i < 5 ? 1 : i + 1] = 1 + i / 2000f;
            answers.add(logits, new int[] {i < 5 ? 0 : i});
        }
        ObjectNode json = Json.object();
        answers.put(
                json, IntStream.range(0, classes).mapToObj(Integer::toString).toList());
        assertEquals(Answers.MOST_CONFUSIONS, json.path("confusions").size());
        assertEquals(5, json.path("confusions").path(0).path("images").asInt(), "the worst pair first");
        assertEquals(
                1996 - Answers.MOST_CONFUSIONS, json.path("confusionsLeftOut").asInt());
        assertEquals(Answers.MOST_CONFUSED, json.path("mostConfused").size());
        assertEquals(1999, json.path("mostConfused").path(0).path("image").asInt(), "the most certain first");
    }

    @Test
    void whatIsNoNumberIsNoAnswer() {
        Answers answers = new Answers(7, 3);
        float[] none = new float[7];
        none[3] = Float.NaN;
        answers.add(none, new int[] {0});
        answers.add(none, new int[] {2});
        answers.add(new float[] {0, Float.POSITIVE_INFINITY, 0, 0, 0, 0, 0}, new int[] {0});
        assertEquals(0, answers.correct());
        assertEquals(1, answers.topCorrect(), "the last one's");
        assertEquals(List.of(new Answers.Confusion(0, 1, 1)), answers.confusions());
        ObjectNode json = Json.object();
        answers.put(json, NAMES);
        assertEquals(1, json.path("mostConfused").size());
        assertEquals(1.0, json.path("mostConfused").path(0).path("certainty").asDouble());
    }

    @Test
    void aLabelThatIsNoClassIsRefused() {
        Answers answers = new Answers(2, 1);
        assertTrue(assertThrows(InvalidInput.class, () -> answers.add(new float[2], new int[] {2}))
                .getMessage()
                .contains("label 2"));
    }

    @Test
    void equalAnswersAreEqual() {
        assertEquals(one(1), one(1));
        assertEquals(one(1).hashCode(), one(1).hashCode());
        assertNotEquals(one(1), one(2));
    }

    private static Answers one(float logit) {
        Answers answers = new Answers(2, 1);
        answers.add(new float[] {0, logit}, new int[] {1});
        return answers;
    }
}
