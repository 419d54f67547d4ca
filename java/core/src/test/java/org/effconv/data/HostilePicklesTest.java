package org.effconv.data;

import static org.effconv.data.TestFiles.counting;
import static org.effconv.data.TestFiles.rejection;
import static org.effconv.data.TestFiles.write;
import static org.junit.jupiter.api.Assertions.assertTrue;

import java.lang.management.ManagementFactory;
import java.nio.charset.StandardCharsets;
import java.nio.file.Path;
import java.util.Arrays;
import java.util.List;
import java.util.Random;
import org.effconv.data.TestArrays.Pickle;
import org.effconv.data.TestArrays.Python;
import org.effconv.error.EffconvException;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.MethodSource;

/** Pickles are programs; none but that of a dictionary of arrays runs. */
class HostilePicklesTest {
    @TempDir
    Path folder;

    private Path file;

    @BeforeEach
    void writeGoodBatches() {
        TestArrays.cifarPickled(folder);
        file = folder.resolve("test_batch");
    }

    record Hostile(String name, byte[] pickle, String message) {
        @Override
        public String toString() {
            return name;
        }
    }

    private static Pickle two() {
        return new Pickle(Python.TWO);
    }

    private static Pickle four() {
        return new Pickle(Python.THREE_AS_4);
    }

    private static String refused(String name) {
        return ": pickle asks for the class " + name + ", which is not read; expected lists";
    }

    static List<Hostile> pickles() {
        Pickle nested = two();
        for (int i = 0; i < 1_000_000; i++) {
            nested.raw(']');
        }
        for (int i = 1; i < 1_000_000; i++) {
            nested.raw('a');
        }
        byte[] deep = nested.raw("").end();
        byte[] deepOpen = Arrays.copyOf(deep, deep.length - 1); // no end yet
        Pickle doubled = two().raw(']').put();
        for (int i = 0; i < 60; i++) { // each list holds the one before twice: 2^60 elements for whoever walks
            doubled.raw(']').put().raw('(', 'h', i, 'h', i, 'e');
        }
        Pickle encoded = new Pickle(Python.THREE_AS_2).text("x".repeat(60_000)); // what is 0 in the memo
        for (int i = 0; i < 20_000; i++) {
            encoded.raw("c_codecs\nencode\nh")
                    .raw(0)
                    .raw("X")
                    .int32(6)
                    .raw("latin1")
                    .raw(0x86, 'R');
        }
        return List.of(
                new Hostile(
                        "GLOBAL",
                        two().raw("cos\nsystem\n(").text("ls").raw("tR").end(),
                        refused("os.system")),
                new Hostile("GLOBAL posix", two().raw("cposix\nsystem\n").end(), refused("posix.system")),
                new Hostile("STACK_GLOBAL", four().global("os", "system").end(), refused("os.system")),
                new Hostile(
                        "eval",
                        two().raw("cbuiltins\neval\n(").text("1").raw("tR").end(),
                        refused("builtins.eval")),
                new Hostile("eval 2", two().raw("c__builtin__\neval\n").end(), refused("__builtin__.eval")),
                new Hostile("dots", four().global("numpy", "ndarray.x").end(), refused("numpy.ndarray.x")),
                new Hostile("subclass", four().global("numpy", "matrix").end(), refused("numpy.matrix")),
                new Hostile("an error", two().raw("cbuiltins\nValueError\n)R").end(), refused("builtins.ValueError")),
                new Hostile(
                        "known to the library", two().raw("cdecimal\nDecimal\n").end(), refused("decimal.Decimal")),
                new Hostile("Java", two().raw("cjava.lang\nRuntime\n)R").end(), refused("java.lang.Runtime")),
                new Hostile(
                        "INST", two().raw("(").text("ls").raw("ios\nsystem\n").end(), malformed("opcode 0x69")),
                new Hostile("OBJ", two().raw("(").raw("cnumpy\ndtype\no").end(), malformed("opcode 0x6f")),
                new Hostile("NEWOBJ", two().raw("cnumpy\ndtype\n)").raw(0x81).end(), malformed("opcode 0x81")),
                new Hostile("PERSID", two().raw("Pid\n").end(), malformed("opcode 0x50")),
                new Hostile("BINPERSID", two().text("id").raw("Q").end(), malformed("opcode 0x51")),
                new Hostile("EXT1", two().raw(0x82, 1).end(), malformed("opcode 0x82")),
                new Hostile("NEXT_BUFFER", two().raw(0x97).end(), malformed("opcode 0x97")),
                new Hostile("LONG4", two().raw(0x8b).int32(0x7fffffff).end(), malformed("opcode 0x8b")),
                new Hostile("no opcode", two().raw(0xff).end(), malformed("opcode 0xff")),
                new Hostile("state of a list", two().raw("])b").end(), malformed("a state for what has none")),
                new Hostile(
                        "ndarray called", two().raw("cnumpy\nndarray\n)R").end(), malformed("numpy.ndarray is called")),
                new Hostile("an int called", two().raw("K").raw(1).raw(")R").end(), malformed("its parts do not fit")),
                new Hostile("nothing on the stack", two().raw("R").end(), malformed("its parts do not fit together")),
                new Hostile("no mark", two().raw("e").end(), malformed("its parts do not fit together")),
                new Hostile("no such memo", two().raw("h").raw(9).end(), malformed("invalid memo key")),
                new Hostile(
                        "another code",
                        two().raw("c_codecs\nencode\n(")
                                .text("x")
                                .text("zip")
                                .raw("tR")
                                .end(),
                        malformed("bytes of another code than latin1")),
                new Hostile(
                        "no end of a name",
                        two().raw("c" + "x".repeat(100_000)).end(),
                        malformed("the name of a class has no end")),
                new Hostile(
                        "huge BINBYTES8",
                        two().raw(0x8e).int64(1L << 62).end(),
                        ": is truncated: 1 bytes are left at byte 11, expected 4611686018427387904"),
                new Hostile("negative BINBYTES8", two().raw(0x8e).int64(-1).end(), ": is truncated: 1 bytes are left"),
                new Hostile(
                        "huge BYTEARRAY8",
                        two().raw(0x96).int64(2_000_000_000).end(),
                        ": is truncated: 1 bytes are left"),
                new Hostile(
                        "huge BINBYTES",
                        two().raw('B').int32(-1).end(),
                        ": is truncated: 1 bytes are left at byte 7, expected 4294967295"),
                new Hostile(
                        "huge BINSTRING", two().raw('T').int32(0x7fffffff).end(), ": is truncated: 1 bytes are left"),
                new Hostile(
                        "huge BINUNICODE8", two().raw(0x8d).int64(1L << 40).end(), ": is truncated: 1 bytes are left"),
                new Hostile("deep", deep, ": pickles no dictionary, expected one of arrays and lists"),
                new Hostile(
                        "deep key of a dictionary",
                        TestArrays.joined(
                                Arrays.copyOf(deepOpen, 2),
                                TestArrays.bytes('}'),
                                Arrays.copyOfRange(deepOpen, 2, deepOpen.length),
                                TestArrays.bytes('N', 's', '.')),
                        malformed("a key that is no text")),
                new Hostile("memo bomb", doubled.end(), ": pickles no dictionary, expected one of arrays and lists"),
                new Hostile(
                        "bomb of bytes", encoded.end(), ": pickles no dictionary, expected one of arrays and lists"),
                new Hostile("steps", two().raw("N".repeat(1 << 23)).end(), malformed("more than 8388608 steps")),
                new Hostile(
                        "objects",
                        four().raw("}")
                                .text("data")
                                .array("O8", "|", new byte[192], 1, 24)
                                .raw("s")
                                .end(),
                        ": data: holds an array of objects or fields, expected numbers"),
                new Hostile(
                        "array without state",
                        four().raw("}")
                                .text("data")
                                .global("numpy.core.multiarray", "_reconstruct")
                                .global("numpy", "ndarray")
                                .raw(0x85, 'R', 's')
                                .end(),
                        ": data: holds an array without its content"),
                new Hostile(
                        "shape of more",
                        four().raw("}")
                                .text("data")
                                .array("u1", "|", new byte[10], 1 << 30, 3072)
                                .raw("s")
                                .end(),
                        ": data: holds 10 bytes, expected 3298534883328 by its shape"));
    }

