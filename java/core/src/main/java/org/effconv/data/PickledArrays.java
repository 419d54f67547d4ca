package org.effconv.data;

import static org.effconv.data.DataFiles.invalid;

import java.io.BufferedInputStream;
import java.io.FilterInputStream;
import java.io.IOException;
import java.io.InputStream;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.Arrays;
import java.util.HashMap;
import java.util.List;
import java.util.Locale;
import java.util.Map;
import java.util.Set;
import net.razorvine.pickle.IObjectConstructor;
import net.razorvine.pickle.Opcodes;
import net.razorvine.pickle.PickleException;
import net.razorvine.pickle.PickleUtils;
import net.razorvine.pickle.Unpickler;

/**
 * Reads a pickled dictionary of numbers, texts, lists and NumPy arrays (protocols 2 to 5), and nothing else.
 *
 * <p>A pickle is a program. The opcodes that such a dictionary needs are let through; each other one is refused. So is
 * every class but the few that arrays are made of, and no class is looked up or made by reflection. Nothing is
 * allocated beyond what the file still holds.
 */
final class PickledArrays extends Unpickler {
    private static final int LONGEST_LINE = 200;
    private static final int MOST_STEPS = 1 << 23; // each makes an object of some 50 bytes at most
    private static final int SHORT_TEXT = 1 << 16; // longer ones are arrays that Python 3 wrote in protocol 2

    /** What the library does safely: it makes numbers, short texts, tuples, lists and maps, and remembers them. */
    private static final Set<Short> SAFE = Set.of(
            Opcodes.PROTO,
            Opcodes.FRAME,
            Opcodes.MARK,
            Opcodes.STOP,
            Opcodes.NONE,
            Opcodes.NEWTRUE,
            Opcodes.NEWFALSE,
            Opcodes.BININT,
            Opcodes.BININT1,
            Opcodes.BININT2,
            Opcodes.LONG1,
            Opcodes.BINFLOAT,
            Opcodes.SHORT_BINSTRING,
            Opcodes.SHORT_BINBYTES,
            Opcodes.SHORT_BINUNICODE,
            Opcodes.EMPTY_TUPLE,
            Opcodes.TUPLE,
            Opcodes.TUPLE1,
            Opcodes.TUPLE2,
            Opcodes.TUPLE3,
            Opcodes.EMPTY_LIST,
            Opcodes.APPEND,
            Opcodes.APPENDS,
            Opcodes.EMPTY_DICT,
            Opcodes.REDUCE,
            Opcodes.BINGET,
            Opcodes.LONG_BINGET,
            Opcodes.BINPUT,
            Opcodes.LONG_BINPUT,
            Opcodes.MEMOIZE);

    private static final IObjectConstructor NDARRAY = arguments -> {
        throw new PickleException("numpy.ndarray is called");
    };

    private static final Map<String, IObjectConstructor> CLASSES = Map.of(
            "numpy.ndarray", NDARRAY,
            "numpy.dtype", arguments -> new PickledArray.Type((String) arguments[0]),
            "numpy.core.multiarray._reconstruct", PickledArrays::reconstruct,
            "numpy._core.multiarray._reconstruct", PickledArrays::reconstruct,
            "numpy.core.numeric._frombuffer", PickledArray::ofBuffer,
            "numpy._core.numeric._frombuffer", PickledArray::ofBuffer,
            "numpy.core.multiarray.scalar", PickledArray::ofScalar,
            "numpy._core.multiarray.scalar", PickledArray::ofScalar,
            "_codecs.encode", PickledArrays::encode);

    private final Path file;
    private final Counted counted;
    private int steps;

    private PickledArrays(Path file, Counted counted) {
        this.file = file;
        this.counted = counted;
    }

    /** Whether a file begins as a pickle of protocol 2 or later does. */
    static boolean isPickle(Path file) {
        if (!Files.isRegularFile(file)) {
            return false;
        }
        try (InputStream in = Files.newInputStream(file)) {
            return in.read() == Opcodes.PROTO;
        } catch (IOException e) {
            throw DataFiles.unreadable(file, e);
        }
    }

