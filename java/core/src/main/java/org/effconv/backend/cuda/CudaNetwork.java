package org.effconv.backend.cuda;

import static org.effconv.backend.bridge.NativeLibrary.*;
import static org.effconv.backend.cuda.CudaBackend.at;

import java.util.function.LongSupplier;
import org.effconv.backend.Activation;
import org.effconv.backend.NetworkOperations;
import org.effconv.backend.Pooling;
import org.effconv.tensor.Shape;
import org.effconv.tensor.Tensor;

/** Normalisation, elementwise operations, pooling and the loss on a card: one plan each. */
final class CudaNetwork implements NetworkOperations {
    private final Launcher launcher;

    CudaNetwork(Launcher launcher) {
        this.launcher = launcher;
    }

    private static int rows(Tensor x) {
        return Math.toIntExact(x.count() / x.shape().dim(-1));
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
        launcher.run(() -> ec_plan_batch_norm(
                launcher.plan(),
                launcher.type(x),
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
        launcher.run(() -> ec_plan_batch_norm_gradient(
                launcher.plan(),
                launcher.type(x),
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
        launcher.run(() -> ec_plan_batch_norm_inference(
                launcher.plan(),
                launcher.type(x),
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
        launcher.run(() -> ec_plan_layer_norm(
                launcher.plan(),
                launcher.type(x),
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
        launcher.run(() -> ec_plan_layer_norm_gradient(
                launcher.plan(),
                launcher.type(x),
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
        launcher.run(() -> ec_plan_activate(launcher.plan(), launcher.type(x), a.ordinal(), x.count(), at(x), at(y)));
    }

    @Override
    public void activationGradient(Activation a, Tensor x, Tensor dy, Tensor dx) {
        launcher.run(() -> ec_plan_activate_gradient(
                launcher.plan(), launcher.type(x), a.ordinal(), x.count(), at(x), at(dy), at(dx)));
    }

    @Override
    public void add(Tensor a, Tensor b, Activation act, Tensor y) {
        launcher.run(
                () -> ec_plan_add(launcher.plan(), launcher.type(a), act.ordinal(), a.count(), at(a), at(b), at(y)));
    }

    @Override
    public void pool(Pooling p, Tensor x, Tensor y) {
        Shape s = x.shape();
        launcher.run(() -> ec_plan_pool(
                launcher.plan(),
                launcher.type(x),
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
        launcher.run(() -> ec_plan_pool_gradient(
                launcher.plan(),
                launcher.type(x),
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
        launcher.run(() -> ec_plan_global_average_pool(
                launcher.plan(), launcher.type(x), s.dim(0), s.dim(1), s.dim(2), s.dim(3), at(x), at(y)));
    }

    @Override
    public void globalAveragePoolGradient(Tensor dy, Tensor dx) {
        Shape s = dx.shape();
        launcher.run(() -> ec_plan_global_average_pool_gradient(
                launcher.plan(), launcher.type(dx), s.dim(0), s.dim(1), s.dim(2), s.dim(3), at(dy), at(dx)));
    }

    @Override
    public void dropout(Tensor x, double rate, long seed, Tensor y) {
        launcher.run(() -> ec_plan_dropout(launcher.plan(), launcher.type(x), x.count(), at(x), rate, seed, 0, at(y)));
    }

    @Override
    public void dropout(Tensor x, double rate, LongSupplier seed, Tensor y) {
        launcher.run(() -> ec_plan_dropout(
                launcher.plan(),
                launcher.type(x),
                x.count(),
                at(x),
                rate,
                seed.getAsLong(),
                launcher.value(seed),
                at(y)));
    }

    @Override
    public void softmaxCrossEntropy(
            Tensor logits, Tensor labels, double smoothing, Tensor loss, Tensor correct, Tensor dlogits) {
        launcher.run(() -> ec_plan_softmax_cross_entropy(
                launcher.plan(),
                launcher.type(logits),
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