    private static String malformed(String why) {
        return ": is no well-formed pickle: " + why;
    }

    @ParameterizedTest
    @MethodSource("pickles")
    void isRefused(Hostile hostile) {
        write(file, hostile.pickle());
        var threads = (com.sun.management.ThreadMXBean) ManagementFactory.getThreadMXBean();
        long before = threads.getCurrentThreadAllocatedBytes();
        String message = rejection(folder);
        long allocated = threads.getCurrentThreadAllocatedBytes() - before;
        assertTrue(message.startsWith(file + hostile.message()), message);
        long most = 10_000_000 + 100L * hostile.pickle().length; // some objects for each byte, but no more
        assertTrue(allocated < most, "allocated " + allocated + " bytes, expected fewer than " + most);
    }

    @Test
    void anyBeginningOfAPickle() {
        for (Python python : Python.values()) {
            byte[] whole = TestArrays.batch(new Pickle(python), counting(192, 0), 1, "labels", 3);
            for (int length = 0; length < whole.length; length++) {
                write(file, Arrays.copyOf(whole, length));
                String message = rejection(folder);
                assertTrue(message.startsWith(file + ": is "), python + " " + length + " " + message);
            }
        }
    }

    /** Bytes changed at random: what still opens has the size that it should have. */
    @Test
    void anyChangeIsReadOrRefused() {
        Random random = new Random(1);
        byte[] whole = TestArrays.batch(new Pickle(Python.THREE_AS_3), counting(3072, 0), 1, "labels", 3);
        int structure = whole.length - 3072;
        for (int i = 0; i < 800; i++) {
            byte[] changed = whole.clone();
            int at = random.nextInt(structure);
            changed[at < 150 ? at : at + 3072] ^= (byte) (1 << random.nextInt(8));
            write(file, changed);
            try {
                assertTrue(Datasets.open(folder.toString()).test().count() == 1);
            } catch (EffconvException.InvalidInput e) {
                assertTrue(e.getMessage().contains(folder.toString()), e.getMessage());
            }
        }
    }

    @Test
    void namesOfClassesFromAHostileFile() {
        Path meta = folder.resolve("batches.meta");
        write(meta, two().raw("cos\nsystem\n").end());
        assertTrue(rejection(folder).startsWith(meta + refused("os.system")), rejection(folder));
        write(meta, "text".getBytes(StandardCharsets.US_ASCII));
        assertTrue(rejection(folder).startsWith(meta + ": is no pickle of protocol 2 to 5"), rejection(folder));
    }
}
