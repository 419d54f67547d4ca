#!/usr/bin/env bash
# Holds the C++ and CUDA sources to .clang-format. They are formatted by version 14, and versions differ: what another one
# would change is shown and fails nothing. Skipped, with a line that says so, without clang-format or outside a git checkout.
# "tests/format.sh --fix" formats instead.
set -euo pipefail
cd -- "$(dirname -- "${BASH_SOURCE[0]}")/.."
readonly version=14

tool=$(command -v "clang-format-$version" || command -v clang-format) || {
    echo "C++ format: SKIPPED, clang-format is not installed"
    exit 0
}
git rev-parse --is-inside-work-tree >/dev/null 2>&1 || {
    echo "C++ format: SKIPPED, not a git checkout"
    exit 0
}
found=$("$tool" --version | sed -n 's/.*version \([0-9]*\).*/\1/p')
mapfile -d '' files < <(git ls-files -z '*.h' '*.cpp' '*.cu' '*.cuh')
if [[ ${1-} == --fix ]]; then
    exec "$tool" -i "${files[@]}"
elif "$tool" --dry-run -Werror "${files[@]}"; then
    echo "C++ format: ${#files[@]} files, clang-format $found"
elif [[ $found == "$version" ]]; then
    echo "C++ format: 'tests/format.sh --fix' formats" >&2
    exit 1
else
    echo "C++ format: NOT HELD, clang-format $found would change the above; $version is what counts"
fi
