package org.effconv.report;

import com.fasterxml.jackson.databind.JsonNode;
import java.util.ArrayList;
import java.util.Comparator;
import java.util.List;
import java.util.Optional;
import org.effconv.data.Images;

/**
 * How a network does on each class of the test part.
 *
 * @param topFive share of images whose label is among the first five answers; NaN with five classes or fewer
 * @param rows of the classes: all, or of very many the worst
 * @param leftOut classes that {@code rows} lacks
 * @param matrix the confusion matrix; empty with many classes
 * @param pairs the worst confusions
 */
record Classes(
        double topFive,
        List<Row> rows,
        int leftOut,
        List<List<Cell>> matrix,
        List<Pair> pairs,
        List<Mistake> mistakes) {
    private static final int MOST_ROWS = 40;
    private static final int MOST_COLUMNS = 20; // of a matrix that can be read
    private static final int MOST_PAIRS = 15;

    /** @param number from 1, for the columns of the matrix */
    record Row(int number, String name, int images, int correct) {
        double share() {
            return images == 0 ? 0 : (double) correct / images;
        }

        String text() {
            return images == 0 ? "no images" : Text.percent(share());
        }

        /** Its bar's length, in percent. */
        String bar() {
            return Text.format("%.1f", 100 * share());
        }
    }

    /**
     * Images of one class that got one answer.
     *
     * @param shade 0 to 100, by the share of the class's images
     */
    record Cell(int images, int shade, boolean diagonal) {}

    record Pair(String label, String predicted, int images, String share) {}

    record Mistake(int image, String label, String predicted, String certainty, Optional<Picture> picture) {}

    /** @param counts as summary.json has them; empty if they are missing there */
    static Optional<Classes> of(JsonNode counts, Optional<Images> test) {
        if (!counts.has("classes")) {
            return Optional.empty();
        }
        List<Row> all = new ArrayList<>();
        for (JsonNode c : counts.path("classes")) {
            all.add(new Row(
                    all.size() + 1,
                    c.path("name").asText(),
                    c.path("images").asInt(),
                    c.path("correct").asInt()));
        }
        List<Row> rows = all.size() <= MOST_ROWS
                ? all
                : all.stream()
                        .filter(r -> r.images > 0)
                        .sorted(Comparator.comparingDouble(Row::share))
                        .limit(MOST_ROWS)
                        .toList();
        return Optional.of(new Classes(
                Text.number(counts.path("top5")),
                rows,
                all.size() - rows.size(),
                all.size() <= MOST_COLUMNS ? matrix(all, counts.path("confusions")) : List.of(),
                pairs(all, counts.path("confusions")),
                mistakes(all, counts.path("mostConfused"), test)));
    }

    private static List<List<Cell>> matrix(List<Row> rows, JsonNode confusions) {
        int n = rows.size();
        int[][] counts = new int[n][n];
        rows.forEach(r -> counts[r.number - 1][r.number - 1] = r.correct);
        confusions.forEach(c -> counts[c.path("label").asInt()][
                c.path("predicted").asInt()] = c.path("images").asInt());
        List<List<Cell>> matrix = new ArrayList<>();
        for (int i = 0; i < n; i++) {
            List<Cell> cells = new ArrayList<>();
            for (int j = 0; j < n; j++) {
                int shade = rows.get(i).images == 0 ? 0 : Math.round(100f * counts[i][j] / rows.get(i).images);
                cells.add(new Cell(counts[i][j], shade, i == j));
            }
            matrix.add(cells);
        }
        return matrix;
    }

    private static List<Pair> pairs(List<Row> rows, JsonNode confusions) {
        List<Pair> pairs = new ArrayList<>();
        for (JsonNode c : confusions) {
            if (pairs.size() < MOST_PAIRS) {
                Row label = rows.get(c.path("label").asInt());
                int images = c.path("images").asInt();
                pairs.add(new Pair(
                        label.name,
                        rows.get(c.path("predicted").asInt()).name,
                        images,
                        Text.percent((double) images / label.images)));
            }
        }
        return pairs;
    }

    private static List<Mistake> mistakes(List<Row> rows, JsonNode confused, Optional<Images> test) {
        List<Mistake> mistakes = new ArrayList<>();
        for (JsonNode c : confused) {
            int image = c.path("image").asInt();
            mistakes.add(new Mistake(
                    image,
                    rows.get(c.path("label").asInt()).name,
                    rows.get(c.path("predicted").asInt()).name,
                    Text.format("%.1f %%", 100 * c.path("certainty").asDouble()),
                    test.map(images -> Picture.of(images, image))));
        }
        return mistakes;
    }

    boolean hasTopFive() {
        return Double.isFinite(topFive);
    }

    String topFiveText() {
        return Text.percent(topFive);
    }
}
