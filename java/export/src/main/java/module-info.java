/** Trained networks as safetensors files and as programs for PyTorch and Keras. */
module org.effconv.export {
    requires transitive org.effconv.core;

    exports org.effconv.export;
}
