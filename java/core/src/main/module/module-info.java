/** EffConv: learns the kernel sizes of a CNN's convolution layers. */
module org.effconv.core {
    requires jdk.management; // the memory of the machine or container
    requires transitive org.slf4j;
    requires transitive com.fasterxml.jackson.databind;
    requires org.bytedeco.javacpp;
    requires org.bytedeco.dnnl;
    requires jcuda;
    requires static org.bytedeco.cuda; // cuDNN, where it is there
    requires java.desktop;
    requires pickle;
    requires us.hebi.matlab.mat.mfl.core;
    requires jdk.unsupported; // for mfl, which does not name it

    exports org.effconv;
    // what stands in its signatures
    exports org.effconv.cost;
    exports org.effconv.data;
    exports org.effconv.error;
    exports org.effconv.io;
    exports org.effconv.latency;
    exports org.effconv.nn;
    exports org.effconv.nn.model;
    exports org.effconv.train;

    // inner rooms, for the project's own modules
    exports org.effconv.autodiff to
            org.effconv.onnx;
    exports org.effconv.backend to
            org.effconv.cli,
            org.effconv.export,
            org.effconv.onnx;
    exports org.effconv.backend.cpu to
            org.effconv.cli;
    exports org.effconv.backend.cuda to
            org.effconv.cli;
    exports org.effconv.benchmark to
            org.effconv.cli;
    exports org.effconv.choice to
            org.effconv.cli;
    exports org.effconv.predict to
            org.effconv.cli;
    exports org.effconv.search to
            org.effconv.cli;
    exports org.effconv.sweep to
            org.effconv.cli,
            org.effconv.report;
    exports org.effconv.tensor to
            org.effconv.cli,
            org.effconv.export,
            org.effconv.onnx,
            org.effconv.report;
}
