package org.effconv.backend.cpu;

import java.io.DataInputStream;
import java.io.IOException;
import java.io.RandomAccessFile;
import java.io.UncheckedIOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.Arrays;
import java.util.List;
import java.util.Random;
import org.bytedeco.dnnl.global.dnnl;
import org.effconv.backend.Convolution;
import org.effconv.backend.ConvolutionCase;
import org.effconv.backend.bridge.NativeLoader;
import org.effconv.tensor.DataType;
import org.effconv.tensor.Shape;
import org.effconv.tensor.Tensor;

/**
 * Checks convolutions and linear layers of one process, at the instruction set that ONEDNN_MAX_CPU_ISA leaves it,
 * against sums in double. Every operand and all scratch memory ends at a guard page, so an access past an end ends the
 * process; {@link OneDnnCheckTest} starts it again behind the shape that did. Prints the instruction set, a line for
 * each wrong result and a last line.
 */
final class OneDnnCheck {
    /** How the operations are reached. */
    enum Way {
        /** oneDNN for every shape: what it does by itself. */
        LIBRARY,
        /** As a backend does it. */
        BACKEND
    }

    /** The operation that is under way, which a file tells whoever started this. */
    record At(int number, String what) {
        static At read(Path file) throws IOException {
            try (DataInputStream in = new DataInputStream(Files.newInputStream(file))) {
                return new At(in.readInt(), in.readUTF());
            }
        }

        private void write(RandomAccessFile file) throws IOException {
            file.seek(0);
            file.writeInt(number);
            file.writeUTF(what);
        }
    }

    static final String DONE = "done";
    static final String WRONG = "wrong: ";
    private static final int MOST_THREADS = 3;

    private final Way way;
    private final RandomAccessFile progress;
    private final CpuBackend[] backends = new CpuBackend[MOST_THREADS];

    private OneDnnCheck(Way way, RandomAccessFile progress) {
        this.way = way;
        this.progress = progress;
        Arrays.setAll(backends, i -> CpuBackend.open(i + 1));
    }

    /**
     * Arguments: the way, one in how many shapes (1: all), the first of them to run, a file that says which one is
     * under way.
     */
    public static void main(String[] arguments) throws IOException {
        List<ConvolutionCase> cases = cases(Integer.parseInt(arguments[1]));
        if (!NativeLoader.guarded()) {
            throw new IllegalStateException(
                    "expected -D" + NativeLoader.MEMORY + "=guarded, without which nothing beside a block is seen");
        }
        try (RandomAccessFile progress = new RandomAccessFile(arguments[3], "rw")) {
            OneDnnCheck check = new OneDnnCheck(Way.valueOf(arguments[0]), progress);
            System.out.println(Integer.toHexString(dnnl.dnnl_get_effective_cpu_isa()));
            for (int i = Integer.parseInt(arguments[2]); i < cases.size(); i++) {
                check.all(i, cases.get(i));
            }
            check.close();
        }
        System.out.println(DONE);
    }

    private void close() {
        for (CpuBackend b : backends) {
            b.close();
        }
    }

    static List<ConvolutionCase> cases(int oneIn) {
        return oneIn == 1 ? OneDnnShapes.all() : OneDnnShapes.some(oneIn);
    }

    /** A convolution's operands and the sums they give. */
    private record Values(double[] x, double[] w, double[] b, double[] dy, ConvolutionCase.Reference expected) {
        static Values of(ConvolutionCase c) {
            Random r = new Random(c.seed());
            double[] x = drawn(r, c.n() * c.h() * c.w() * c.c());
            double[] w = drawn(r, product(c.weights()));
            double[] b = c.bias() ? drawn(r, c.k()) : new double[c.k()];
            double[] dy = drawn(r, product(c.outputs()));
            return new Values(x, w, b, dy, new ConvolutionCase.Reference(c, x, w, b, dy));
        }

        // Values that bf16 holds, so that one reference serves both types.
        private static double[] drawn(Random r, int count) {
            return r.ints(count, -128, 129).mapToDouble(v -> v / 128.0).toArray();
        }
    }

    /** The three passes of a layer; a bias and its gradient may be null. */
    private record Layer(Four forward, Three dataGradient, Four weightGradient) {
        interface Four {
            void run(Tensor first, Tensor second, Tensor third, Tensor fourth);
        }

        interface Three {
            void run(Tensor first, Tensor second, Tensor third);
        }
    }

