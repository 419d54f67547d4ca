#!/usr/bin/env python3
"""Cuts samples of datasets for the folder that tests/gpu/pack.sh makes: the first images of each class, in the order of the files.

    cut_images.py idx SOURCE TARGET TRAIN TEST     four gzipped IDX files, such as MNIST
    cut_images.py zip SOURCE TARGET TRAIN TEST     train.zip and test.zip, one folder of JPEGs per class, such as CIFAR-10 (JPEG)

TRAIN and TEST are numbers of images in all.
"""

import gzip
import pathlib
import struct
import sys
import zipfile


def cut_idx(source, target, counts):
    for part, count in zip(("train", "t10k"), counts):
        images_name, labels_name = f"{part}-images-idx3-ubyte.gz", f"{part}-labels-idx1-ubyte.gz"
        with gzip.open(source / images_name) as file:
            magic, total, height, width = struct.unpack(">4I", file.read(16))
            pixels = file.read()
        with gzip.open(source / labels_name) as file:
            labels_magic, _ = struct.unpack(">2I", file.read(8))
            labels = file.read()
        classes = max(labels) + 1
        left = [count // classes] * classes
        kept = []
        for index in range(total):
            if left[labels[index]]:
                left[labels[index]] -= 1
                kept.append(index)
        each = height * width
        with gzip.open(target / images_name, "wb") as file:
            file.write(struct.pack(">4I", magic, len(kept), height, width))
            file.write(b"".join(pixels[i * each:(i + 1) * each] for i in kept))
        with gzip.open(target / labels_name, "wb") as file:
            file.write(struct.pack(">2I", labels_magic, len(kept)) + bytes(labels[i] for i in kept))


def cut_zip(source, target, counts):
    for name, count in zip(("train.zip", "test.zip"), counts):
        with zipfile.ZipFile(source / name) as archive, zipfile.ZipFile(target / name, "w", zipfile.ZIP_STORED) as out:
            by_class = {}
            for entry in sorted(e for e in archive.namelist() if e.lower().endswith((".jpg", ".jpeg", ".png"))):
                by_class.setdefault(entry.split("/")[-2], []).append(entry)
            for entries in by_class.values():
                for entry in entries[:count // len(by_class)]:
                    out.writestr(entry, archive.read(entry))


def main():
    if len(sys.argv) != 6 or sys.argv[1] not in ("idx", "zip"):
        sys.exit(__doc__)
    source, target = pathlib.Path(sys.argv[2]), pathlib.Path(sys.argv[3])
    target.mkdir(parents=True, exist_ok=True)
    (cut_idx if sys.argv[1] == "idx" else cut_zip)(source, target, [int(n) for n in sys.argv[4:]])


if __name__ == "__main__":
    main()
