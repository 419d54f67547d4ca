"""compiles.py FILE...: says nothing if all are Python."""

import sys

for path in sys.argv[1:]:
    with open(path, encoding="utf-8") as file:
        compile(file.read(), path, "exec")
