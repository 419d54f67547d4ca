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

    exports org.effconv;
    exports org.effconv.autodiff;
    exports org.effconv.backend;
    exports org.effconv.benchmark;
    exports org.effconv.data;
    exports org.effconv.io;
    exports org.effconv.nn;
    exports org.effconv.choice;
    exports org.effconv.cost;
    exports org.effconv.error;
    exports org.effconv.flexconv;
    exports org.effconv.predict;
    exports org.effconv.search;
    exports org.effconv.search.sizes;
    exports org.effconv.sweep;
    exports org.effconv.tensor;
    exports org.effconv.train;
    exports org.effconv.backend.cpu;
    exports org.effconv.backend.cuda;
}
