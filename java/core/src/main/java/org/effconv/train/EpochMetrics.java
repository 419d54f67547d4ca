package org.effconv.train;

import com.fasterxml.jackson.databind.node.ArrayNode;
import com.fasterxml.jackson.databind.node.ObjectNode;
import java.util.List;
import org.effconv.io.Json;

/**
 * One line of metrics.jsonl. Numbers that were not measured in an epoch are NaN here and null there.
 *
 * @param phase probe, candidate1, candidate2 .., search, train or uniform
 * @param epoch from 1
 * @param epochs of this phase
 * @param loss mean class loss over the epoch's batches
 * @param trainAccuracy share of right answers in the same batches, 0..1
 * @param validationAccuracy after the epoch, if the dataset has a validation part
 * @param testAccuracy after the last epoch; never used to choose anything
 * @param learningRate at the epoch's last step
 * @param gradientNorm mean over the epoch, before clipping
 * @param sizes kernel size per sized layer (in a search: as it would be rounded now)
 * @param softSizes v per sized layer; empty outside a search
 * @param parameters of a network of {@code sizes}
 * @param budgetRatio soft parameter count over the budget; NaN outside a search
 * @param seconds wall clock of the epoch, without evaluation
 * @param imagesPerSecond training images per second
 * @param peakRssBytes largest resident set of this process so far; -1 if the system does not say
 */
public record EpochMetrics(
        String phase,
        int epoch,
        int epochs,
        double loss,
        double trainAccuracy,
        double validationAccuracy,
        double testAccuracy,
        double learningRate,
        double gradientNorm,
        List<Integer> sizes,
        List<Double> softSizes,
        long parameters,
        double budgetRatio,
        double seconds,
        double imagesPerSecond,
        long peakRssBytes) {

    public ObjectNode toJson() {
        ObjectNode json = Json.object();
        json.put("phase", phase).put("epoch", epoch).put("epochs", epochs);
        number(json, "loss", loss);
        number(json, "trainAccuracy", trainAccuracy);
        number(json, "validationAccuracy", validationAccuracy);
        number(json, "testAccuracy", testAccuracy);
        number(json, "learningRate", learningRate);
        number(json, "gradientNorm", gradientNorm);
        ArrayNode k = json.putArray("sizes");
        sizes.forEach(k::add);
        ArrayNode v = json.putArray("softSizes");
        softSizes.forEach(v::add);
        json.put("parameters", parameters);
        number(json, "budgetRatio", budgetRatio);
        number(json, "seconds", seconds);
        number(json, "imagesPerSecond", imagesPerSecond);
        json.put("peakRssBytes", peakRssBytes);
        return json;
    }

    private static void number(ObjectNode json, String key, double value) {
        if (Double.isFinite(value)) {
            json.put(key, value);
        } else {
            json.putNull(key); // JSON has neither NaN nor infinity
        }
    }
}
