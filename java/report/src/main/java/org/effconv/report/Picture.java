package org.effconv.report;

import java.awt.Graphics2D;
import java.awt.RenderingHints;
import java.awt.image.BufferedImage;
import java.io.ByteArrayOutputStream;
import java.io.IOException;
import java.io.UncheckedIOException;
import java.nio.ByteBuffer;
import java.util.Base64;
import javax.imageio.ImageIO;
import org.effconv.data.Images;

/**
 * A small PNG within the page.
 *
 * @param source as a data URI
 * @param width to be shown at, in CSS pixels
 */
record Picture(String source, int width, int height) {
    private static final int SHOWN = 96; // pixels of the longer side of an image

    static Picture of(BufferedImage image, int scale) {
        ByteArrayOutputStream png = new ByteArrayOutputStream();
        try {
            ImageIO.write(image, "png", png);
        } catch (IOException e) {
            throw new UncheckedIOException(e);
        }
        return new Picture(
                "data:image/png;base64," + Base64.getEncoder().encodeToString(png.toByteArray()),
                image.getWidth() * scale,
                image.getHeight() * scale);
    }

    /** Image {@code i}, made smaller if it is large. */
    static Picture of(Images images, int i) {
        int h = images.height();
        int w = images.width();
        BufferedImage image = new BufferedImage(w, h, BufferedImage.TYPE_INT_RGB);
        int channels = images.channels();
        ByteBuffer pixels = ByteBuffer.allocate(images.imageBytes());
        images.copyTo(i, pixels, 0); // once: it may have to be read
        for (int p = 0; p < h * w; p++) {
            int rgb = 0;
            for (int c = 0; c < 3; c++) { // a grey image has one channel
                rgb = rgb << 8 | pixels.get(p * channels + Math.min(c, channels - 1)) & 0xff;
            }
            image.setRGB(p % w, p / w, rgb);
        }
        int longer = Math.max(h, w);
        return longer > SHOWN ? of(smaller(image, (double) SHOWN / longer), 1) : of(image, SHOWN / longer);
    }

    private static BufferedImage smaller(BufferedImage image, double by) {
        int w = (int) Math.max(1, Math.round(image.getWidth() * by));
        int h = (int) Math.max(1, Math.round(image.getHeight() * by));
        BufferedImage result = new BufferedImage(w, h, BufferedImage.TYPE_INT_RGB);
        Graphics2D g = result.createGraphics();
        g.setRenderingHint(RenderingHints.KEY_INTERPOLATION, RenderingHints.VALUE_INTERPOLATION_BICUBIC);
        g.drawImage(image, 0, 0, w, h, null);
        g.dispose();
        return result;
    }
}
