"""Names that Python, or a module of PyTorch, has for itself."""

import keyword

from torch import nn

names = set(dir(nn.Module())) | set(dir(nn.ModuleDict())) | set(keyword.kwlist)
print(" ".join(sorted(names)))
