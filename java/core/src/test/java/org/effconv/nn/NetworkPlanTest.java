package org.effconv.nn;

import static org.junit.jupiter.api.Assertions.assertArrayEquals;
import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;

import java.util.List;
import org.effconv.error.EffconvException.InvalidInput;
import org.effconv.nn.NetworkPlan.Input;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;

class NetworkPlanTest {
    private static final Input CIFAR = new Input(32, 32, 3, 10);

    private static NetworkPlan plan(String layers, Input input) {
        return Architecture.parse("{\"name\": \"mine\", \"layers\": [" + layers + "]}", "mine.json")
                .plan(input);
    }

    private static final String HEAD =
            ", {\"type\": \"globalAveragePool\"}, {\"type\": \"linear\", \"outputs\": \"classes\"}";

    @Test
    void flexnet7OwnsThePublishedNumberOfParameters() {
        NetworkPlan plan = Architecture.named("flexnet7").plan(CIFAR);
        for (int k = 1; k <= 33; k += 2) {
            assertEquals(18_360L * k * k + 4_750, plan.parameters(plan.uniformSizes(k)));
        }
        assertEquals(169_990, plan.parameters(plan.defaultSizes()));
        assertEquals(19_998_790, plan.mostParameters());
        assertEquals(23_110, plan.leastParameters());
    }

    /** Parameters at k = 3 and k = 5, counted by hand from the layer lists. */
    @ParameterizedTest
    @CsvSource({
        "cnn6, 6, 73026, 201154",
        "lenet, 2, 135062, 136886",
        "resnet20, 19, 272474, 748378",
        "resnet32, 31, 466906, 1286874",
        "resnet44, 43, 661338, 1825370",
        "resnet56, 55, 855770, 2363866",
        "flexnet3, 7, 42670, 115246",
        "flexnet5, 11, 89758, 245278",
        "dwnet, 7, 61674, 70378",
        "planted1, 1, 634, 1402",
        "planted3, 3, 5306, 14266"
    })
    void builtInsKeepTheirCounts(String name, int sized, long atThree, long atFive) {
        NetworkPlan plan = Architecture.named(name).plan(CIFAR);
        assertEquals(sized, plan.sizedLayers().size());
        assertEquals(atThree, plan.parameters(plan.uniformSizes(3)));
        assertEquals(atFive, plan.parameters(plan.uniformSizes(5)));
    }

    @Test
    void countsFollowFromShapes() {
        // 4 x 6 x 6 -> stride 2 -> 3 x 3 x 8 in 2 groups, then depthwise; sizes 5 and 3
        NetworkPlan plan = plan(
                "{\"type\": \"conv\", \"channels\": 8, \"stride\": 2, \"groups\": 2, \"bias\": true},"
                        + "{\"type\": \"batchNorm\"}, {\"type\": \"conv\", \"groups\": \"depthwise\", \"kmax\": 7},"
                        + "{\"type\": \"conv\", \"channels\": 5, \"kernel\": 3}" + HEAD,
                new Input(6, 6, 4, 3));
        int[] sizes = {5, 3};
        long fixed = 8 + 2 * 8 + 5 * 8 * 9 + 5 * 3 + 3;
        assertEquals(fixed, plan.fixedParameters());
        assertEquals(fixed + 8 * 2 * 25 + 8 * 9, plan.parameters(sizes));
        assertEquals(9L * (8 * 2 * 25 + 8 * 9 + 5 * 8 * 9) + 15, plan.multiplyAdds(sizes));
        assertArrayEquals(new int[] {7, 7}, plan.largestSizes());
        SizedLayer second = plan.sizedLayers().get(1);
        assertEquals(8, second.groups());
        assertEquals(3, second.height());
        assertEquals("conv2", second.name());
        assertEquals(9, second.fanIn(3));
    }

    @Test
    void kmaxFollowsTheImageAndDefaultsStayWithin() {
        NetworkPlan plan = plan(
                "{\"type\": \"conv\", \"channels\": 2, \"defaultKernel\": 5},"
                        + "{\"type\": \"pool\", \"kind\": \"average\", \"size\": 8},"
                        + "{\"type\": \"conv\", \"channels\": 2}" + HEAD,
                new Input(8, 9, 1, 2));
        assertArrayEquals(new int[] {9, 1}, plan.largestSizes());
        assertArrayEquals(new int[] {5, 1}, plan.defaultSizes());
        NetworkPlan large = plan("{\"type\": \"conv\", \"channels\": 2}" + HEAD, new Input(96, 96, 3, 2));
        assertArrayEquals(new int[] {33}, large.largestSizes());
    }

