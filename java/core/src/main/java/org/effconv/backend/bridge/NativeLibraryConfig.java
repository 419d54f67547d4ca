package org.effconv.backend.bridge;

import org.bytedeco.javacpp.annotation.Platform;
import org.bytedeco.javacpp.annotation.Properties;
import org.bytedeco.javacpp.tools.Info;
import org.bytedeco.javacpp.tools.InfoMap;
import org.bytedeco.javacpp.tools.InfoMapper;

/**
 * Tells JavaCPP how to generate {@code NativeLibrary} and its JNI bridge from native/effconv.h and
 * native/effconv_launch.h.
 */
@Properties(
        target = "org.effconv.backend.bridge.NativeLibrary",
        value =
                @Platform(
                        include = {"effconv.h", "effconv_launch.h"},
                        link = "effconv"))
public class NativeLibraryConfig implements InfoMapper {
    @Override
    public void map(InfoMap infoMap) {
        infoMap.put(new Info("EC_API").cppTypes().annotations());
        infoMap.put(new Info("EFFCONV_H", "EFFCONV_LAUNCH_H").skip());
    }
}