    /**
     * The dictionary that is pickled in a file, by the text of its keys. Texts of Python 2, which are bytes, are
     * Strings or byte arrays; arrays are {@link PickledArray}.
     */
    static Map<String, Object> read(Path file) {
        try (Counted in = new Counted(file)) {
            if (in.read() != Opcodes.PROTO) {
                throw invalid(file, "is no pickle of protocol 2 to 5, expected Python's pickle.dump(..., protocol=2)");
            }
            int protocol = in.read();
            if (protocol < 0) {
                throw truncated(file, 1);
            }
            if (protocol < 2 || protocol > 5) {
                throw invalid(file, "pickle of protocol " + protocol + ", expected 2 to 5");
            }
            Object loaded = new PickledArrays(file, in).load(file, in);
            if (in.left() > 0) {
                throw invalid(file, "holds " + in.left() + " bytes behind its pickle, expected its end there");
            }
            return dictionary(file, loaded);
        } catch (IOException e) {
            throw DataFiles.unreadable(file, e);
        }
    }

    private Object load(Path file, Counted in) throws IOException {
        try {
            return load(in);
        } catch (PickleException
                | ClassCastException
                | IndexOutOfBoundsException
                | NegativeArraySizeException
                | NullPointerException
                | IllegalArgumentException e) { // what the library ends with on a stack that is not as it expects
            throw in.ended
                    ? truncated()
                    : malformed(e instanceof PickleException ? e.getMessage() : "its parts do not fit together", e);
        } catch (IOException e) {
            throw in.ended ? truncated() : DataFiles.unreadable(file, e);
        }
    }

    private static Map<String, Object> dictionary(Path file, Object loaded) {
        if (!(loaded instanceof Map<?, ?> map)) {
            throw invalid(file, "pickles no dictionary, expected one of arrays and lists");
        }
        Map<String, Object> named = new HashMap<>();
        map.forEach((key, value) -> named.put(text(key), value));
        return named;
    }

    /** A text, whichever Python wrote it. */
    static String text(Object value) {
        return value instanceof byte[] bytes ? new String(bytes, StandardCharsets.UTF_8) : (String) value;
    }

    private RuntimeException truncated() {
        return truncated(file, counted.read);
    }

    private static RuntimeException truncated(Path file, long bytes) {
        return invalid(file, "is truncated: ends within its pickle after " + bytes + " bytes");
    }

    private RuntimeException malformed(String why, RuntimeException cause) {
        RuntimeException error = malformed(why);
        error.initCause(cause);
        return error;
    }

    private RuntimeException malformed(String why) {
        return invalid(file, "is no well-formed pickle: " + why + " (at byte " + counted.read + ")");
    }

    @Override
    protected Object dispatch(short key) throws IOException {
        if (++steps > MOST_STEPS) {
            throw malformed("more than " + MOST_STEPS + " steps");
        }
        switch (key) {
            case Opcodes.GLOBAL -> stack.add(constructor(line(), line()));
            case Opcodes.STACK_GLOBAL -> {
                String name = (String) stack.pop();
                stack.add(constructor((String) stack.pop(), name));
            }
            case Opcodes.BUILD -> build();
            case Opcodes.SETITEM -> {
                Object value = stack.pop();
                put(Arrays.asList(stack.pop(), value)); // a value may be None, which is null
            }
            case Opcodes.SETITEMS -> put(stack.pop_all_since_marker());
            case Opcodes.BINSTRING, Opcodes.BINBYTES -> stack.add(bytes(length(4)));
            case Opcodes.BINBYTES8, Opcodes.BYTEARRAY8 -> stack.add(bytes(length(8)));
            case Opcodes.BINUNICODE -> stack.add(unicode(length(4)));
            case Opcodes.BINUNICODE8 -> stack.add(unicode(length(8)));
            default -> {
                if (!SAFE.contains(key)) {
                    throw malformed(String.format(
                            Locale.ROOT, "opcode 0x%02x, expected those of numbers, lists and NumPy arrays", key));
                }
                return super.dispatch(key);
            }
        }
        return NO_RETURN_VALUE;
    }

