#!/usr/bin/env bash
# Builds the kernels for this machine's card, runs every kernel test on it, then compute-sanitizer on a short set, then the
# benchmark (in pairs with cuDNN where PyTorch is importable). With a folder made by tests/gpu/pack.sh it also runs the Java part:
# the contract suite, the main job on MNIST, search and training of FlexNet-7 on CIFAR-10 (JPEG), 'effconv bench'. One folder of
# results, one table at the end, under nine minutes.
#
#   tests/gpu/run.sh [--java FOLDER [--java-only]] [--try-on-cpu] [results-folder]
#
#   --java FOLDER   what pack.sh made, unpacked
#   --java-only     leave the kernels' own tests and benchmark out: needs no nvcc, CMake or compiler
#   --try-on-cpu    run the Java part on the CPU, to try this script where there is no card; the table says so
#
# Results go to gpu-results/<date>-<card> by default. The kernels' part needs nvcc, CMake 3.25 and a C++17 compiler. Exit status: 0
# when everything passed, 1 when something failed, 3 when this machine cannot run it. EFFCONV_GPU_BUILD names the build folder
# (default build/gpu).
set -uo pipefail

root=$(cd "$(dirname "${BASH_SOURCE[0]}")/../.." && pwd)
build=${EFFCONV_GPU_BUILD:-$root/build/gpu}
readonly limit=530  # seconds for everything
failures=0
java_folder= java_only= device=cuda

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

require_card() {
  command -v nvidia-smi >/dev/null || cannot "nvidia-smi is not in PATH: is there an NVIDIA GPU and its driver?"
  card=$(nvidia-smi --query-gpu=name --format=csv,noheader -i 0) || cannot "nvidia-smi finds no GPU: $card"
  capability=$(nvidia-smi --query-gpu=compute_cap --format=csv,noheader -i 0 | tr -d '. \n')
  driver=$(nvidia-smi --query-gpu=driver_version --format=csv,noheader -i 0)
  [[ $capability =~ ^[0-9]+$ ]] || cannot "nvidia-smi says no compute capability: $capability"
}

require_compilers() {
  command -v nvcc >/dev/null || cannot "nvcc is not in PATH"
  command -v cmake >/dev/null || cannot "cmake is not in PATH"
}

describe_machine() {
  local commit
  commit=$(git -C "$root" describe --always --dirty --abbrev=12 2>/dev/null || echo unknown)
  {
    echo "card:    $card (sm_$capability)"
    echo "driver:  $driver"
    command -v nvcc >/dev/null && echo "nvcc:    $(nvcc --version | tail -2 | head -1)"
    [ -n "$java_folder" ] && echo "java:    $("$java_folder/runtime/bin/java" --version | head -1); $(paste -sd';' "$java_folder/packed.txt")"
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

# told <row> <name> <file> <sed script>: what a job said, as a line of the table.
told() {
  local text
  text=$(sed -n "$4" "$3" 2>/dev/null | head -1)
  printf '%-12s %-44s %s\n' "$1" "$2" "${text:-nothing was said}" | tee -a "$results/summary.txt"
}

run_contract() {
  local name=$device
  step contract "every operation, search and training ($name)" 150 "$results/contract.txt" \
    "$java_folder/runtime/bin/java" -Xmx4g "-Deffconv.contract=$name" -cp "$java_folder/test/*:$java_folder/lib/*" \
    org.junit.platform.console.ConsoleLauncher execute "--scan-classpath=$java_folder/test/contract.jar" \
    '--include-classname=.*Contract' --fail-if-no-tests --disable-banner --details=tree --reports-dir "$results/contract"
  told contract "tests" "$results/contract.txt" 's/^\[ *\([0-9]* tests \(successful\|failed\)\) *\]/\1/p'
}

# learn <name> <seconds at most> <options...>: the main job, and what it found.
learn() {
  local name=$1 most=$2
  shift 2
  step learn "$name" "$most" "$results/$name.txt" "${effconv[@]}" learn --device "$device" --out "$results/$name" "$@"
  told learn "$name, result" "$results/$name/summary.txt" '1,40{/accuracy/p}'
}

java_part() {
  export GOMP_SPINCOUNT=1000  # threads that wait sleep soon
  local images=fashion-mnist-sample effort=(--epochs 4) flexnet=(--arch flexnet7 --epochs 6)
  local effconv=("$java_folder/runtime/bin/java" -Djava.awt.headless=true -XX:+UseSerialGC
    "-Deffconv.commit=$(sed -n 's/^commit: //p' "$java_folder/packed.txt")" -cp "$java_folder/lib/*" org.effconv.cli.Effconv)
  [ "$device" = cpu ] && effort=(--arch lenet --epochs 1 --no-compare) flexnet=(--arch flexnet3 --epochs 1 --polish 0 --train-images 300 --test-images 100 --batch 64)
  [ -d "$java_folder/data/mnist" ] && images=mnist
  step java "effconv info" 30 "$results/info.txt" "${effconv[@]}" info || return
  if ! grep -q "^device $device *there" "$results/info.txt"; then
    record java "effconv info" "FAILED: $(grep "^device $device" "$results/info.txt")"
    return
  fi
  run_contract
  learn "main-job-$images" 100 --data "$java_folder/data/$images" --seed 1 "${effort[@]}"
  if [ -d "$java_folder/data/cifar10-jpeg" ]; then
    learn "${flexnet[1]}-cifar10-jpeg" 120 --data "$java_folder/data/cifar10-jpeg" --seed 1 --no-compare "${flexnet[@]}"
  else
    record learn flexnet7-cifar10-jpeg "left out: the packed folder has no CIFAR-10"
  fi
  step bench "kernels, own beside cuDNN" 90 "$results/java-bench.txt" "${effconv[@]}" bench --device "$device" \
    --seconds 0.5 --csv "$results/java-bench.csv" --json "$results/java-bench.json"
  step bench "training steps" 90 "$results/java-steps.txt" "${effconv[@]}" bench --device "$device" --batch "$bench_batch" \
    --steps flexnet7:3,flexnet7:7,flexnet7:7:search,resnet20:3,resnet20:3:search,dwnet:3 --json "$results/java-steps.json"
}

results=
while [ $# -gt 0 ]; do
  case $1 in
    --java) java_folder=$(cd "${2:?}" && pwd) || cannot "there is no folder $2" && shift ;;
    --java-only) java_only=1 ;;
    --try-on-cpu) device=cpu ;;
    -*) cannot "unknown option $1" ;;
    *) results=$1 ;;
  esac
  shift
