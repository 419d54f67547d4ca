#!/usr/bin/env bash
# Unpacks the zip into an empty folder and uses it with nothing on PATH but a Java runtime, sh and coreutils; then times
# --help and info. Times are printed and not judged: they are the machine's as well.
#
#   tests/packages/zip.sh [ZIP [JAVA_HOME]]        after: mvn -Prelease -DskipTests package
set -euo pipefail
home=$(cd -- "$(dirname -- "$(readlink -f -- "${BASH_SOURCE[0]}")")/../.." && pwd)
zip=${1:-$(ls "$home"/java/dist/target/effconv-*.zip)}
java=${2:-$(dirname -- "$(dirname -- "$(readlink -f -- "$(command -v java)")")")}
folder=$(mktemp -d)
trap 'rm -rf -- "$folder"' EXIT

mkdir "$folder/bin" "$folder/unpacked" "$folder/elsewhere"
for tool in sh uname readlink dirname id; do
    ln -s "$(command -v "$tool")" "$folder/bin/$tool"
done
command -v unzip >/dev/null || { echo "zip: SKIPPED, unzip is missing"; exit 0; }
unzip -q "$zip" -d "$folder/unpacked"
unpacked=$(echo "$folder"/unpacked/effconv-*)
cd "$folder/elsewhere"
effconv() {
    env -i PATH="$folder/bin:$java/bin" EFFCONV_JAVA_OPTS="-Dorg.bytedeco.javacpp.cachedir=$folder/cache" \
        "$unpacked/bin/effconv" "$@"
}
# expect PATTERN COMMAND...: the command ends well and prints a line like this.
expect() {
    local pattern=$1
    shift
    "$@" >"$folder/log" 2>&1 || { echo "zip: '$*' failed:" >&2; cat "$folder/log" >&2; exit 1; }
    grep -qE -- "$pattern" "$folder/log" || { echo "zip: '$*': expected '$pattern' in:" >&2; cat "$folder/log" >&2; exit 1; }
}

for file in LICENSE README.md THIRD-PARTY.txt sbom.cyclonedx.json completion/effconv-completion.bash data/fashion-mnist-sample/LICENSE docs/tutorial.md; do
    [[ -s $unpacked/$file ]] || { echo "zip: $file is missing" >&2; exit 1; }
done
bash -n "$unpacked/completion/effconv-completion.bash"
ln -s "$unpacked/bin/effconv" linked
expect '^effconv [0-9]' env -i PATH="$folder/bin:$java/bin" ./linked --version
expect '^Usage: effconv ' effconv --help
expect '^device cpu +there' effconv info
expect 'test accuracy' effconv learn --epochs 1 --train-images 500 --test-images 100 --threads 1 --out run
expect 'output logits' effconv export run
echo "zip: learn, export, info and --help run on $("$java/bin/java" -version 2>&1 | head -n 1)"

median() {
    for _ in 1 2 3 4 5; do
        TIMEFORMAT='%R %U %S'
        { time effconv "$@" >/dev/null; } 2>&1
    done | sort -n | sed -n '3s/\(.*\) \(.*\) \(.*\)/\1 s (processor \2 + \3 s)/p'
}
for command in --help info; do
    echo "zip: $command: $(median "$command"), the median of 5; load $(cut -d' ' -f1 /proc/loadavg)"
done
