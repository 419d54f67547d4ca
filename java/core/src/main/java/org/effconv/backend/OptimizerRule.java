package org.effconv.backend;

/**
 * The update of one optimiser step, for all parameters alike.
 *
 * @param kind ADAMW (decoupled decay) or SGD (momentum, Nesterov if asked; decay added to the gradient)
 * @param beta1 first-moment decay of AdamW; momentum of SGD
 * @param beta2 second-moment decay of AdamW
 * @param epsilon AdamW's denominator guard
 * @param nesterov SGD only
 * @param clipNorm bound of the global gradient norm; 0 means no clipping
 */
public record OptimizerRule(Kind kind, double beta1, double beta2, double epsilon, boolean nesterov, double clipNorm) {
    /** Which update. */
    public enum Kind {
        ADAMW,
        SGD
    }

    public static OptimizerRule adamW() {
        return new OptimizerRule(Kind.ADAMW, 0.9, 0.999, 1e-8, false, 0);
    }

    public static OptimizerRule sgd(double momentum) {
        return new OptimizerRule(Kind.SGD, momentum, 0, 0, true, 0);
    }

    /** Moving averages that it keeps of each parameter. */
    public int moments() {
        return kind == Kind.ADAMW ? 2 : 1;
    }

    public OptimizerRule withClipNorm(double norm) {
        return new OptimizerRule(kind, beta1, beta2, epsilon, nesterov, norm);
    }
}
