package org.effconv;
import static org.junit.jupiter.api.Assertions.*;
import org.effconv.backend.cpu.NativeLibrary;
import org.junit.jupiter.api.Test;
class SmokeTest {
  @Test void loads() {
    System.out.println(NativeLibrary.ec_version().getString());
    System.out.println(org.bytedeco.dnnl.global.dnnl.dnnl_version().major());
  }
}
