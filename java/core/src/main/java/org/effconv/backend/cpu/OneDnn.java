package org.effconv.backend.cpu;

import java.util.function.Supplier;
import org.bytedeco.dnnl.engine;
import org.bytedeco.dnnl.global.dnnl;
import org.bytedeco.dnnl.memory;
import org.bytedeco.dnnl.primitive_attr;
import org.bytedeco.dnnl.stream;
import org.bytedeco.javacpp.Pointer;
import org.bytedeco.javacpp.PointerScope;
import org.effconv.backend.bridge.NativeLoader;
import org.effconv.error.EffconvException;
import org.effconv.tensor.Allocator;
import org.effconv.tensor.DataType;

/**
 * oneDNN as one backend uses it: its engine and stream, the operations built so far and the scratch memory that all of
 * them share (they run one after another). Belongs to the backend's thread.
 */
final class OneDnn implements AutoCloseable {
    /**
     * Operations kept. A search visits a few sizes per layer and three operations per size; an entry costs some 10 KB.
     */
    static final int OPERATIONS = 1024;

    // Of dnnl_cpu_isa_t, whose every later set contains the bits of the earlier ones: AVX-512 with bf16 dot products,
    // AMX
    // included; plain AVX-512, where oneDNN emulates bf16; AVX2 with bf16 conversions. Below these it refuses bf16.
    private static final int AVX512_CORE_BF16 = 0xe7;
    private static final int AVX512_CORE = 0x27;
    private static final int AVX2_VNNI_2 = 0x1f;

    private final engine engine;
    private final stream stream;
    private final primitive_attr attributes;
    private final OneDnnCache operations;
    // Apart, so that what a primitive writes past its scratchpad can be seen in the tests, and meets no weights.
    private final ScratchBlock scratch;
    private final ScratchBlock staged;
    private int built;
    private boolean closed;

    /** @throws EffconvException.MissingNative if oneDNN or the OpenCL loader it is linked against cannot be loaded */
    OneDnn(Allocator allocator, int capacity) {
        scratch = new ScratchBlock(allocator);
        staged = new ScratchBlock(allocator);
        requireLibrary();
        engine = new engine(org.bytedeco.dnnl.engine.kind.cpu, 0);
        stream = new stream(engine);
        attributes = new primitive_attr();
        for (Pointer p :
                new Pointer[] {engine, stream, attributes}) { // which a PointerScope of the caller's must not end
            p.retainReference();
        }
        attributes.set_scratchpad_mode(dnnl.scratchpad_mode.user);
        operations = new OneDnnCache(capacity);
    }

    /**
     * Whether this processor computes in bf16 (AVX-512 BF16 or AMX); elsewhere oneDNN would emulate it slowly.
     *
     * @throws EffconvException.MissingNative as the constructor
     */
    static boolean bf16Supported() {
        requireLibrary();
        return has(AVX512_CORE_BF16);
    }

    /** Whether oneDNN takes bf16 operands on this processor, be it slowly. */
    static boolean bf16Accepted() {
        return has(AVX512_CORE) || has(AVX2_VNNI_2);
    }

    private static boolean has(int isa) {
        return (dnnl.dnnl_get_effective_cpu_isa() & isa) == isa;
    }

    /** The library's version, "3.11.0". */
    static String version() {
        requireLibrary();
        var v = dnnl.dnnl_version();
        return v.major() + "." + v.minor() + "." + v.patch();
    }

    private static void requireLibrary() {
        if (FirstAttempt.FAILURE != null) {
            throw new EffconvException.MissingNative(FirstAttempt.FAILURE.getMessage(), FirstAttempt.FAILURE);
        }
    }

    /** Runs once, when first asked for: of later attempts the class loader does not tell the cause. */
    private static final class FirstAttempt {
        static final EffconvException.MissingNative FAILURE = attempt();

        private static EffconvException.MissingNative attempt() {
            try {
                NativeLoader.prepare();
                dnnl.dnnl_version();
                return null;
            } catch (EffconvException.MissingNative e) {
                return e;
            } catch (LinkageError e) {
                return NativeLoader.missing(
                        "oneDNN",
                        "org.bytedeco:dnnl and org.bytedeco:opencl must both be on the class path, each with"
                                + " its natives (classifier linux-x86_64); OpenCL's loader is needed even for CPU work",
                        e);
            }
        }
    }

    engine engine() {
        return engine;
    }

    stream stream() {
        return stream;
    }

    /** Attributes of every primitive: scratch memory is the caller's. */
    primitive_attr attributes() {
        return attributes;
    }

    /** The operation of this key, built on first use and again after it was evicted. */
    OneDnnOperation operation(Object key, Supplier<OneDnnOperation> build) {
        if (closed) {
            throw new IllegalStateException("use after close: OneDnn");
        }
        return operations.get(key, () -> build(key, build));
    }

    private OneDnnOperation build(Object key, Supplier<OneDnnOperation> build) {
        built++;
        try (PointerScope descriptions = new PointerScope()) {
            return build.get();
        } catch (RuntimeException e) {
            throw new EffconvException("oneDNN " + version() + " cannot build " + key + ": " + e.getMessage(), e);
        }
    }

    /** Operations built so far, those dropped since included. */
    int built() {
        return built;
    }

    /** Operations held now. */
    int kept() {
        return operations.size();
    }

    /**
     * At least so many bytes for one primitive's scratchpad, 64-byte aligned, contents undefined; void at the next
     * call.
     */
    long scratch(long bytes) {
        return scratch.of(bytes);
    }

    /** As {@link #scratch}, for weights in another layout than ours. */
    long staged(long bytes) {
        return staged.of(bytes);
    }

    /**
     * A tensor of these dimensions, in oneDNN's order of them (N, C, H, W; O, I, H, W), laid out as {@code layout}
     * says.
     */
    static memory.desc description(DataType type, memory.format_tag layout, long... dims) {
        memory.data_type t =
                switch (type) {
                    case F32 -> memory.data_type.f32;
                    case BF16 -> memory.data_type.bf16;
                    default -> throw new IllegalArgumentException(
                            "oneDNN computes in F32 and BF16 here, not in " + type);
                };
        return new memory.desc(dims, t, layout);
    }

    /** The next {@link #scratch} and {@link #staged} take it anew. */
    void freeScratch() {
        scratch.free();
        staged.free();
    }

    @Override
    public void close() {
        if (closed) {
            return;
        }
        closed = true;
        operations.close();
        freeScratch();
        attributes.deallocate();
        stream.deallocate();
        engine.deallocate();
    }
}