    /** A batch norm does what follows it in its list, and gives one image of values for both. */
    @Test
    void aBatchNormTakesOverTheReluBehindItAndTheSumOfItsBlock() {
        String conv = "{\"type\": \"conv\", \"channels\": 2}, ";
        String norm = "{\"type\": \"batchNorm\"}";
        String relu = ", {\"type\": \"relu\"}";
        assertEquals(2, images(conv + norm));
        assertEquals(2, images(conv + norm + relu));
        assertEquals(3, images(conv + norm + ", {\"type\": \"gelu\"}"));
        assertEquals(3, images(conv + norm + relu + relu));
        String repeated = "{\"type\": \"repeat\", \"times\": 1, \"layers\": [" + norm + "]}";
        assertEquals(3, images(conv + repeated + relu));
        String block = "{\"type\": \"residual\", \"activation\": \"relu\", \"body\": [";
        assertEquals(2, images(conv + block + norm + "]}"));
        assertEquals(2, images(conv + block + repeated + "]}"));
        assertEquals(3, images(conv + block + norm + relu + "]}"));
        assertEquals(3, images(conv + block + norm + "]}" + relu));
    }

    /** Images of values that a list of layers gives, all of 2 channels. */
    private static double images(String layers) {
        double head = 2 + 3;
        return (plan(layers + HEAD, new Input(8, 8, 1, 3)).values() - head) / (8 * 8 * 2);
    }

    @Test
    void repetitionsGetNamesOfTheirOwn() {
        List<String> names = Architecture.named("resnet20").plan(CIFAR).sizedLayers().stream()
                .map(SizedLayer::name)
                .toList();
        assertEquals("stem", names.get(0));
        assertEquals("stage1.1.block.conv1", names.get(1));
        assertEquals("stage1.3.block.conv2", names.get(6));
        assertEquals("stage2_entry.conv1", names.get(7));
        assertEquals(names.size(), names.stream().distinct().count());
    }

    @Test
    void smallImagesAreRefusedWithTheLeastExtent() {
        InvalidInput e = assertThrows(
                InvalidInput.class, () -> Architecture.named("lenet").plan(new Input(28, 3, 1, 10)));
        assertEquals(
                "images of 28 x 3 pixels are smaller than architecture lenet needs: layer pool2 sees 14 x 1 pixels and"
                        + " needs at least 2 x 2; expected at least 4 x 4",
                e.getMessage());
    }

    @Test
    void layersThatDoNotFitAreNamed() {
        String conv = "{\"type\": \"conv\", \"channels\": 4}";
        refused("layer conv1: 2 groups divide", "{\"type\": \"conv\", \"channels\": 4, \"groups\": 2}" + HEAD);
        refused(
                "layer residual1: its body gives 8 x 8 x 4, its shortcut 8 x 8 x 3; expected equal extents",
                "{\"type\": \"residual\", \"body\": [" + conv + "]}" + HEAD);
        refused(
                "layer batchNorm1: it follows a layer whose output is no image",
                conv + ", {\"type\": \"globalAveragePool\"}, {\"type\": \"batchNorm\"}");
        refused(
                "layer residual1.shortcut.conv1: two layers get this full name",
                "{\"type\": \"residual\", \"shortcut\": [" + conv + "], \"body\": ["
                        + "{\"type\": \"residual\", \"name\": \"shortcut\", \"body\": [" + conv + "], \"shortcut\": ["
                        + conv
                        + "]}]}" + HEAD);
        refused("ends with 8 x 8 x 4; expected 2 values", conv);
        refused("ends with 3 values; expected 2 values", conv + ", {\"type\": \"linear\", \"outputs\": 3}");
    }

    private static void refused(String part, String layers) {
        InvalidInput e = assertThrows(InvalidInput.class, () -> plan(layers, new Input(8, 8, 3, 2)));
        assertTrue(e.getMessage().contains(part), e.getMessage());
    }

    @Test
    void whatIsTooLargeIsNamedBeforeItIsMade() {
        String huge = "{\"type\": \"conv\", \"channels\": 65536}";
        refused(
                "mine.json: layer conv2: 4,294,967,296 weights; expected at most 500,000,000",
                huge + "," + huge + HEAD);
        refused(
                "mine.json: layer conv2.weight: 4,677,219,385,344 weights; expected at most 500,000,000",
                huge + "," + huge.replace("}", ", \"kernel\": 33}") + HEAD);
        refused(
                "mine.json: layer linear1: 1,073,741,824 weights; expected",
                huge + ", {\"type\": \"linear\", \"outputs\": 256}" + HEAD);
        refused(
                "mine.json: layer conv1: 1,099,511,627,776 values an image; expected at most 2,000,000,000",
                huge + HEAD,
                new Input(4096, 4096, 3, 2));
        String wide = "{\"type\": \"conv\", \"channels\": 20000, \"kernel\": 1}";
        refused(
                "mine.json: layer repeat1.25.conv1.weight: 10,000",
                wide + ", {\"type\": \"repeat\", \"times\": 99, \"layers\": [" + wide + "]}" + SIZED);
        String large = "{\"type\": \"conv\", \"channels\": 100}";
        refused(
                "multiply-adds an image with those before it, at kernel size 1; expected at most 10,000,000,000,000",
                large + ", {\"type\": \"repeat\", \"times\": 99, \"layers\": [" + large + "]}" + HEAD,
                new Input(4096, 4096, 3, 2));
    }

