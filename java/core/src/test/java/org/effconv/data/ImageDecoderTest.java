package org.effconv.data;

import static org.effconv.data.TestFiles.encode;
import static org.effconv.data.TestFiles.exif;
import static org.effconv.data.TestFiles.jpegOfSamples;
import static org.effconv.data.TestFiles.rejection;
import static org.effconv.data.TestFiles.withAdobe;
import static org.effconv.data.TestFiles.withChunk;
import static org.effconv.data.TestFiles.withExif;
import static org.effconv.data.TestFiles.withSegment;
import static org.junit.jupiter.api.Assertions.assertArrayEquals;
import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertTrue;

import java.awt.Transparency;
import java.awt.color.ColorSpace;
import java.awt.image.BufferedImage;
import java.awt.image.ColorModel;
import java.awt.image.ComponentColorModel;
import java.awt.image.DataBuffer;
import java.awt.image.IndexColorModel;
import java.awt.image.WritableRaster;
import java.io.ByteArrayOutputStream;
import java.nio.ByteOrder;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;
import java.util.TreeSet;
import java.util.function.IntBinaryOperator;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;
import org.junit.jupiter.params.provider.ValueSource;

class ImageDecoderTest {
    private static final int HEIGHT = 4;
    private static final int WIDTH = 5;

    private record Decoded(boolean grey, byte[] pixels) {}

    private static Decoded decode(byte[] file, int height, int width) {
        byte[] pixels = new byte[3 * height * width + 2]; // bytes before and after it are none of its own
        try (ImageDecoder decoder = new ImageDecoder()) {
            ImageDecoder.Header size = new ImageDecoder.Header(height, width);
            assertEquals(size, decoder.header("file", file));
            boolean grey = ImageFit.of(size).decode(decoder, "file", file, pixels, 1);
            assertEquals(0, pixels[0] | pixels[pixels.length - 1]);
            return new Decoded(grey, Arrays.copyOfRange(pixels, 1, pixels.length - 1));
        }
    }

    private static String refusal(byte[] file) {
        return rejection(() -> decode(file, HEIGHT, WIDTH));
    }

    /** Greys of {@code depth} bits. */
    private static IntBinaryOperator greys(int depth) {
        return (y, x) -> (5 * y + 3 * x) % (1 << depth);
    }

    private static void assertGrey(byte[] png, IntBinaryOperator level) {
        Decoded decoded = decode(png, HEIGHT, WIDTH);
        byte[] expected = new byte[3 * HEIGHT * WIDTH];
        for (int i = 0; i < expected.length; i++) {
            expected[i] = (byte) level.applyAsInt(i / 3 / WIDTH, i / 3 % WIDTH);
        }
        assertArrayEquals(expected, decoded.pixels());
        assertTrue(decoded.grey());
    }

    private static BufferedImage samples(ColorModel model, WritableRaster raster, IntBinaryOperator level, int opaque) {
        int bands = raster.getNumBands();
        for (int y = 0; y < HEIGHT; y++) {
            for (int x = 0; x < WIDTH; x++) {
                int[] pixel = new int[bands];
                Arrays.fill(pixel, level.applyAsInt(y, x));
                if (bands % 2 == 0) {
                    pixel[bands - 1] = opaque;
                }
                raster.setPixel(x, y, pixel);
            }
        }
        return new BufferedImage(model, raster, false, null);
    }

    private static byte[] component(int space, boolean alpha, int type, IntBinaryOperator level) {
        ColorModel model = new ComponentColorModel(
                ColorSpace.getInstance(space),
                alpha,
                false,
                alpha ? Transparency.TRANSLUCENT : Transparency.OPAQUE,
                type);
        return encode(
                "png",
                samples(
                        model,
                        model.createCompatibleWritableRaster(WIDTH, HEIGHT),
                        level,
                        type == DataBuffer.TYPE_USHORT ? 65535 : 255));
    }

