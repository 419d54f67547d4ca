package org.effconv.predict;

import java.util.ArrayList;
import java.util.List;
import java.util.Random;
import org.effconv.autodiff.Parameter;
import org.effconv.autodiff.Tape;
import org.effconv.backend.Backend;
import org.effconv.nn.SizedLayer;
import org.effconv.tensor.Construction;
import org.effconv.tensor.DataType;

/** A free table of unit variance per layer, of which a smaller kernel is the centre. */
public final class ElasticTable implements KernelPredictor {
    private final List<Parameter> tables = new ArrayList<>();

    public ElasticTable(Backend backend, DataType type, List<SizedLayer> layers, Random random) {
        try (Construction construction = new Construction()) {
            Initial initial = new Initial(backend, type, random, construction);
            for (SizedLayer layer : layers) {
                tables.add(initial.normal(
                        "kernel/" + layer.name() + ".table",
                        1,
                        layer.weightShape(layer.kmax()).dims()));
            }
            construction.done();
        }
    }

    @Override
    public List<Kernel> kernels(Tape tape, int[] grids, Condition condition) {
        return tables.stream()
                .map(table -> new Kernel(null, tape.parameter(table)))
                .toList();
    }

    @Override
    public List<Parameter> parameters() {
        return List.copyOf(tables);
    }
}
