package org.effconv.backend.cpu;

import static org.effconv.backend.bridge.NativeLibrary.*;
import static org.effconv.backend.bridge.NativeStatus.check;
import static org.effconv.backend.cpu.CpuBackend.at;
import static org.effconv.backend.cpu.CpuBackend.type;

import java.util.function.LongSupplier;
import org.effconv.backend.Activation;
import org.effconv.backend.NetworkOperations;
import org.effconv.backend.Pooling;
import org.effconv.tensor.Shape;
import org.effconv.tensor.Tensor;

/** Normalisation, elementwise operations, pooling and the loss. */
final class CpuNetwork implements NetworkOperations {
    private static long rows(Tensor x) {
        return x.count() / x.shape().dim(-1);
    }

    @Override
    public void batchNorm(
            Tensor x,
            Tensor scale,
            Tensor shift,
            Tensor residual,
            Activation act,
            double epsilon,
            double momentum,
            Tensor runningMean,
            Tensor runningVariance,
            Tensor mean,
            Tensor invStd,
            Tensor y) {
        check(ec_batch_norm(
                type(x),
                act.ordinal(),
                rows(x),
                x.shape().dim(3),
                at(x),
                at(scale),
                at(shift),
                at(residual),
                epsilon,
                momentum,
                at(runningMean),
                at(runningVariance),
                at(mean),
                at(invStd),
                at(y)));
    }

    @Override
    public void batchNormGradient(
            Tensor x,
            Tensor y,
            Tensor dy,
            Tensor scale,
            Tensor mean,
            Tensor invStd,
            Activation act,
            Tensor dx,
            Tensor dscale,
            Tensor dshift,
            Tensor dresidual) {
        check(ec_batch_norm_gradient(
                type(x),
                act.ordinal(),
                rows(x),
                x.shape().dim(3),
                at(x),
                at(y),
                at(dy),
                at(scale),
                at(mean),
                at(invStd),
                at(dx),
                at(dscale),
                at(dshift),
                at(dresidual)));
    }

    @Override
    public void batchNormInference(
            Tensor x,
            Tensor scale,
            Tensor shift,
            Tensor residual,
            Activation act,
            double epsilon,
            Tensor runningMean,
            Tensor runningVariance,
            Tensor y) {
        check(ec_batch_norm_inference(
                type(x),
                act.ordinal(),
                rows(x),
                x.shape().dim(3),
                at(x),
                at(scale),
                at(shift),
                at(residual),
                epsilon,
                at(runningMean),
                at(runningVariance),
                at(y)));
    }

    @Override
    public void layerNorm(Tensor x, Tensor scale, Tensor shift, double epsilon, Tensor mean, Tensor invStd, Tensor y) {
        check(ec_layer_norm(
                type(x),
                rows(x),
                x.shape().dim(-1),
                at(x),
                at(scale),
                at(shift),
                epsilon,
                at(mean),
                at(invStd),
                at(y)));
    }

    @Override
    public void layerNormGradient(
            Tensor x, Tensor dy, Tensor scale, Tensor mean, Tensor invStd, Tensor dx, Tensor dscale, Tensor dshift) {
        check(ec_layer_norm_gradient(
                type(x),
                rows(x),
                x.shape().dim(-1),
                at(x),
                at(dy),
                at(scale),
                at(mean),
                at(invStd),
                at(dx),
                at(dscale),
                at(dshift)));
    }

    // ---- elementwise and pooling ------------------------------------------------------------------------------

    @Override
    public void activation(Activation a, Tensor x, Tensor y) {
        check(ec_activate(type(x), a.ordinal(), x.count(), at(x), at(y)));
    }

    @Override
    public void activationGradient(Activation a, Tensor x, Tensor dy, Tensor dx) {
        check(ec_activate_gradient(type(x), a.ordinal(), x.count(), at(x), at(dy), at(dx)));
    }

    @Override
    public void add(Tensor a, Tensor b, Activation act, Tensor y) {
        check(ec_add(type(a), act.ordinal(), a.count(), at(a), at(b), at(y)));
    }

    @Override
    public void pool(Pooling p, Tensor x, Tensor y) {
        Shape s = x.shape();
        check(ec_pool(
                type(x),
                p.kind().ordinal(),
                p.size(),
                p.stride(),
                p.padding(),
                s.dim(0),
                s.dim(1),
                s.dim(2),
                s.dim(3),
                at(x),
                at(y)));
    }

    @Override
    public void poolGradient(Pooling p, Tensor x, Tensor dy, Tensor dx) {
        Shape s = x.shape();
        check(ec_pool_gradient(
                type(x),
                p.kind().ordinal(),
                p.size(),
                p.stride(),
                p.padding(),
                s.dim(0),
                s.dim(1),
                s.dim(2),
                s.dim(3),
                at(x),
                at(dy),
                at(dx)));
    }

    @Override
    public void globalAveragePool(Tensor x, Tensor y) {
        Shape s = x.shape();
        check(ec_global_average_pool(type(x), s.dim(0), (long) s.dim(1) * s.dim(2), s.dim(3), at(x), at(y)));
    }

    @Override
    public void globalAveragePoolGradient(Tensor dy, Tensor dx) {
        Shape s = dx.shape();
        check(ec_global_average_pool_gradient(
                type(dx), s.dim(0), (long) s.dim(1) * s.dim(2), s.dim(3), at(dy), at(dx)));
    }

    @Override
    public void dropout(Tensor x, double rate, long seed, Tensor y) {
        check(ec_dropout(type(x), x.count(), at(x), rate, seed, at(y)));
    }

    @Override
    public void dropout(Tensor x, double rate, LongSupplier seed, Tensor y) {
        dropout(x, rate, seed.getAsLong(), y);
    }

    @Override
    public void softmaxCrossEntropy(
            Tensor logits, Tensor labels, double smoothing, Tensor loss, Tensor correct, Tensor dlogits) {
        check(ec_softmax_cross_entropy(
                type(logits),
                logits.shape().dim(0),
                logits.shape().dim(1),
                at(logits),
                at(labels),
                smoothing,
                at(loss),
                at(correct),
                at(dlogits)));
    }
}