    private static byte[] palette(int depth, byte[] red, byte[] green, byte[] blue, IntBinaryOperator index) {
        IndexColorModel model = new IndexColorModel(depth, red.length, red, green, blue);
        BufferedImage image = new BufferedImage(
                WIDTH, HEIGHT, depth < 8 ? BufferedImage.TYPE_BYTE_BINARY : BufferedImage.TYPE_BYTE_INDEXED, model);
        return encode("png", samples(model, image.getRaster(), index, 0));
    }

    /** The same greys are the same pixels, whatever the file calls them. */
    @ParameterizedTest
    @ValueSource(ints = {1, 2, 4, 8})
    void greysOfEveryDepthAndKind(int depth) {
        int most = (1 << depth) - 1;
        IntBinaryOperator full = (y, x) -> greys(depth).applyAsInt(y, x) * (255 / most);
        byte[] even = new byte[most + 1]; // ascending: the writer makes a grey PNG of less than 8 bits of it
        byte[] reversed = new byte[most + 1];
        for (int i = 0; i <= most; i++) {
            even[i] = (byte) (i * (255 / most));
            reversed[most - i] = even[i];
        }
        if (depth < 8) {
            byte[] grey = palette(depth, even, even, even, greys(depth));
            assertEquals(0, grey[25], "colour type of a grey PNG");
            assertEquals(depth, grey[24], "its depth");
            assertGrey(grey, full);
        }
        byte[] indexed = palette(
                depth,
                reversed,
                reversed,
                reversed,
                (y, x) -> most - greys(depth).applyAsInt(y, x));
        assertEquals(3, indexed[25], "colour type of a palette");
        assertGrey(indexed, full);
        for (int space : new int[] {ColorSpace.CS_GRAY, ColorSpace.CS_sRGB}) {
            for (boolean alpha : new boolean[] {false, true}) {
                assertGrey(component(space, alpha, DataBuffer.TYPE_BYTE, full), full);
                assertGrey(
                        component(space, alpha, DataBuffer.TYPE_USHORT, (y, x) -> 256 * full.applyAsInt(y, x) + 77),
                        full);
            }
        }
        assertGrey(jpegOfSamples(HEIGHT, WIDTH, (y, x) -> new int[] {most * 40 % 256}), (y, x) -> most * 40 % 256);
    }

    @Test
    void colourThatAPaletteDoesNotUseIsNone() {
        byte[] red = {10, 20, (byte) 200};
        byte[] others = {10, 20, 7};
        assertGrey(palette(8, red, others, others, (y, x) -> x % 2), (y, x) -> x % 2 == 0 ? 10 : 20);
        Decoded coloured = decode(palette(8, red, others, others, (y, x) -> y == 3 && x == 4 ? 2 : 0), HEIGHT, WIDTH);
        assertEquals(
                List.of(false, (byte) 200, (byte) 7),
                List.of(coloured.grey(), coloured.pixels()[3 * 19], coloured.pixels()[3 * 19 + 1]));
    }

    @ParameterizedTest
    @CsvSource({
        "10,20,30,40, 207,198,190",
        "0,0,0,255, 0,0,0",
        "255,0,0,0, 0,255,255",
        "0,0,0,0, 255,255,255",
        "3,250,128,9, 243,5,123"
    })
    void inksAreSubtracted(int c, int m, int y, int k, int red, int green, int blue) {
        byte[] rgb = {(byte) red, (byte) green, (byte) blue};
        byte[] plain = jpegOfSamples(HEIGHT, WIDTH, (row, x) -> new int[] {c, m, y, k});
        byte[] adobe =
                withAdobe(jpegOfSamples(HEIGHT, WIDTH, (row, x) -> new int[] {255 - c, 255 - m, 255 - y, 255 - k}), 0);
        for (byte[] file : List.of(plain, adobe)) {
            byte[] pixels = decode(file, HEIGHT, WIDTH).pixels();
            for (int p = 0; p < pixels.length; p += 3) {
                assertArrayEquals(rgb, Arrays.copyOfRange(pixels, p, p + 3), Arrays.toString(pixels));
            }
        }
    }

