#!/usr/bin/env bash
# Builds the kernels for this machine's card, runs every kernel test on it, then compute-sanitizer on a short set, then the
# benchmark (in pairs with cuDNN where PyTorch is importable). One folder of results, one table, under nine minutes.
#
#   tests/gpu/run.sh [results-folder]      default: gpu-results/<date>-<card>
#
# Needs nvcc, CMake 3.25, a C++17 compiler and an NVIDIA GPU. Exit status: 0 when everything passed, 1 when something
# failed, 3 when this machine cannot run it. EFFCONV_GPU_BUILD names the build folder (default build/gpu).
set -uo pipefail

root=$(cd "$(dirname "${BASH_SOURCE[0]}")/../.." && pwd)
build=${EFFCONV_GPU_BUILD:-$root/build/gpu}
readonly limit=530  # seconds for everything
failures=0

cannot() {
  echo "cannot run the GPU tests: $1" >&2
  exit 3
}

left() { echo $((limit - SECONDS)); }

# record <row> <name> <status text>: one line of the table, kept in summary.txt.
record() {
  printf '%-12s %-44s %s\n' "$1" "$2" "$3" | tee -a "$results/summary.txt"
  case $3 in passed* | left\ out*) ;; *) failures=$((failures + 1)) ;; esac
}

# step <row> <name> <seconds at most> <log file> <command...>: runs within what is left of the time.
step() {
  local row=$1 name=$2 most=$3 log=$4 seconds start status
  shift 4
  seconds=$(left)
  if [ "$seconds" -le 5 ]; then
    record "$row" "$name" "not run: the $limit seconds are used up"
    return 1
  fi
  [ "$seconds" -gt "$most" ] && seconds=$most
  start=$SECONDS
  timeout --kill-after=5 "$seconds" "$@" >"$log" 2>&1
  status=$?
  case $status in
    0) record "$row" "$name" "passed ($((SECONDS - start)) s)" ;;
    77) record "$row" "$name" "FAILED: skipped, no card was found (see $log)" ;;
    124 | 137) record "$row" "$name" "FAILED: stopped after $seconds s (see $log)" ;;
    *) record "$row" "$name" "FAILED: status $status (see $log)" ;;
  esac
  return $status
}

# Tests of a family that are short enough for compute-sanitizer and reach all of its kernels.
short_tests() {
  case $1 in
    weight_synthesis) echo edges ;;
    size_predictor) echo code_gradients ;;
    depthwise_conv | dense_conv) echo small_and_awkward ;;
    optimizer) echo norm_of_many_chunks ;;
    batch_norm | pool | softmax_loss | augment | elementwise | channel_sums | layer_norm | gru | size_head | coordinate_features)
      echo chosen_shapes ;;
    *) echo "" ;;
  esac
}

require_machine() {
  command -v nvcc >/dev/null || cannot "nvcc is not in PATH"
  command -v cmake >/dev/null || cannot "cmake is not in PATH"
  command -v nvidia-smi >/dev/null || cannot "nvidia-smi is not in PATH: is there an NVIDIA GPU and its driver?"
  card=$(nvidia-smi --query-gpu=name --format=csv,noheader -i 0) || cannot "nvidia-smi finds no GPU: $card"
  capability=$(nvidia-smi --query-gpu=compute_cap --format=csv,noheader -i 0 | tr -d '. \n')
  driver=$(nvidia-smi --query-gpu=driver_version --format=csv,noheader -i 0)
  [[ $capability =~ ^[0-9]+$ ]] || cannot "nvidia-smi says no compute capability: $capability"
}

describe_machine() {
  local commit
  commit=$(git -C "$root" describe --always --dirty --abbrev=12 2>/dev/null || echo unknown)
  {
    echo "card:    $card (sm_$capability)"
    echo "driver:  $driver"
    echo "nvcc:    $(nvcc --version | tail -2 | head -1)"
    echo "commit:  $commit"
    echo "date:    $(date -u +%Y-%m-%dT%H:%M:%SZ)"
    echo "machine: $(uname -srm), $(nproc) processors"
  } | tee "$results/machine.txt"
}

build_for_card() {
  step build "configure for sm_$capability" 60 "$results/configure.txt" \
    cmake -S "$root/cuda" -B "$build" -DCMAKE_BUILD_TYPE=Release -DEFFCONV_CUDA=ON "-DEFFCONV_CUDA_TARGETS=$capability" \
    -DEFFCONV_BUILD_TESTS=ON -DEFFCONV_BUILD_GPU_TESTS=ON "-DCMAKE_CUDA_ARCHITECTURES=$capability" || return 1
  step build "kernels, tests, benchmark" 300 "$results/build.txt" \
    cmake --build "$build" --target effconv_gpu_tests effconv_kernel_bench -j "$(nproc)"
}

test_families() {
  local program family
  mkdir -p "$results/tests"
  for program in "$build"/tests/*_test_gpu; do
    family=$(basename "$program" _test_gpu)
    step test "$family" 120 "$results/tests/$family.txt" "$program"
  done
}

sanitize_families() {
  local program family tool
  if ! command -v compute-sanitizer >/dev/null; then
    record sanitizer all "FAILED: compute-sanitizer is not in PATH"
    return
  fi
  mkdir -p "$results/sanitizer"
  for tool in memcheck racecheck; do
    for program in "$build"/tests/*_test_gpu; do
      family=$(basename "$program" _test_gpu)
      step "$tool" "$family" 60 "$results/sanitizer/$tool-$family.txt" \
        compute-sanitizer --tool "$tool" --error-exitcode 9 "$program" --filter "$(short_tests "$family")"
    done
  done
}

benchmark() {
  local bench=$build/bench/effconv_kernel_bench round
  step bench "paper, depthwise, synthesis" 150 "$results/bench.txt" \
    "$bench" --suite paper --suite depthwise --suite synthesis --csv "$results/bench.csv" --json "$results/bench.json"
  if ! python3 -c 'import torch' 2>/dev/null; then
    record cudnn "pairs with cuDNN" "left out: PyTorch is not importable"
    return
  fi
  # A B A B: clocks and temperature drift, so each round holds both.
  for round in 1 2; do
    step bench "paper, round $round" 60 "$results/bench-$round.txt" "$bench" --suite paper --json "$results/bench-$round.json"
    step cudnn "paper, round $round" 60 "$results/cudnn-$round.txt" \
      python3 "$root/tests/gpu/time_cudnn.py" "$results/bench-$round.json" "$results/cudnn-$round.csv"
  done
}

require_machine
results=${1:-$root/gpu-results/$(date -u +%Y-%m-%d-%H%M%S)-$(tr -cs 'A-Za-z0-9\n' '-' <<<"$card")}
mkdir -p "$results" || cannot "the folder $results cannot be made"
: >"$results/summary.txt"
describe_machine
if build_for_card; then
  test_families
  sanitize_families
  benchmark
fi
{
  echo
  if [ "$failures" -eq 0 ]; then echo "all passed in $SECONDS s"; else echo "$failures FAILED, $SECONDS s"; fi
} | tee -a "$results/summary.txt"
echo "results: $results"
[ "$failures" -eq 0 ]
