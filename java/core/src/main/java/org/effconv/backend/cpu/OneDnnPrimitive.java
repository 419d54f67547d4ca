package org.effconv.backend.cpu;

import java.util.HashMap;
import java.util.Map;
import org.bytedeco.dnnl.IntMemoryMap;
import org.bytedeco.dnnl.global.dnnl;
import org.bytedeco.dnnl.memory;
import org.bytedeco.dnnl.primitive;
import org.bytedeco.dnnl.primitive_desc_base;
import org.bytedeco.javacpp.Pointer;
import org.bytedeco.javacpp.PointerScope;

/**
 * A oneDNN primitive and its argument set, built once; a call only changes addresses (0.3 us beside the work itself).
 */
final class OneDnnPrimitive implements AutoCloseable {
    private final OneDnn dnn;
    private final primitive primitive;
    private final String implementation;
    private final IntMemoryMap arguments = new IntMemoryMap();
    private final Map<Integer, memory> memories = new HashMap<>();
    private final Address address = new Address();
    private final long scratchBytes;

    /** Within an open {@link PointerScope}, which this primitive outlives. */
    OneDnnPrimitive(OneDnn dnn, primitive_desc_base description, primitive primitive) {
        this.dnn = dnn;
        this.primitive = primitive;
        primitive.retainReference();
        arguments.retainReference();
        implementation = description.impl_info_str().getString();
        memory.desc scratchpad = description.scratchpad_desc();
        scratchBytes = scratchpad.get_size();
        if (scratchBytes > 0) {
            argument(dnnl.DNNL_ARG_SCRATCHPAD, scratchpad);
        }
    }

    /** Adds an argument; its address is given before each call. */
    void argument(int name, memory.desc description) {
        memory m = new memory(description, dnn.engine(), (Pointer) null);
        m.retainReference();
        memories.put(name, m);
        arguments.put(name, m);
    }

    void address(int name, long value) {
        address.set(value);
        memories.get(name).set_data_handle(address);
    }

    long scratchBytes() {
        return scratchBytes;
    }

    /** oneDNN's name of the code it chose, such as brg_conv_fwd:avx512_core. */
    String implementation() {
        return implementation;
    }

    /** Runs to completion: a CPU stream is synchronous. */
    void execute(long scratch) {
        if (scratchBytes > 0) {
            address(dnnl.DNNL_ARG_SCRATCHPAD, scratch);
        }
        primitive.execute(dnn.stream(), arguments);
    }

    @Override
    public void close() {
        arguments.deallocate();
        memories.values().forEach(Pointer::deallocate);
        primitive.deallocate();
    }

    /** A pointer whose address can be changed, so that a call makes no garbage. */
    private static final class Address extends Pointer {
        void set(long value) {
            address = value;
        }
    }
}
