package org.effconv.cli;

import com.fasterxml.jackson.databind.node.ObjectNode;
import java.io.PrintWriter;
import java.nio.file.Path;
import org.effconv.io.Json;
import org.effconv.train.EpochMetrics;
import org.effconv.train.TrainingListener;

/**
 * Tells a run as lines of JSON, for programs: each has {@code event}, and docs/reference/run-folder.md has the rest.
 */
final class JsonEvents implements TrainingListener {
    private final PrintWriter out;

    JsonEvents(PrintWriter out) {
        this.out = out;
    }

    private void tell(ObjectNode event) {
        out.println(Json.line(event));
        out.flush();
    }

    private static ObjectNode event(String name) {
        return Json.object().put("event", name);
    }

    @Override
    public void onStart(String phase, int epochs, int epochsDone, int batchesPerEpoch) {
        tell(event("start")
                .put("phase", phase)
                .put("epochs", epochs)
                .put("epochsDone", epochsDone)
                .put("batchesPerEpoch", batchesPerEpoch));
    }

    @Override
    public void onEpoch(EpochMetrics metrics) {
        ObjectNode epoch = event("epoch");
        epoch.setAll(metrics.toJson());
        tell(epoch);
    }

    @Override
    public void onCandidate(int[] sizes, int steps, double loss) {
        ObjectNode candidate = event("candidate");
        candidate.set("sizes", Json.tree(sizes));
        tell(candidate.put("steps", steps).put("loss", loss));
    }

    @Override
    public void onEnd(String phase) {
        tell(event("end").put("phase", phase));
    }

    /** The last line: what summary.json has, and where the run lies. */
    void result(Path run, ObjectNode summary) {
        ObjectNode result = event("result").put("run", run.toString());
        result.set("summary", summary);
        tell(result);
    }
}
