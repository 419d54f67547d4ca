package org.effconv.sweep;

import com.fasterxml.jackson.databind.JsonNode;
import com.fasterxml.jackson.databind.node.ObjectNode;
import java.util.List;
import java.util.stream.Stream;
import org.effconv.cost.Cost;
import org.effconv.error.EffconvException.InvalidInput;

/**
 * Whether a row of a results file holds what a comparison takes from it: such a file may have been edited, or cut and
 * glued together.
 */
final class RowCheck {
    private static final List<String> TEXTS = List.of("/id", "/arch", "/data", "/budget", "/budgetCost", "/method");
    private static final List<String> NUMBERS = List.of(
            "/seed",
            "/budgetTarget",
            "/result/parameters",
            "/result/budgetDeviation",
            "/result/testAccuracy",
            "/result/images/train");

    private static final List<String> OF_WORK = List.of(
            "/work/uniformEpochs",
            "/work/multiplyAdds",
            "/work/processorSeconds",
            "/work/search/multiplyAdds",
            "/work/search/processorSeconds"); // rows of early sweeps have none of them

    private RowCheck() {}

    /**
     * @param where names file and line
     * @throws InvalidInput naming the field, what it is, and what was expected
     */
    static void require(ObjectNode row, String where) {
        for (String text : TEXTS) {
            if (row.at(text).asText().isBlank() || !row.at(text).isTextual()) {
                throw wrong(row, text, where, "a text");
            }
        }
        for (String number : row.has(RunWork.KEY)
                ? Stream.concat(NUMBERS.stream(), OF_WORK.stream()).toList()
                : NUMBERS) {
            if (!row.at(number).isNumber()) {
                throw wrong(row, number, where, "a number");
            }
        }
        double accuracy = row.at("/result/testAccuracy").asDouble();
        if (!(accuracy >= 0 && accuracy <= 1)) {
            throw wrong(row, "/result/testAccuracy", where, "a number from 0 to 1");
        }
        if (Cost.Kind.of(row.path("budgetCost").asText()) == null) {
            throw wrong(row, "/budgetCost", where, "parameters, macs or latency");
        }
        Method.parse(row.path("method").asText(), where + ": method");
        Match.of(row, where);
    }

    private static InvalidInput wrong(ObjectNode row, String pointer, String where, String expected) {
        JsonNode found = row.at(pointer);
        return new InvalidInput(where + ": " + pointer.substring(1).replace('/', '.') + " is "
                + (found.isMissingNode() ? "missing" : found) + ", expected " + expected);
    }
}