    private Layer convolution(CpuBackend backend, Convolution c) {
        if (way == Way.LIBRARY) {
            OneDnnConvolution library = new OneDnnConvolution(backend.oneDnn());
            return new Layer(
                    (x, w, b, y) -> library.convolution(c, x, w, b, y),
                    (dy, w, dx) -> library.convolutionDataGradient(c, dy, w, dx),
                    (x, dy, dw, db) -> library.convolutionWeightGradient(c, x, dy, dw, db));
        }
        return new Layer(
                (x, w, b, y) -> backend.convolution(c, x, w, b, y),
                (dy, w, dx) -> backend.convolutionDataGradient(c, dy, w, dx),
                (x, dy, dw, db) -> backend.convolutionWeightGradient(c, x, dy, dw, db));
    }

    private Layer linear(CpuBackend backend) {
        if (way == Way.LIBRARY) {
            OneDnnLinear library = new OneDnnLinear(backend.oneDnn());
            return new Layer(library::linear, library::linearDataGradient, library::linearWeightGradient);
        }
        return new Layer(backend::linear, backend::linearDataGradient, backend::linearWeightGradient);
    }

    private void all(int number, ConvolutionCase c) {
        Values values = Values.of(c);
        CpuBackend backend = backends[number % MOST_THREADS];
        for (DataType type : new DataType[] {DataType.F32, DataType.BF16}) {
            if (type == DataType.BF16 && way == Way.LIBRARY && !OneDnn.bf16Accepted()) {
                continue;
            }
            String what = type + " " + backend.threads() + " threads " + c;
            new Passes(backend, number, "convolution " + what, type, convolution(backend, c.convolution()), values)
                    .run(new int[] {c.n(), c.h(), c.w(), c.c()}, c.weights(), c.bias(), c.outputs());
            if (c.h() == 1 && c.w() == 1 && c.size() == 1 && c.groups() == 1) {
                new Passes(backend, number, "linear " + what, type, linear(backend), values)
                        .run(new int[] {c.n(), c.c()}, new int[] {c.k(), c.c()}, c.bias(), new int[] {c.n(), c.k()});
            }
        }
    }

    private final class Passes {
        private final CpuBackend backend;
        private final int number;
        private final String what;
        private final DataType type;
        private final Layer layer;
        private final Values values;

        Passes(CpuBackend backend, int number, String what, DataType type, Layer layer, Values values) {
            this.backend = backend;
            this.number = number;
            this.what = what;
            this.type = type;
            this.layer = layer;
            this.values = values;
        }

        void run(int[] in, int[] weights, boolean bias, int[] out) {
            int[] vector = {out[out.length - 1]};
            try (Tensor x = of(type, values.x, in);
                    Tensor w = of(DataType.F32, values.w, weights);
                    Tensor b = bias ? of(DataType.F32, values.b, vector) : null;
                    Tensor dy = of(type, values.dy, out)) {
                try (Tensor y = output(type, out)) {
                    pass("forward", values.expected.y, y, () -> layer.forward.run(x, w, b, y));
                }
                try (Tensor dx = output(type, in)) {
                    pass("data gradient", values.expected.dx, dx, () -> layer.dataGradient.run(dy, w, dx));
                }
                try (Tensor dw = output(DataType.F32, weights);
                        Tensor db = bias ? output(DataType.F32, vector) : null) {
                    pass("weight gradient", values.expected.dw, dw, () -> layer.weightGradient.run(x, dy, dw, db));
                    if (db != null) {
                        compare("bias gradient", values.expected.db, db);
                    }
                }
            }
        }

        // Scratch memory of exactly this operation's size, and given back behind it: that looks at what lies beside it.
        private void pass(String pass, ConvolutionCase.Sums expected, Tensor output, Runnable operation) {
            try {
                new At(number, what + " " + pass).write(progress);
            } catch (IOException e) {
                throw new UncheckedIOException(e);
            }
            backend.use(operation);
            backend.oneDnn().freeScratch();
            compare(pass, expected, output);
        }

        private void compare(String pass, ConvolutionCase.Sums expected, Tensor output) {
            String difference = expected.difference(output.type(), backend.readDoubles(output));
            if (difference != null) {
                System.out.println(WRONG + what + " " + pass + ": " + difference);
            }
        }

        private Tensor output(DataType type, int... dims) {
            return Tensor.allocate(backend.memory(), type, Shape.of(dims)); // NaN, as guarded memory is
        }

        private Tensor of(DataType type, double[] values, int... dims) {
            Tensor t = output(type, dims);
            backend.write(t, values);
            return t;
        }
    }

    private static int product(int[] dims) {
        return Arrays.stream(dims).reduce(1, (a, b) -> a * b);
    }
}
