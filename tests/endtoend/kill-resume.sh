#!/usr/bin/env bash
# Kills a run with SIGKILL at random moments, lets it go on each time, and compares its end with that of an unbroken run.
#
#   tests/endtoend/kill-resume.sh [KILLS [SEED [ARGUMENT OF LEARN...]]]
set -euo pipefail

kills=${1:-10}
RANDOM=${2:-1}
shift $(($# < 2 ? $# : 2))
home=$(dirname -- "$(readlink -f -- "${BASH_SOURCE[0]}")")/../..
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
arguments=("$@")
[[ $# -gt 0 ]] || arguments=(--arch planted3 --data planted:5,train=2000,test=200 --epochs 6 --search-fraction 1 --threads 1)

"$home/effconv" --version # builds, if there is something to build
export EFFCONV_NO_BUILD=1
start=$(date +%s%N)
"$home/effconv" learn "${arguments[@]}" --out "$work/whole"
whole_ms=$((($(date +%s%N) - start) / 1000000))
echo "unbroken run: $whole_ms ms; killing $kills times"

next=(learn "${arguments[@]}" --out "$work/broken")
done_kills=0
while ((done_kills < kills)); do
    # An eighth of the run is mostly start-up; what is left moves the run on by a sixth of its time on average.
    ms=$((whole_ms / 8 + (RANDOM * 32768 + RANDOM) % (whole_ms / 3)))
    "$home/effconv" "${next[@]}" >>"$work/log" 2>&1 &
    pid=$!
    sleep "$(printf '%d.%03d' $((ms / 1000)) $((ms % 1000)))"
    if ! kill -9 "$pid" 2>/dev/null; then
        wait "$pid" || { tail -n 5 "$work/log"; echo "a resumed run failed"; exit 1; }
        echo "the run ended before kill $((done_kills + 1)); starting it anew"
        rm -rf "$work/broken"
    else
        wait "$pid" 2>/dev/null || true
        done_kills=$((done_kills + 1))
        lines=0
        [[ -f $work/broken/metrics.jsonl ]] && lines=$(wc -l <"$work/broken/metrics.jsonl")
        echo "kill $done_kills after $ms ms, $lines epochs done"
    fi
    if [[ -f $work/broken/config.json ]]; then
        next=(learn --resume "$work/broken")
    else
        rm -rf "$work/broken"
        next=(learn "${arguments[@]}" --out "$work/broken")
    fi
done
"$home/effconv" "${next[@]}" >>"$work/log" 2>&1

for file in model.safetensors sizes.json; do
    cmp "$work/whole/$file" "$work/broken/$file"
done
strip='s/"\(seconds\|imagesPerSecond\|peakRssBytes\)":[^,}]*//g'
diff <(sed "$strip" "$work/whole/metrics.jsonl") <(sed "$strip" "$work/broken/metrics.jsonl")
echo "bit-equal after $kills kills: model.safetensors, sizes.json, metrics"
