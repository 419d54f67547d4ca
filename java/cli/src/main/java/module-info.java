/** EffConv's command line. */
module org.effconv.cli {
    requires org.effconv.core;
    requires org.effconv.export;
    requires org.effconv.onnx;
    requires org.effconv.report;
    requires info.picocli;
    requires me.tongfei.progressbar;
    requires ch.qos.logback.classic;
    requires ch.qos.logback.core;
    requires org.slf4j;
    requires com.fasterxml.jackson.databind;
    requires org.knowm.xchart;
    requires org.apache.commons.text;
    requires java.desktop;
    requires java.management;
    requires jdk.unsupported; // signals: sun.misc.Signal

    exports org.effconv.cli;

    opens org.effconv.cli to
            info.picocli;
}