done
[ -z "$java_only" ] || [ -n "$java_folder" ] || cannot "--java-only needs --java FOLDER"
[ -z "$java_folder" ] || [ -x "$java_folder/runtime/bin/java" ] || cannot "$java_folder has no runtime: it is made by tests/gpu/pack.sh"
if [ -n "$java_folder" ]; then
  for library in libstdc++.so.6 libgcc_s.so.1 libgomp.so.1; do
    if ! ldconfig -p | grep -q "^[[:space:]]*$library "; then
      export LD_LIBRARY_PATH=$java_folder/fallback${LD_LIBRARY_PATH:+:$LD_LIBRARY_PATH}
      break
    fi
  done
  # cuDNN and cuBLAS, where the dynamic linker does not find them but PyTorch's packages brought them along
  pytorch_libraries=$(python3 -c 'import glob, importlib.util as u; s = u.find_spec("nvidia")
print(":".join(sorted(p for r in (s.submodule_search_locations if s else []) for p in glob.glob(r + "/*/lib"))))' 2>/dev/null) || pytorch_libraries=
  if [ -n "$pytorch_libraries" ] && ! ldconfig -p | grep -q 'libcudnn\.so\.9 '; then
    export LD_LIBRARY_PATH=${LD_LIBRARY_PATH:+$LD_LIBRARY_PATH:}$pytorch_libraries
  fi
fi
bench_batch=512
if [ "$device" = cpu ]; then
  java_only=1 card="no card, tried on the CPU" capability=none driver=none bench_batch=8
  [ -n "$java_folder" ] || cannot "--try-on-cpu tries the Java part; add --java FOLDER"
else
  require_card
fi
[ -n "$java_only" ] || require_compilers
results=${results:-$root/gpu-results/$(date -u +%Y-%m-%d-%H%M%S)-$(tr -cs 'A-Za-z0-9\n' '-' <<<"$card")}
mkdir -p "$results" || cannot "the folder $results cannot be made"
results=$(cd "$results" && pwd)
: >"$results/summary.txt"
describe_machine
if [ -z "$java_only" ] && build_for_card; then
  test_families
  sanitize_families
  benchmark
fi
[ -z "$java_folder" ] || java_part
{
  echo
  if [ "$failures" -eq 0 ]; then echo "all passed in $SECONDS s"; else echo "$failures FAILED, $SECONDS s"; fi
} >>"$results/summary.txt"
echo
cat "$results/summary.txt"
echo "results: $results"
[ "$failures" -eq 0 ]