    /** YCCK holds the YCbCr of the inks, which is here written out, and 255 - black. */
    @ParameterizedTest
    @CsvSource({"10,20,30,40", "0,0,0,0", "200,100,50,20", "0,0,0,255", "250,3,3,0"})
    void inksAsYcck(int c, int m, int y, int k) {
        int luma = (int) Math.round(0.299 * c + 0.587 * m + 0.114 * y);
        int blue = (int) Math.round(128 + (y - (0.299 * c + 0.587 * m + 0.114 * y)) / 1.772);
        int red = (int) Math.round(128 + (c - (0.299 * c + 0.587 * m + 0.114 * y)) / 1.402);
        byte[] file = withAdobe(jpegOfSamples(HEIGHT, WIDTH, (row, x) -> new int[] {luma, blue, red, 255 - k}), 2);
        byte[] pixels = decode(file, HEIGHT, WIDTH).pixels();
        int[] inks = {c, m, y};
        for (int i = 0; i < pixels.length; i++) {
            assertEquals((255 - inks[i % 3]) * (255 - k) / 255.0, pixels[i] & 0xff, 2.1, "rounded thrice");
        }
    }

    /** A letter that looks different in each of the eight ways, as its rows are stored and as they are shown. */
    @ParameterizedTest
    @CsvSource({
        "1, 110 100 100",
        "2, 011 001 001",
        "3, 001 001 011",
        "4, 100 100 110",
        "5, 111 100 000",
        "6, 111 001 000",
        "7, 000 001 111",
        "8, 000 100 111"
    })
    void turnedAsExifSays(int orientation, String shown) {
        int side = 8; // of a block of JPEG, so that every block is flat and exact
        String[] letter = {"110", "100", "100"};
        int width = 3 * side;
        byte[] stored =
                jpegOfSamples(width, width, (y, x) -> new int[] {letter[y / side].charAt(x / side) == '1' ? 255 : 0});
        String[] rows = shown.split(" ");
        for (ByteOrder order : List.of(ByteOrder.BIG_ENDIAN, ByteOrder.LITTLE_ENDIAN)) {
            byte[] pixels =
                    decode(withExif(stored, orientation, order), width, width).pixels();
            for (int p = 0; p < width * width; p++) {
                int expected = rows[p / width / side].charAt(p % width / side) == '1' ? 255 : 0;
                assertEquals(expected, pixels[3 * p] & 0xff, orientation + " at " + p);
            }
        }
    }

    @Test
    void aPngIsTurnedToo() {
        BufferedImage image = new BufferedImage(WIDTH, HEIGHT, BufferedImage.TYPE_INT_RGB);
        image.setRGB(0, 0, 0x010203);
        byte[] pixels = decode(
                        withChunk(encode("png", image), "eXIf", exif(6, ByteOrder.BIG_ENDIAN)),
                        /* height= */ WIDTH,
                        /* width= */ HEIGHT)
                .pixels();
        int corner = 3 * (HEIGHT - 1); // what is stored at the left of the top row is shown at its right
        assertArrayEquals(new byte[] {1, 2, 3}, Arrays.copyOfRange(pixels, corner, corner + 3));
    }

    @Test
    void anExifBlockThatSaysNothingTurnsNothing() {
        byte[] stored = jpegOfSamples(HEIGHT, WIDTH, (y, x) -> new int[] {40 * x});
        byte[] expected = decode(stored, HEIGHT, WIDTH).pixels();
        byte[] block = withExif(new byte[2], 6, ByteOrder.BIG_ENDIAN);
        for (int length = 12;
                length < block.length - 4;
                length++) { // up to within the first tag, and a part of the second
            byte[] cut = Arrays.copyOfRange(block, 6, Math.min(length, block.length - 9));
            assertArrayEquals(
                    expected,
                    decode(TestFiles.withSegment(stored, 0xe1, cut), HEIGHT, WIDTH)
                            .pixels());
        }
        for (int value : new int[] {0, 9, 0xffff}) {
            assertArrayEquals(
                    expected,
                    decode(withExif(stored, value, ByteOrder.BIG_ENDIAN), HEIGHT, WIDTH)
                            .pixels());
        }
    }

