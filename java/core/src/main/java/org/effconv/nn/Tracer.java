package org.effconv.nn;

import java.util.List;
import org.effconv.backend.Activation;

/** Walks a network's steps as {@link Network} computes them in inference, and tells what it meets. */
final class Tracer<V> {
    private final NetworkOperations<V> to;

    Tracer(NetworkOperations<V> to) {
        this.to = to;
    }

    V run(List<Step> steps, V x) {
        V now = x;
        for (Step step : steps) {
            now = step(step, now);
        }
        return now;
    }

    private V step(Step step, V x) {
        if (step instanceof Step.Conv conv) {
            return to.convolution(
                    x,
                    conv.convolution(),
                    conv.sized() == null ? conv.weight().name() : conv.sized().weightName(),
                    name(conv.bias()));
        } else if (step instanceof Step.BatchNorm norm) {
            return activated(batchNorm(norm, x), norm.activation());
        } else if (step instanceof Step.Activate activate) {
            return activated(x, activate.activation());
        } else if (step instanceof Step.Pool pool) {
            return to.pool(x, pool.pooling());
        } else if (step instanceof Step.GlobalAveragePool) {
            return to.globalAveragePool(x);
        } else if (step instanceof Step.Linear linear) {
            return to.linear(x, linear.weight().name(), name(linear.bias()));
        } else if (step instanceof Step.Dropout) {
            return x;
        } else if (step instanceof Step.Residual residual) {
            return residual(residual, x);
        }
        throw new IllegalStateException("nothing to tell of " + step);
    }

    private V batchNorm(Step.BatchNorm norm, V x) {
        return to.batchNorm(
                x,
                norm.scale().name(),
                norm.shift().name(),
                norm.runningMean().name(),
                norm.runningVariance().name(),
                Network.EPSILON);
    }

    // A folded block's last batch norm takes the shortcut before its activation, which is the block's.
    private V residual(Step.Residual block, V x) {
        List<Step> body = block.body();
        Step last = body.get(body.size() - 1);
        V inner = block.folded()
                ? batchNorm((Step.BatchNorm) last, run(body.subList(0, body.size() - 1), x))
                : run(body, x);
        return activated(to.add(inner, run(block.shortcut(), x)), block.activation());
    }

    private V activated(V x, Activation activation) {
        return activation == Activation.NONE ? x : to.activation(x, activation);
    }

    private static String name(Step.ParameterSpec spec) {
        return spec == null ? null : spec.name();
    }
}