    private IObjectConstructor constructor(String module, String name) {
        IObjectConstructor known = CLASSES.get(module + "." + name);
        if (known == null) {
            throw invalid(
                    file,
                    "pickle asks for the class " + shortened(module + "." + name)
                            + ", which is not read; expected lists, numbers and NumPy arrays alone");
        }
        return known;
    }

    private static String shortened(String text) {
        return text.length() <= LONGEST_LINE ? text : text.substring(0, LONGEST_LINE) + "...";
    }

    private void build() {
        Object state = stack.pop();
        Object target = stack.peek();
        if (target instanceof PickledArray array) {
            array.setState((Object[]) state);
        } else if (target instanceof PickledArray.Type type) {
            type.setState((Object[]) state);
        } else {
            throw malformed("a state for what has none");
        }
    }

    /** Only texts are keys here; that of a list would be found by walking through all it holds. */
    @SuppressWarnings("unchecked")
    private void put(List<Object> keysAndValues) {
        Map<Object, Object> map = (Map<Object, Object>) stack.peek();
        for (int i = 0; i + 1 < keysAndValues.size(); i += 2) {
            Object key = keysAndValues.get(i);
            if (!(key instanceof String) && !(key instanceof byte[])) {
                throw malformed("a key that is no text");
            }
            map.put(text(key), keysAndValues.get(i + 1));
        }
    }

    private static Object reconstruct(Object[] arguments) {
        if (arguments[0] != NDARRAY) {
            throw new PickleException("an array of another class than numpy.ndarray");
        }
        return new PickledArray();
    }

    /** Python 3 writes bytes in protocol 2 as the text of these codes; they stay a text until they are needed. */
    private static Object encode(Object[] arguments) {
        if (!"latin1".equals(arguments[1]) && !"latin-1".equals(arguments[1])) {
            throw new PickleException("bytes of another code than latin1");
        }
        return arguments[0];
    }

    private String line() throws IOException {
        StringBuilder text = new StringBuilder();
        for (int c = counted.read(); c != '\n'; c = counted.read()) {
            if (c < 0) {
                throw truncated();
            }
            if (text.length() == LONGEST_LINE) {
                throw malformed("the name of a class has no end");
            }
            text.append((char) c);
        }
        return text.toString();
    }

    private long length(int bytes) throws IOException {
        byte[] field = PickleUtils.readbytes(counted, bytes);
        return bytes == 4 ? PickleUtils.bytes_to_uint(field, 0) : PickleUtils.bytes_to_long(field, 0);
    }

    private byte[] bytes(long length) throws IOException {
        if (length < 0 || length > counted.left()) {
            throw invalid(
                    file,
                    "is truncated: " + counted.left() + " bytes are left at byte " + counted.read + ", expected "
                            + Long.toUnsignedString(length));
        }
        if (length > Integer.MAX_VALUE - 8) {
            throw invalid(file, "holds a value of " + length + " bytes, expected at most " + (Integer.MAX_VALUE - 8));
        }
        byte[] bytes = DataFiles.array(file.toString(), (int) length, 2 * length); // once more, as images
        PickleUtils.readbytes_into(counted, bytes, 0, bytes.length);
        return bytes;
    }

    private Object unicode(long length) throws IOException {
        byte[] bytes = bytes(length);
        return length <= SHORT_TEXT ? new String(bytes, StandardCharsets.UTF_8) : new PickledArray.LongText(bytes);
    }

    /** Knows how much was read, how much is left, and whether somebody wanted more. */
    private static final class Counted extends FilterInputStream {
        private final long size;
        private long read;
        private boolean ended;

        private Counted(Path file) throws IOException {
            super(new BufferedInputStream(Files.newInputStream(file), 1 << 16));
            size = Files.size(file);
        }

        private long left() {
            return size - read;
        }

        @Override
        public int read() throws IOException {
            int value = super.read();
            ended |= value < 0;
            read += value < 0 ? 0 : 1;
            return value;
        }

        @Override
        public int read(byte[] target, int offset, int length) throws IOException {
            int got = super.read(target, offset, length);
            ended |= got < 0;
            read += Math.max(0, got);
            return got;
        }
    }
}
