"""logits.py PROGRAM CHANNELS HEIGHT WIDTH FOLDER...: what each folder's program says of the images in its file pixels."""

import importlib.util
import sys
from array import array
from pathlib import Path

program, shape, folders = sys.argv[1], [int(a) for a in sys.argv[2:5]], sys.argv[5:]


def pytorch(module, path):
    import torch

    torch.set_num_threads(1)
    network = module.load()
    assert not network.training
    weights = module.read_safetensors(path / "model.safetensors")
    assert len(network.state_dict()) == len(weights), set(network.state_dict()) ^ set(weights)
    if not hasattr(module, "RENAMED"):
        network.load_state_dict(weights, strict=True)
    pixels = torch.frombuffer(bytearray((path / "pixels").read_bytes()), dtype=torch.float32)
    with torch.no_grad():
        return network(pixels.reshape(-1, *shape)).flatten().tolist()


def keras(module, path):
    import numpy as np

    network = module.load()
    pixels = np.fromfile(path / "pixels", dtype=np.float32)
    return np.asarray(network(pixels.reshape(-1, *shape))).ravel().tolist()


for folder in folders:
    path = Path(folder)
    spec = importlib.util.spec_from_file_location("exported", path / program)
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    logits = (pytorch if program == "model.py" else keras)(module, path)
    (path / "logits").write_bytes(array("f", logits).tobytes())
