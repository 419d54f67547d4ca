package org.effconv.data;

import static org.effconv.data.DataFiles.invalid;

/**
 * How images come to one size: either they have it, or their middle square is cut out and {@linkplain Scaling scaled}.
 */
final class ImageFit {
    private static final int MAX_PIXELS = 1 << 26; // of an image that is scaled: phone cameras give up to 50 million

    private final ImageDecoder.Header size;
    private final String reason; // why an image must have the size; null: it is scaled to it

    private ImageFit(ImageDecoder.Header size, String reason) {
        this.size = size;
        this.reason = reason;
    }

    /** Of the size of that image. */
    static ImageFit like(ImageItem first) {
        try (ImageDecoder decoder = new ImageDecoder()) {
            ImageDecoder.Header size = decoder.header(first.where(), first.bytes());
            Images.imageBytes(first.where(), size.height(), size.width(), 3);
            return new ImageFit(size, "as " + first.where());
        }
    }

    /** Of a size that is known. */
    static ImageFit of(ImageDecoder.Header size) {
        return new ImageFit(size, "as asked for");
    }

    /** Scaled to a square of that many pixels a side. */
    static ImageFit square(int side) {
        return new ImageFit(new ImageDecoder.Header(side, side), null);
    }

    ImageDecoder.Header size() {
        return size;
    }

    /** Bytes of an image in colour. */
    int bytes() {
        return 3 * size.height() * size.width();
    }

    /**
     * Decodes an image to {@code target} from {@code offset} on, (H, W, 3).
     *
     * @return whether it is grey
     */
    boolean decode(ImageDecoder decoder, String where, byte[] file, byte[] target, int offset) {
        ImageDecoder.Decoded decoded = decoder.decode(where, file, found -> {
            if (found.equals(size)) {
                return new ImageDecoder.Slot(target, offset);
            }
            if (reason != null) {
                throw invalid(
                        where,
                        "image size " + found.height() + "x" + found.width() + ", expected " + size.height() + "x"
                                + size.width() + " " + reason + ", or --image-size to scale all images to one size");
            }
            if ((long) found.height() * found.width() > MAX_PIXELS) {
                throw invalid(
                        where,
                        "image size " + found.height() + "x" + found.width() + ", expected at most " + MAX_PIXELS
                                + " pixels");
            }
            return new ImageDecoder.Slot(new byte[3 * found.height() * found.width()], 0);
        });
        if (!decoded.size().equals(size)) {
            Scaling.square(
                    decoded.bytes(), decoded.size().height(), decoded.size().width(), 3, size.height(), target, offset);
        }
        return decoded.grey();
    }
}
