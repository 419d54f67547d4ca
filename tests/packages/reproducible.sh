#!/usr/bin/env bash
# Builds the current commit twice, in fresh clones with names of different length, and compares every jar and the zip byte
# by byte. Takes two whole builds, so .ci/run leaves it out.
#
#   tests/packages/reproducible.sh [MAVEN_OPTIONS...]      default: -Prelease, which needs the network
set -euo pipefail
home=$(cd -- "$(dirname -- "$(readlink -f -- "${BASH_SOURCE[0]}")")/../.." && pwd)
[[ $# -gt 0 ]] || set -- -Prelease
folder=$(mktemp -d)
trap 'rm -rf -- "$folder"' EXIT
modules=java/bom,java/core,java/export,java/onnx,java/report,java/cli
[[ " $* " != *" -Prelease "* ]] || modules+=,java/dist

for clone in one another/with-a-longer-name; do
    git clone -q "$home" "$folder/$clone"
    (cd "$folder/$clone" && mvn -q -B -Dmaven.test.skip=true -pl "$modules" "$@" package >"$folder/log" 2>&1) ||
        { tail -n 40 "$folder/log" >&2; exit 1; }
done
cd "$folder/one"
differ=0 same=0
while IFS= read -r file; do
    if cmp -- "$file" "../another/with-a-longer-name/$file"; then
        same=$((same + 1))
        sha256sum "$file"
    else
        differ=$((differ + 1))
    fi
done < <(find java -path '*/target/*' -maxdepth 4 \( -name '*.jar' -o -name '*.zip' -o -name 'bom.*' \) | sort)
printf 'reproducible: %d files are equal, %d differ (commit %s)\n' "$same" "$differ" "$(git rev-parse --short HEAD)"
[[ $differ == 0 && $same -gt 0 ]]
