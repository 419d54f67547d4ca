package org.effconv.bench;

import static org.bytedeco.pytorch.global.torch.*;

import org.bytedeco.javacpp.PointerScope;
import org.bytedeco.pytorch.SGD;
import org.bytedeco.pytorch.SGDOptions;
import org.bytedeco.pytorch.Tensor;
import org.bytedeco.pytorch.TensorVector;
import org.effconv.benchmark.StepRun;
import org.effconv.nn.NetworkPlan;
import org.effconv.tensor.DataType;

/**
 * The same step in PyTorch. In bf16, activations are bf16 and every weight is an fp32 master that is cast as it is
 * used, as autocast does (which this preset does not expose); batch norms take bf16 activations and fp32 parameters.
 */
final class TorchStep implements TrainingStep {
    private final int threads;
    private final TorchNetwork network;
    private final Tensor images;
    private final Tensor labels;
    private final SGD optimizer;
    private Tensor loss;

    /** @param channelsLast whether activations are NHWC in memory */
    TorchStep(Configuration c, boolean channelsLast) {
        threads = c.threads();
        set_num_threads(threads);
        manual_seed(1);
        NetworkPlan plan = c.plan();
        NetworkPlan.Input in = plan.input();
        MemoryFormat format = channelsLast ? MemoryFormat.ChannelsLast : MemoryFormat.Contiguous;
        images = kept(Tensor.create(c.images(), c.batch(), in.height(), in.width(), in.channels())
                .permute(0, 3, 1, 2)
                .to(c.precision() == DataType.BF16 ? ScalarType.BFloat16 : ScalarType.Float)
                .contiguous(format));
        labels = kept(Tensor.create(c.labels()).to(ScalarType.Long));
        network = new TorchNetwork(plan, c.kernel(), c.precision() == DataType.BF16, format);
        try (PointerScope scope = new PointerScope()) {
            SGDOptions options = new SGDOptions(StepRun.RATE);
            options.momentum().put(StepRun.MOMENTUM);
            options.weight_decay().put(StepRun.DECAY);
            optimizer = kept(new SGD(new TensorVector(network.parameters().toArray(new Tensor[0])), options));
        }
    }

    private static <P extends org.bytedeco.javacpp.Pointer> P kept(P p) {
        p.retainReference();
        return p;
    }

    @Override
    public void run() {
        set_num_threads(threads);
        try (PointerScope scope = new PointerScope()) {
            Tensor logits = network.forward(images);
            Tensor now = cross_entropy_loss(logits.to(ScalarType.Float), labels);
            optimizer.zero_grad();
            now.backward();
            optimizer.step();
            if (loss != null) {
                loss.releaseReference();
            }
            loss = kept(now.detach());
        }
    }

    @Override
    public double loss() {
        return loss.item_float();
    }

    @Override
    public void close() {
        optimizer.releaseReference();
        network.close();
        images.releaseReference();
        labels.releaseReference();
        if (loss != null) {
            loss.releaseReference();
        }
    }
}
