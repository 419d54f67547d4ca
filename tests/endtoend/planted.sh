#!/usr/bin/env bash
# Learns the kernel sizes of a planted network on planted data, under a price instead of a budget, and prints a line per run: the
# extent that the network sees (sizes - 1 summed over the layers, + 1) has to be the planted one or a ring, 2 pixels, more.
#
#   tests/endtoend/planted.sh [EXTENTS [SEEDS [ARCH [START]]]]      default: "3 5 7 9 11 13" "1 2 3 4 5" planted1 17
set -euo pipefail
home=$(cd -- "$(dirname -- "$(readlink -f -- "${BASH_SOURCE[0]}")")/../.." && pwd)
extents=${1:-3 5 7 9 11 13} seeds=${2:-1 2 3 4 5} arch=${3:-planted1} start=${4:-17}
out=$(mktemp -d)
trap 'rm -rf -- "$out"' EXIT
runs=0 good=0
for extent in $extents; do
    for seed in $seeds; do
        run=$out/$extent-$seed
        "$home/effconv" learn --data "planted:$extent" --arch "$arch" --budget auto --start-size "$start" --batch 64 \
            --epochs 24 --search-epochs 10 --no-compare --threads 1 --seed "$seed" --out "$run" >"$run.log" 2>&1 ||
            { cat "$run.log" >&2; exit 1; }
        line=$(awk -v s="$extent" '
            /\(soft/ {seen += $2 - 1; sizes = sizes " " $2; soft = soft " " substr($4, 1, length($4) - 1)}
            /^learned sizes/ {accuracy = $3}
            END {
                seen += 1
                good = seen >= s && seen <= s + 2 && accuracy >= 98
                printf "sizes%s (soft%s), sees %d, accuracy %s %%: %s", sizes, soft, seen, accuracy, good ? "good" : "missed"
            }' "$run/summary.txt")
        runs=$((runs + 1))
        [[ $line != *good ]] || good=$((good + 1))
        printf '%s extent %s seed %s: %s\n' "$arch" "$extent" "$seed" "$line"
    done
done
printf '%s of %s runs good\n' "$good" "$runs"
