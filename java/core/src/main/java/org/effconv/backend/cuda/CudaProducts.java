package org.effconv.backend.cuda;

import static org.effconv.backend.bridge.NativeLibrary.*;
import static org.effconv.backend.cuda.CudaBackend.at;

import java.util.function.IntSupplier;
import org.effconv.backend.Convolution;
import org.effconv.backend.ConvolutionOperations;
import org.effconv.backend.LinearOperations;
import org.effconv.backend.cuda.ConvolutionRequest.Pass;
import org.effconv.tensor.Shape;
import org.effconv.tensor.Tensor;

/** Convolution and linear layers: by the library beside our kernels where it is chosen and can, else by ours. */
final class CudaProducts implements ConvolutionOperations, LinearOperations {
    private final Launcher launcher;
    private final LibraryConvolutions library;

    CudaProducts(Launcher launcher, LibraryConvolutions library) {
        this.launcher = launcher;
        this.library = library;
    }

    @Override
    public void convolution(Convolution c, Tensor x, Tensor w, Tensor bias, Tensor y) {
        convolution(Pass.FORWARD, c, x, w, bias, y);
    }

    @Override
    public void convolutionDataGradient(Convolution c, Tensor dy, Tensor w, Tensor dx) {
        convolution(Pass.DATA_GRADIENT, c, dx, w, null, dy);
    }

    @Override
    public void convolutionWeightGradient(Convolution c, Tensor x, Tensor dy, Tensor dw, Tensor dbias) {
        convolution(Pass.WEIGHT_GRADIENT, c, x, dw, dbias, dy);
    }

    @Override
    public void linear(Tensor x, Tensor w, Tensor bias, Tensor y) {
        linear(Pass.FORWARD, x, w, bias, y);
    }

    @Override
    public void linearDataGradient(Tensor dy, Tensor w, Tensor dx) {
        linear(Pass.DATA_GRADIENT, dx, w, null, dy);
    }

    @Override
    public void linearWeightGradient(Tensor x, Tensor dy, Tensor dw, Tensor dbias) {
        linear(Pass.WEIGHT_GRADIENT, x, dw, dbias, dy);
    }

    private void convolution(Pass pass, Convolution c, Tensor x, Tensor w, Tensor bias, Tensor y) {
        Shape s = launcher.served(x).shape();
        byLibraryOr(
                ConvolutionRequest.of(pass, c, x, w, bias),
                x,
                w,
                bias,
                y,
                () -> ec_plan_convolution(
                        launcher.plan(),
                        x.type().ordinal(),
                        code(pass),
                        s.dim(0),
                        s.dim(1),
                        s.dim(2),
                        s.dim(3),
                        w.shape().dim(0),
                        w.shape().dim(1),
                        c.stride(),
                        c.groups(),
                        at(x),
                        at(w),
                        at(bias),
                        at(y)));
    }

    private void linear(Pass pass, Tensor x, Tensor w, Tensor bias, Tensor y) {
        byLibraryOr(
                ConvolutionRequest.linear(pass, launcher.served(x), w, bias),
                x,
                w,
                bias,
                y,
                () -> ec_plan_linear(
                        launcher.plan(),
                        x.type().ordinal(),
                        code(pass),
                        x.shape().dim(0),
                        x.shape().dim(1),
                        w.shape().dim(0),
                        at(x),
                        at(w),
                        at(bias),
                        at(y)));
    }

    private static int code(Pass pass) {
        return switch (pass) {
            case FORWARD -> EC_FORWARD;
            case DATA_GRADIENT -> EC_DATA_GRADIENT;
            case WEIGHT_GRADIENT -> EC_WEIGHT_GRADIENT;
        };
    }

    private void byLibraryOr(ConvolutionRequest request, Tensor x, Tensor w, Tensor bias, Tensor y, IntSupplier plan) {
        if (!library.run(request, at(x), at(w), at(bias), at(y))) {
            launcher.run(plan);
        }
    }

    /** Passes that the library was given. */
    long libraryPasses() {
        return library.passes();
    }
}
