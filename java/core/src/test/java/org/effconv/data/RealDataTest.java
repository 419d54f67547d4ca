package org.effconv.data;

import static org.junit.jupiter.api.Assertions.assertArrayEquals;
import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assumptions.assumeTrue;

import java.nio.file.Files;
import java.nio.file.Path;
import java.util.Arrays;
import java.util.stream.IntStream;
import org.junit.jupiter.api.Test;

/** Published datasets, where the system property effconv.testdata (or ../shared/data beside the project) has them. */
class RealDataTest {
    @Test
    void readsMnist() {
        Dataset mnist = Datasets.open(folder("mnist").toString());
        assertEquals(60_000, mnist.train().count());
        assertEquals(10_000, mnist.test().count());
        assertEquals(10, mnist.classes());
        // what every user of MNIST knows: first label 5, mean 0.1307, standard deviation 0.3081
        assertEquals(5, mnist.train().label(0));
        assertEquals(7, mnist.test().label(0));
        assertEquals(0.1307, mnist.mean()[0], 5e-5);
        assertEquals(0.3081, mnist.std()[0], 5e-5);
    }

    @Test
    void readsCifarFromZips() {
        Dataset cifar = Datasets.open(folder("cifar10-jpeg").toString());
        assertEquals("airplane", cifar.classNames().get(0));
        assertEquals(50_000, cifar.train().count());
        assertEquals(10_000, cifar.test().count());
        assertEquals(3, cifar.channels());
        int[] perClass = new int[10];
        IntStream.range(0, 50_000).forEach(i -> perClass[cifar.train().label(i)]++);
        assertArrayEquals(IntStream.generate(() -> 5000).limit(10).toArray(), perClass);
        // of the original pixels: mean 0.4914 0.4822 0.4465, standard deviation 0.2470 0.2435 0.2616; these are
        // re-compressed
        float[] mean = cifar.mean();
        float[] std = cifar.std();
        for (int c = 0; c < 3; c++) {
            assertEquals(new double[] {0.4914, 0.4822, 0.4465}[c], mean[c], 0.004, Arrays.toString(mean));
            assertEquals(new double[] {0.2470, 0.2435, 0.2616}[c], std[c], 0.004, Arrays.toString(std));
        }
    }

    private static Path folder(String name) {
        String property = System.getProperty("effconv.testdata");
        Path all = property != null
                ? Path.of(property)
                : Sample.folder()
                        .getParent()
                        .getParent()
                        .resolveSibling("shared")
                        .resolve("data");
        Path folder = all.resolve(name);
        assumeTrue(Files.isDirectory(folder), folder + " is not here; -Deffconv.testdata=<folder> says where it is");
        return folder;
    }
}
