package org.effconv.train;

import com.fasterxml.jackson.databind.node.ObjectNode;
import java.nio.ByteBuffer;
import org.effconv.data.Dataset;
import org.effconv.data.Images;
import org.effconv.io.Digest;
import org.effconv.io.Json;

/**
 * What a dataset is, wherever it lies and whatever it is called there: equal for equal images, labels and classes of
 * every part.
 */
public final class DataIdentity {
    private DataIdentity() {}

    /** Sizes, statistics, names of the classes, and a digest of each part. */
    public static ObjectNode of(Dataset data) {
        ObjectNode json = Json.object();
        json.put("height", data.height()).put("width", data.width()).put("channels", data.channels());
        json.set("classNames", Json.tree(data.classNames()));
        json.set("mean", Json.tree(data.mean()));
        json.set("std", Json.tree(data.std()));
        json.set("train", part(data.train()));
        data.validation().ifPresent(images -> json.set("validation", part(images)));
        json.set("test", part(data.test()));
        return json;
    }

    /** The same in 16 digits. */
    public static String digest(Dataset data) {
        return Digest.of(Json.line(of(data)));
    }

    // A checksum of each image, and a digest of these with the labels: as quick as a checksum, and with 32 bits for
    // every image none that
    // changes goes unnoticed by accident.
    private static ObjectNode part(Images images) {
        ByteBuffer sums = ByteBuffer.allocate(images.count() * 2 * Integer.BYTES);
        for (int i = 0; i < images.count(); i++) {
            sums.putInt(images.label(i)).putInt(images.checksum(i));
        }
        return Json.object().put("images", images.count()).put("digest", Digest.of(sums.array()));
    }
}
