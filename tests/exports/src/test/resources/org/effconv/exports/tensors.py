"""tensors.py FILE: names, types, shapes and sums of a safetensors file, as JSON, by the standard library alone."""

import json
import struct
import sys

with open(sys.argv[1], "rb") as file:
    (length,) = struct.unpack("<Q", file.read(8))
    header = json.loads(file.read(length))
    values = file.read()
tensors = {}
for name, entry in header.items():
    if name == "__metadata__":
        tensors[name] = entry
        continue
    begin, end = entry["data_offsets"]
    letter, size = {"F32": ("f", 4), "I64": ("q", 8)}[entry["dtype"]]
    assert (8 + length + begin) % size == 0, name
    total = 0.0
    for value in struct.unpack(f"<{(end - begin) // size}{letter}", values[begin:end]):
        total += value
    tensors[name] = {"dtype": entry["dtype"], "shape": entry["shape"], "sum": total}
print(json.dumps(tensors))
