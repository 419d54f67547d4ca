package org.effconv;

import java.nio.file.Path;
import java.util.List;
import java.util.Map;
import org.effconv.data.Dataset;
import org.effconv.data.Images;
import org.effconv.error.EffconvException.InvalidInput;
import org.effconv.io.ElementType;
import org.effconv.io.TensorData;
import org.effconv.nn.Network;
import org.effconv.nn.NetworkPlan;
import org.effconv.nn.WeightSource;
import org.effconv.tensor.Construction;
import org.effconv.tensor.Tensor;
import org.effconv.train.Evaluation;
import org.effconv.train.HostTensors;
import org.effconv.train.ModelFile;
import org.effconv.train.Normalisation;
import org.effconv.train.TrainedWeights;
import org.effconv.train.TrainingLoop;

/** A trained network: an ordinary CNN with ordinary weights, on its device. Close it before the device. */
public final class TrainedModel implements AutoCloseable {
    private final Device device;
    private final Network network;
    private final TrainedWeights weights;
    private final Normalisation normalisation;
    private final List<String> classNames;

    TrainedModel(
            Device device,
            Network network,
            TrainedWeights weights,
            Normalisation normalisation,
            List<String> classNames) {
        this.device = device;
        this.network = network;
        this.weights = weights;
        this.normalisation = normalisation;
        this.classNames = List.copyOf(classNames);
    }

    /** One odd kernel size per sized layer. */
    public int[] sizes() {
        return weights.sizes();
    }

    /** Number of trained parameters. */
    public long parameters() {
        return network.plan().parameters(weights.sizes());
    }

    public NetworkPlan plan() {
        return network.plan();
    }

    /** Names of the classes, in the order of the logits. */
    public List<String> classNames() {
        return classNames;
    }

    /**
     * Loss and accuracy on images; of grey ones a network of three channels gets the grey in each.
     *
     * @param batch images at a time
     * @throws InvalidInput if the images are of another size than the network's input
     */
    public Evaluation evaluate(Images images, int batch) {
        try (Device.Claim claim = device.claim()) {
            return Evaluation.of(
                    device.backend(),
                    network,
                    weights,
                    new WeightSource.Progress(0, 0),
                    input(images),
                    normalisation,
                    batch);
        }
    }

    /**
     * What the network says of images: [image][class], before the softmax; the largest of an image's is its class
     * ({@link #classNames}). Labels are not looked at. Grey images are taken as in {@link #evaluate}.
     *
     * @param batch images at a time
     * @throws InvalidInput if the images are of another size than the network's input
     * @throws IllegalStateException if another thread uses the device
     */
    public float[][] logits(Images images, int batch) {
        try (Device.Claim claim = device.claim()) {
            return Evaluation.logits(
                    device.backend(),
                    network,
                    weights,
                    new WeightSource.Progress(0, 0),
                    input(images),
                    normalisation,
                    batch);
        }
    }

    // Whether a dataset is grey its pixels say: a few images of one that has colour may be grey.
    private Images input(Images images) {
        NetworkPlan.Input in = network.plan().input();
        if (images.channels() == 1
                && in.channels() == 3
                && images.height() == in.height()
                && images.width() == in.width()) {
            return images.colour();
        }
        if (images.height() != in.height() || images.width() != in.width() || images.channels() != in.channels()) {
            throw new InvalidInput("images of " + images.height() + "x" + images.width() + "x" + images.channels()
                    + ", the model expects " + in.height() + "x" + in.width() + "x" + in.channels());
        }
        return images;
    }

    /** Mean and standard deviation per channel that images are normalised with. */
    public Normalisation normalisation() {
        return normalisation;
    }

    /**
     * Copies of parameters and running statistics, by the names that {@link NetworkPlan#trace} tells and as
     * {@link NetworkPlan#modelTensors} says.
     *
     * @throws IllegalStateException if another thread uses the device
     */
    public Map<String, TensorData> values() {
        try (Device.Claim claim = device.claim()) {
            return HostTensors.read(device.backend(), tensors());
        }
    }

    /**
     * Writes weights, running statistics and everything needed to use them into one safetensors file, its tensors named
     * and laid out as PyTorch does (docs/reference/model-file.md).
     *
     * @throws IllegalStateException if another thread uses the device
     */
    public void save(Path file) {
        try (Device.Claim claim = device.claim()) {
            write(file);
        }
    }

    /** The same for a job, which has claimed the device. */
    void write(Path file) {
        new ModelFile(
                        network.plan(),
                        weights.sizes(),
                        normalisation,
                        classNames,
                        HostTensors.read(device.backend(), tensors()))
                .write(file);
    }

    private Map<String, Tensor> tensors() {
        return TrainingLoop.modelTensors(network, weights);
    }

    /**
     * Reads what {@link #save} wrote.
     *
     * @throws InvalidInput if the file is no model, or damaged
     * @throws IllegalStateException if another thread uses the device
     */
    public static TrainedModel load(Device device, Path file) {
        ModelFile stored =
                ModelFile.read(file, ElementType.of(device.activationType().parameterType()));
        try (Device.Claim claim = device.claim();
                Construction construction = new Construction()) {
            Network network =
                    construction.own(new Network(device.backend(), stored.plan(), device.activationType(), 0));
            TrainedWeights weights = construction.own(
                    new TrainedWeights(device.backend(), stored.plan(), stored.sizes(), device.activationType(), 0));
            TrainedModel model =
                    new TrainedModel(device, network, weights, stored.normalisation(), stored.classNames());
            HostTensors.write(device.backend(), stored.values(), model.tensors());
            construction.done();
            return model;
        }
    }

    /**
     * {@link #evaluate} of the dataset's test part, once its classes are known to be the model's.
     *
     * @throws InvalidInput if they are others, or in another order; where one side has names and the other numbers
     *     nothing is known (files of labels alone have no names)
     */
    public Evaluation evaluateTest(Dataset data, int batch) {
        if (data.classes() != classNames.size()) {
            throw new InvalidInput(
                    data.name() + ": " + data.classes() + " classes, the model knows " + classNames.size());
        }
        boolean comparable = numbers(classNames) == numbers(data.classNames());
        if (comparable && !data.classNames().equals(classNames)) {
            throw new InvalidInput(data.name() + ": classes " + data.classNames() + ", the model knows " + classNames);
        }
        return evaluate(data.test(), batch);
    }

    private static boolean numbers(List<String> names) {
        return names.stream().allMatch(name -> name.matches("\\d+"));
    }

    @Override
    public void close() {
        network.close();
        weights.close();
    }
}