    @Test
    void aPngIsCheckedWhole() {
        byte[] png = withChunk(
                component(ColorSpace.CS_GRAY, false, DataBuffer.TYPE_BYTE, greys(8)), "tEXt", new byte[] {'a', 0, 'b'});
        assertGrey(Arrays.copyOf(png, png.length + 50), greys(8)); // what follows the end is none of its business
        TreeSet<String> said = new TreeSet<>();
        for (int at = 8; at < png.length; at++) {
            byte[] damaged = png.clone();
            damaged[at] ^= 4;
            String message = refusal(damaged);
            said.add(message.replaceAll("chunk .* at byte \\d+|holds \\d+", "..."));
            assertTrue(refusal(Arrays.copyOf(png, at)).startsWith("file: is truncated: holds " + at + " bytes"));
        }
        assertEquals(
                List.of(
                        "file: is damaged: the checksum of the PNG ... is wrong",
                        "file: is truncated: ... bytes without the PNG end chunk"),
                List.copyOf(said));
    }

    @Test
    void jpegDataThatEndEarlyOrLateAreRefused() {
        byte[] jpeg = jpegOfSamples(64, 64, (y, x) -> new int[] {(y * x * 7) % 256});
        byte[] early = Arrays.copyOf(jpeg, jpeg.length / 2);
        early[early.length - 2] = (byte) 0xff;
        early[early.length - 1] = (byte) 0xd9;
        byte[] late = Arrays.copyOf(jpeg, jpeg.length + 9);
        late[jpeg.length - 2] = 1;
        late[jpeg.length - 1] = 1;
        late[late.length - 2] = (byte) 0xff;
        late[late.length - 1] = (byte) 0xd9;
        for (byte[] damaged : List.of(early, late)) {
            String message = rejection(() -> decode(damaged, 64, 64));
            assertTrue(message.startsWith("file: is damaged (Corrupt JPEG data: "), message);
        }
        assertArrayEquals(
                decode(jpeg, 64, 64).pixels(),
                decode(Arrays.copyOf(jpeg, jpeg.length + 50), 64, 64).pixels());
    }

    private static final int SIDE = 64;

    private static byte[] drawn(boolean progressive) {
        return jpegOfSamples(SIDE, SIDE, (y, x) -> new int[] {(y * x * 7) % 256}, progressive);
    }

    private static String refusalOfDrawn(byte[] file) {
        return rejection(() -> decode(file, SIDE, SIDE));
    }

    /** Where a marker stands, from {@code from} on. */
    private static int marker(byte[] jpeg, int marker, int from) {
        for (int at = from; at + 1 < jpeg.length; at++) {
            if ((jpeg[at] & 0xff) == 0xff && (jpeg[at + 1] & 0xff) == marker) {
                return at;
            }
        }
        return -1;
    }

    private static byte[] joined(byte[]... parts) {
        ByteArrayOutputStream all = new ByteArrayOutputStream();
        Arrays.stream(parts).forEach(all::writeBytes);
        return all.toByteArray();
    }

    private static byte[] inserted(byte[] file, int at, int... bytes) {
        byte[] more = new byte[bytes.length];
        for (int i = 0; i < more.length; i++) {
            more[i] = (byte) bytes[i];
        }
        return joined(Arrays.copyOf(file, at), more, Arrays.copyOfRange(file, at, file.length));
    }

    private static byte[] withJfif(byte[] jpeg, int revision) {
        return withSegment(jpeg, 0xe0, new byte[] {'J', 'F', 'I', 'F', 0, (byte) revision, 2, 0, 0, 1, 0, 1, 0, 0});
    }

