#!/usr/bin/env bash
# Learns the size of planted1's one sized layer on planted data, under a price instead of a budget, and prints a line per run.
#
#   tests/endtoend/planted.sh [EXTENT [START [SEEDS]]]      default: 9 13 5
set -euo pipefail
home=$(cd -- "$(dirname -- "$(readlink -f -- "${BASH_SOURCE[0]}")")/../.." && pwd)
extent=${1:-9} start=${2:-13} seeds=${3:-5}
out=$(mktemp -d)
trap 'rm -rf -- "$out"' EXIT
for seed in $(seq "$seeds"); do
    "$home/effconv" learn --data "planted:$extent" --arch planted1 --budget auto --start-size "$start" --batch 64 \
        --epochs 8 --search-epochs 10 --no-compare --seed "$seed" --out "$out/$seed" >"$out/$seed.log" 2>&1 ||
        { cat "$out/$seed.log" >&2; exit 1; }
    printf 'extent %s  start %s  seed %s ' "$extent" "$start" "$seed"
    awk '/\(soft/ {printf " size %s", $2} /^learned sizes/ {print "  " $3, $4, $5, $6}' "$out/$seed/summary.txt"
done
