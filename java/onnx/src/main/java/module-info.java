/** Trained networks as ONNX models. */
module org.effconv.onnx {
    requires transitive org.effconv.core;
    requires org.effconv.export;
    requires org.tribuo.util.onnx;
    requires com.google.protobuf;

    exports org.effconv.onnx;
}
