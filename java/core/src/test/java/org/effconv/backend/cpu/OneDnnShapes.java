package org.effconv.backend.cpu;

import java.util.ArrayList;
import java.util.List;
import java.util.Random;
import org.effconv.backend.ConvolutionCase;

/**
 * The shapes over which every oneDNN operation is checked: a grid of channels, of images and of groups, and drawn ones.
 * A shape of one pixel and size 1 stands for a linear layer as well.
 */
final class OneDnnShapes {
    private static final int MOST_CHANNELS = 48;
    private static final int MOST_EXTENT = 33;
    private static final int DRAWN = 4000;
    private static final long MOST_WORK = 400_000;
    // As many as meet every one of four kernels in turn.
    private static final int[][] IMAGES = {
        {1, 1}, {2, 2}, {3, 3}, {5, 4}, {7, 7}, {8, 8}, {9, 13}, {16, 16}, {4, 17}, {1, 9}, {12, 2}, {33, 31}, {32, 32}
    };
    private static final int[] SIZES = {1, 3, 5, 7, 11, 15};

    private final List<ConvolutionCase> all = new ArrayList<>();
    private final Random random = new Random(6035);

    private OneDnnShapes() {
        channels();
        images();
        groups();
        linear();
        drawn();
    }

    /** Every one of them, always in the same order: 17,004. */
    static List<ConvolutionCase> all() {
        return new OneDnnShapes().all;
    }

    /**
     * One in so many of them, and one in seven of those that strides leave much of and that have less than a vector of
     * channels: 1 x 1 kernels over images of 900 pixels and more.
     *
     * @param oneIn odd, as the kernels of the grid take turns by four
     */
    static List<ConvolutionCase> some(int oneIn) {
        List<ConvolutionCase> some = new ArrayList<>();
        List<ConvolutionCase> all = all();
        for (int i = 0; i < all.size(); i++) {
            ConvolutionCase c = all.get(i);
            boolean narrowStridedPointwise = c.size() == 1 && c.stride() > 1 && c.c() < 16 && c.h() * c.w() >= 900;
            if (i % (narrowStridedPointwise ? 7 : oneIn) == 0) {
                some.add(c);
            }
        }
        return some;
    }

    private void channels() {
        int next = 0;
        for (int c = 1; c <= MOST_CHANNELS; c++) {
            for (int k = 1; k <= MOST_CHANNELS; k++) {
                for (int[] kernel : new int[][] {{1, 1}, {1, 2}, {3, 1}, {3, 2}}) {
                    int[] image = IMAGES[next++ % IMAGES.length];
                    add(1 + random.nextInt(3), c, k, image[0], image[1], kernel[0], kernel[1], 1);
                }
            }
        }
    }

    private void images() {
        for (int h = 1; h <= MOST_EXTENT; h++) {
            for (int w : new int[] {h, MOST_EXTENT + 1 - h, 1}) {
                for (int size : SIZES) {
                    for (int stride = 1; stride <= 2; stride++) {
                        add(1, 1 + random.nextInt(24), 1 + random.nextInt(24), h, w, size, stride, 1);
                    }
                }
            }
        }
    }

    private void groups() {
        for (int c = 2; c <= MOST_CHANNELS; c++) {
            for (int groups = 2; groups <= c; groups++) {
                for (int i = 0; c % groups == 0 && i < 8; i++) {
                    int[] image = IMAGES[random.nextInt(IMAGES.length)];
                    int k = groups * (groups == c ? 1 + random.nextInt(2) : 1 + random.nextInt(c / groups));
                    add(1 + random.nextInt(3), c, k, image[0], image[1], SIZES[i / 2], 1 + i % 2, groups);
                }
            }
        }
    }

    private void linear() {
        for (int inputs = 1; inputs <= 70; inputs++) {
            for (int i = 0; i < 20; i++) {
                add(i < 5 ? 1 : 1 + random.nextInt(40), inputs, 1 + random.nextInt(MOST_CHANNELS), 1, 1, 1, 1, 1);
            }
        }
    }

    private void drawn() {
        for (int i = 0; i < DRAWN; i++) {
            int groups = random.nextInt(4) == 0 ? 1 + random.nextInt(6) : 1;
            int c = groups * (1 + random.nextInt(MOST_CHANNELS / groups));
            int k = groups * (1 + random.nextInt(MOST_CHANNELS / groups));
            add(
                    1 + random.nextInt(36),
                    c,
                    k,
                    1 + random.nextInt(MOST_EXTENT),
                    1 + random.nextInt(MOST_EXTENT),
                    1 + 2 * random.nextInt(17),
                    1 + random.nextInt(2),
                    groups);
        }
    }

    // Of too much work for the reference: fewer images, then smaller ones.
    private void add(int n, int c, int k, int h, int w, int size, int stride, int groups) {
        ConvolutionCase next =
                new ConvolutionCase(n, c, k, h, w, size, stride, groups, random.nextBoolean(), random.nextLong());
        if (next.work() <= MOST_WORK) {
            all.add(next);
        } else if (n > 1) {
            add((n + 1) / 2, c, k, h, w, size, stride, groups);
        } else if (h > 1 || w > 1) {
            add(n, c, k, (h + 1) / 2, (w + 1) / 2, size, stride, groups);
        } else {
            all.add(next);
        }
    }
}
