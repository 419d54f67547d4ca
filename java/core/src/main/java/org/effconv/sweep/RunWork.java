package org.effconv.sweep;

import com.fasterxml.jackson.databind.JsonNode;
import com.fasterxml.jackson.databind.node.ObjectNode;
import org.effconv.error.EffconvException.InvalidInput;
import org.effconv.io.Json;
import org.effconv.train.Work;

/**
 * What a network of a sweep took to compute.
 *
 * @param search of its sizes, beyond the training of the network found; that of several networks counts for each
 * @param training none in the row of a search
 */
record RunWork(Work search, Work training) {
    static final String KEY = "work"; // in rows and results

    /**
     * What a row says.
     *
     * @throws InvalidInput if it does not; {@code where} names the row
     */
    static RunWork of(JsonNode row, String where) {
        JsonNode work = row.path(KEY);
        return new RunWork(
                Json.convert(work.path("search"), Work.class, where + ": work.search"),
                Json.convert(work.path("training"), Work.class, where + ": work.training"));
    }

    Work all() {
        return search.plus(training);
    }

    /** @param uniformEpochs all of it, in epochs of training the network nearest to uniform */
    ObjectNode toJson(double uniformEpochs) {
        ObjectNode json = all().put(Json.object()).put("uniformEpochs", uniformEpochs);
        search.put(json.putObject("search"));
        training.put(json.putObject("training"));
        return json;
    }
}
