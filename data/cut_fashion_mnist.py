#!/usr/bin/env python3
"""Cuts the sample in fashion-mnist-sample/ out of Fashion-MNIST: the first images of each class, in the order of the files.

    python3 data/cut_fashion_mnist.py [SOURCE]

SOURCE is the folder with the four gzipped IDX files of Fashion-MNIST; the Debian package dataset-fashion-mnist puts them
into /usr/share/datasets/fashion-mnist, which is the default. Files are written beside this script. The same zlib gives
the same bytes; the unpacked content is the same everywhere.
"""

import gzip
import pathlib
import struct
import sys

CLASSES = 10
COUNTS = {"train": 10_000, "t10k": 2_000}


def read(path, magic, dimensions):
    """The dimensions and the bytes behind the header of a gzipped IDX file."""
    with gzip.open(path) as file:
        found, *sizes = struct.unpack(f">{1 + dimensions}I", file.read(4 * (1 + dimensions)))
        if found != magic:
            sys.exit(f"{path}: magic number {found:#010x}, expected {magic:#010x}")
        return sizes, file.read()


def write(path, magic, sizes, content):
    # neither time nor name in the gzip header: the file depends on its content only
    with open(path, "wb") as raw, gzip.GzipFile("", "wb", 9, raw, mtime=0) as file:
        file.write(struct.pack(f">{1 + len(sizes)}I", magic, *sizes) + content)


def main():
    source = pathlib.Path(sys.argv[1] if len(sys.argv) > 1 else "/usr/share/datasets/fashion-mnist")
    target = pathlib.Path(__file__).resolve().parent / "fashion-mnist-sample"
    for part, count in COUNTS.items():
        images_name, labels_name = f"{part}-images-idx3-ubyte.gz", f"{part}-labels-idx1-ubyte.gz"
        (_, height, width), pixels = read(source / images_name, 0x0803, 3)
        _, labels = read(source / labels_name, 0x0801, 1)
        left = [count // CLASSES] * CLASSES
        kept = []
        for index, label in enumerate(labels):
            if left[label]:
                left[label] -= 1
                kept.append(index)
        if len(kept) != count:
            sys.exit(f"{source / labels_name}: gives {len(kept)} images, expected {count}")
        each = height * width
        write(target / images_name, 0x0803, [count, height, width],
              b"".join(pixels[i * each:(i + 1) * each] for i in kept))
        write(target / labels_name, 0x0801, [count], bytes(labels[i] for i in kept))


if __name__ == "__main__":
    main()
