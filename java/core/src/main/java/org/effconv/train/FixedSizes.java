package org.effconv.train;

import java.util.Arrays;
import java.util.List;
import org.effconv.nn.NetworkPlan;

/** What metrics say of sizes that stay. */
public record FixedSizes(NetworkPlan plan, int[] chosen) implements Phase.Sizes {
    @Override
    public List<Integer> sizes() {
        return Arrays.stream(chosen).boxed().toList();
    }

    @Override
    public long parameters() {
        return plan.parameters(chosen);
    }
}