    private static void assertSame(byte[] expected, byte[] file) {
        assertArrayEquals(
                decode(expected, SIDE, SIDE).pixels(), decode(file, SIDE, SIDE).pixels());
    }

    @ParameterizedTest
    @ValueSource(booleans = {false, true})
    void aTruncatedJpegIsRefusedWhereverItEnds(boolean progressive) {
        byte[] jpeg = drawn(progressive);
        List<Integer> ends =
                new ArrayList<>(List.of(jpeg.length - 1, jpeg.length - 2, jpeg.length - 3, jpeg.length / 2));
        for (int scan = marker(jpeg, 0xda, 0); scan >= 0; scan = marker(jpeg, 0xda, scan + 1)) {
            ends.addAll(List.of(scan, scan + 1, scan + 2, scan + 3, scan + 8, scan + 20));
        }
        assertEquals(progressive, ends.size() > 10);
        byte[] thumbnail = withSegment(jpeg, 0xe2, jpegOfSamples(8, 8, (y, x) -> new int[] {0}));
        for (int end : ends) {
            assertEquals(
                    "file: is truncated: holds " + end + " bytes without the JPEG end marker",
                    refusalOfDrawn(Arrays.copyOf(jpeg, end)));
            int with = end + thumbnail.length - jpeg.length;
            assertEquals(
                    "file: is truncated: holds " + with + " bytes without the JPEG end marker",
                    refusalOfDrawn(Arrays.copyOf(thumbnail, with)));
        }
    }

    @ParameterizedTest
    @ValueSource(booleans = {false, true})
    void whatFollowsTheEndOfAJpegIsIgnored(boolean progressive) {
        byte[] jpeg = drawn(progressive);
        assertSame(jpeg, inserted(jpeg, jpeg.length, 0, 0, 24, 'f', 't', 'y', 'p', 0xff, 0xda, 1, 2, 0xff, 0xc4, 9));
    }

    /** libjpeg tells one remark on an image. */
    @Test
    void damageIsSeenBehindARemarkThatIsHarmless() {
        byte[] jpeg = withJfif(drawn(false), 1);
        byte[] revision = withJfif(drawn(false), 2);
        int scan = marker(jpeg, 0xda, 0);
        byte[] coefficients = jpeg.clone();
        coefficients[scan + 8] = 0; // the last of them: some programs write 0 for 63
        for (byte[] remarked : List.of(revision, coefficients, withAdobe(jpeg, 9))) {
            assertSame(jpeg, remarked);
            byte[] damaged = inserted(remarked, remarked.length - 2, 1, 1, 1, 1);
            assertTrue(
                    refusalOfDrawn(damaged).startsWith("file: is damaged (Corrupt JPEG data: "),
                    refusalOfDrawn(damaged));
        }
    }

    @Test
    void bytesBetweenTheSegmentsBeforeAScanAreNoDamage() {
        byte[] jpeg = withJfif(drawn(false), 1);
        for (int marker : new int[] {0xdb, 0xc0, 0xc4, 0xda}) {
            assertSame(jpeg, inserted(jpeg, marker(jpeg, marker, 2), 7));
            assertSame(jpeg, inserted(jpeg, marker(jpeg, marker, 2), 0xff, 0, 3, 0xff));
        }
    }

    @Test
    void scansThatDoNotRefineEachOtherAreRefused() {
        byte[] jpeg = drawn(true);
        int first = marker(jpeg, 0xda, 0);
        int second = marker(jpeg, 0xda, first + 1);
        int tables = marker(jpeg, 0xc4, first);
        int end = tables > 0 && tables < second ? tables : second;
        byte[] twice = joined(Arrays.copyOf(jpeg, end), Arrays.copyOfRange(jpeg, first, jpeg.length));
        assertTrue(
                refusalOfDrawn(twice).startsWith("file: is damaged (Inconsistent progression"), refusalOfDrawn(twice));
    }
}