    private static final String SIZED = ", {\"type\": \"conv\", \"channels\": 1}" + HEAD;

    private static void refused(String part, String layers, Input input) {
        InvalidInput e = assertThrows(InvalidInput.class, () -> plan(layers, input));
        assertTrue(e.getMessage().contains(part), e.getMessage());
    }

    @Test
    void sizesThatMakeANetworkTooLargeAreRefused() {
        String wide = "{\"type\": \"conv\", \"channels\": 8192}";
        NetworkPlan plan = plan(wide + "," + wide + HEAD, new Input(8, 8, 3, 2));
        assertEquals(8192L * 8192 + 3 * 8192 + 2 * 8192 + 2, plan.parameters(new int[] {1, 1}));
        InvalidInput e = assertThrows(InvalidInput.class, () -> plan.checkSizes(new int[] {1, 3}));
        assertEquals(
                "mine.json: layer conv2 at kernel size 3: 603,979,776 weights; expected at most 500,000,000",
                e.getMessage());
        assertThrows(InvalidInput.class, plan::mostParameters);
    }

    @Test
    void manyWrongSizesMakeAShortMessage() {
        NetworkPlan plan = Architecture.named("planted3").plan(CIFAR);
        InvalidInput e = assertThrows(InvalidInput.class, () -> plan.checkSizes(new int[9000]));
        assertTrue(
                e.getMessage().matches("kernel sizes \\[(0, ){24}\\.\\.\\.] are 9000; expected 3, .*"), e.getMessage());
    }

    @Test
    void valuesOfOneImageAreThoseOfEveryOperation() {
        String block =
                "{\"type\": \"residual\", \"activation\": \"relu\", \"body\": [{\"type\": \"conv\", \"channels\": \"same\"}, {\"type\": \"batchNorm\"}]}";
        NetworkPlan plan = plan(
                "{\"type\": \"conv\", \"channels\": 4}, " + block + ", {\"type\": \"dropout\", \"rate\": 0}" + HEAD,
                new Input(8, 8, 3, 2));
        assertEquals(
                3 * 8 * 8 * 4 + 4 + 2, plan.values()); // two convolutions, the batch norm with the sum, pooling, logits
    }

    @Test
    void theLeastImageIsFoundForANetworkThatFitsNone() {
        refused(
                "needs at least 64 x 64; expected at least 64 x 64",
                "{\"type\": \"conv\", \"channels\": 4}, {\"type\": \"pool\", \"kind\": \"max\", \"size\": 64}" + HEAD);
    }

    @Test
    void imagesThatSomethingElseIsWrongWithAreNotAdvised() {
        // Body and shortcut agree on 2 and 3 pixels a side alone, and neither is enough for the last pooling.
        String residual =
                "{\"type\": \"residual\", \"body\": [{\"type\": \"pool\", \"kind\": \"max\", \"size\": 2, \"stride\": 1}],"
                        + "\"shortcut\": [{\"type\": \"conv\", \"channels\": \"same\", \"kernel\": 1, \"stride\": 2}]}";
        String pool = ", {\"type\": \"pool\", \"kind\": \"max\", \"size\": 3}";
        InvalidInput e = assertThrows(InvalidInput.class, () -> plan(residual + pool + SIZED, new Input(3, 3, 3, 2)));
        assertTrue(
                e.getMessage().contains("smaller than architecture")
                        && !e.getMessage().contains("expected at least"),
                e.getMessage());
        e = assertThrows(InvalidInput.class, () -> plan(residual + SIZED, new Input(1, 1, 3, 2)));
        assertTrue(e.getMessage().endsWith("; expected at least 2 x 2"), e.getMessage());
        // Half of the largest images are more than this one may have.
        e = assertThrows(
                InvalidInput.class,
                () -> plan("{\"type\": \"conv\", \"channels\": 1000}" + pool + HEAD, new Input(2, 2, 3, 2)));
        assertTrue(e.getMessage().endsWith("; expected at least 3 x 3"), e.getMessage());
    }

    @Test
    void wrongSizesAreRefused() {
        NetworkPlan plan = Architecture.named("planted3").plan(CIFAR);
        assertThrows(InvalidInput.class, () -> plan.parameters(new int[] {3, 3}));
        InvalidInput even = assertThrows(InvalidInput.class, () -> plan.parameters(new int[] {3, 4, 3}));
        assertEquals("kernel size of layer conv2 is 4; expected an odd number from 1 to 33", even.getMessage());
        assertThrows(InvalidInput.class, () -> plan.uniformSizes(35));
    }
}
