#!/usr/bin/env bash
# Makes the folder that tests/gpu/run.sh --java takes to a machine with a card and nothing else: a Java runtime, the project's
# jars with the device code, the contract suite with a launcher, data. Also packs it as FOLDER.tar.xz and prints its size.
#
#   tests/gpu/pack.sh FOLDER [--mnist DIR] [--cifar10 DIR] [--targets "90"] [--no-device-code]
#
#   --mnist DIR         the four gzipped IDX files of MNIST; without it the Fashion-MNIST sample takes their place
#   --cifar10 DIR       train.zip and test.zip of CIFAR-10 as JPEGs; without it that job is left out
#   --targets LIST      compute capabilities to compile for (default: all)
#   --no-device-code    leave it out: to try the folder where there is no nvcc
#
# Needs what the build needs, a JDK with jmods, python3, xz; nvcc for the device code. Exit status 1 above 60 MiB.
set -euo pipefail

root=$(cd "$(dirname "${BASH_SOURCE[0]}")/../.." && pwd)
readonly most=$((60 * 1024 * 1024))
readonly modules=java.base,java.desktop,java.logging,java.management,java.naming,java.xml,jdk.unsupported,jdk.zipfs
readonly mnist_images="20000 4000" cifar_images="8000 1000"
folder= mnist= cifar10= targets= device_code=1

fail() {
  echo "pack.sh: $1" >&2
  exit 2
}

while [ $# -gt 0 ]; do
  case $1 in
    --mnist) mnist=${2:?} && shift ;;
    --cifar10) cifar10=${2:?} && shift ;;
    --targets) targets=${2:?} && shift ;;
    --no-device-code) device_code= ;;
    -*) fail "unknown option $1" ;;
    *) [ -z "$folder" ] || fail "one folder, not '$folder' and '$1'" && folder=$1 ;;
  esac
  shift
done
[ -n "$folder" ] || fail "which folder? (see the head of this script)"
[ ! -e "$folder" ] || fail "$folder exists already"
java_home=$(dirname "$(dirname "$(readlink -f "$(command -v javac)")")")
[ -d "$java_home/jmods" ] || fail "$java_home has no jmods (Debian: openjdk-17-jdk-headless)"
for tool in mvn jlink jar python3 xz ldd; do
  command -v "$tool" >/dev/null || fail "$tool is not in PATH"
done
mkdir -p "$folder"/{lib,test,data}
folder=$(cd "$folder" && pwd)
scratch=$(mktemp -d)
trap 'rm -rf "$scratch"' EXIT

maven() {
  mvn -q -B -f "$root/pom.xml" "$@"
}

build() {
  maven -pl java/core,java/export,java/onnx,java/report,java/cli,tests/hostdriver,tests/contract package -DskipTests
  if [ -n "$device_code" ]; then
    # shellcheck disable=SC2086 # a list of options is meant to be split
    (cd "$root" && cmake --preset cuda ${targets:+"-DEFFCONV_CUDA_TARGETS=${targets// /;}"} >/dev/null)
    maven -Pcuda -pl java/cuda package -DskipTests
  fi
}

# stored JAR TARGET-FOLDER: the jar again without compression, so that xz sees what is in it.
stored() {
  local name
  name=$(basename "$1")
  rm -rf "$scratch/jar" && mkdir "$scratch/jar"
  (cd "$scratch/jar" && jar --extract --file "$1")
  # of JCuda's natives only the driver API is used
  find "$scratch/jar" \( -name 'libJNvPTXCompiler*' -o -name 'libJNvrtc*' -o -name 'libJCudaRuntime*' \) -delete
  local manifest=()
  [ -f "$scratch/jar/META-INF/MANIFEST.MF" ] && cp "$scratch/jar/META-INF/MANIFEST.MF" "$scratch/manifest" && manifest=(--manifest "$scratch/manifest")
  jar --create --no-compress --file "$2/$name" "${manifest[@]}" -C "$scratch/jar" .
}

collect_jars() {
  local jar junit
  IFS=: read -ra classpath <<<"$(<"$root/java/cli/target/classpath.txt")"
  for jar in "$root/java/cli/target/effconv-cli.jar" "${classpath[@]}"; do
    stored "$jar" "$folder/lib"
  done
  if [ -n "$device_code" ]; then
    stored "$(ls "$root"/java/cuda/target/*-cuda13.jar)" "$folder/lib"
    collect_binding
  fi
  junit=$(sed -n 's|.*<junit.version>\(.*\)</junit.version>.*|\1|p' "$root/pom.xml")
  maven -N dependency:copy -Dartifact="org.junit.platform:junit-platform-console-standalone:$junit" -DoutputDirectory="$scratch/junit"
  stored "$(ls "$scratch"/junit/*.jar)" "$folder/test"
  jar --create --no-compress --file "$folder/test/contract.jar" -C "$root/tests/contract/target/test-classes" .
  jar --create --no-compress --file "$folder/test/helpers.jar" -C "$root/java/core/target/test-classes" org/effconv/backend
  # its classes alone, which a provider of the suite names; its kernels run on no card
  (cd "$root/tests/hostdriver/target/classes" && find . -name '*.class' >"$scratch/classes" &&
    jar --create --no-compress --file "$folder/test/hostdriver.jar" "@$scratch/classes")
}

# The binding of cuDNN, which the project can do without; cuDNN itself must be on the other machine.
collect_binding() {
  local version artifact jar
  version=$(sed -n 's|.*<cuda.preset.version>\(.*\)</cuda.preset.version>.*|\1|p' "$root/pom.xml")
  for artifact in "org.bytedeco:cuda:$version" "org.bytedeco:cuda:$version:jar:linux-x86_64"; do
    maven -N dependency:copy -Dartifact="$artifact" -DoutputDirectory="$scratch/binding"
  done
  for jar in "$scratch"/binding/*.jar; do
    stored "$jar" "$folder/lib"
  done
}

# A runtime that asks the machine for nothing but glibc: system libraries that the JDK was linked against come along.
make_runtime() {
  jlink --module-path "$java_home/jmods" --add-modules "$modules" --strip-debug --no-header-files --no-man-pages --compress=0 \
    --output "$folder/runtime"
  local library
  find "$folder/runtime/lib" -name '*.so' -exec ldd {} + 2>/dev/null | awk '/=> \// {print $3}' | sort -u |
    while read -r library; do
      case $(basename "$library") in
        libc.so* | libm.so* | libdl.so* | libpthread.so* | librt.so* | ld-linux* | libX* | libxcb* | libstdc++* | libgcc_s*) continue ;;
      esac
      case $library in "$folder"/*) continue ;; esac
      cp -L "$library" "$folder/runtime/lib/"
    done
  # for a machine that has none; one that has them may need its own, newer ones for cuDNN
  mkdir "$folder/fallback"
  for library in libstdc++.so.6 libgcc_s.so.1 libgomp.so.1; do
    cp -L "$(ldconfig -p | awk -v name="$library" '$1 == name && /x86-64/ {print $NF; exit}')" "$folder/fallback/"
  done
}

collect_data() {
  # shellcheck disable=SC2086 # two numbers are meant to be split
  if [ -n "$mnist" ]; then
    python3 "$root/tests/gpu/cut_images.py" idx "$mnist" "$folder/data/mnist" $mnist_images
  else
    cp -r "$root/data/fashion-mnist-sample" "$folder/data/fashion-mnist-sample"
  fi
  # shellcheck disable=SC2086
  if [ -n "$cifar10" ]; then
    python3 "$root/tests/gpu/cut_images.py" zip "$cifar10" "$folder/data/cifar10-jpeg" $cifar_images
  fi
}

build
collect_jars
make_runtime
collect_data
{
  echo "commit: $(git -C "$root" describe --always --dirty --abbrev=12 2>/dev/null || echo unknown)"
  echo "packed: $(date -u +%Y-%m-%dT%H:%M:%SZ)"
  if [ -n "$device_code" ]; then echo "device code: ${targets:-all targets}"; else echo "device code: none"; fi
} >"$folder/packed.txt"
tar -C "$(dirname "$folder")" --sort=name -cf - "$(basename "$folder")" | xz -T2 -6 >"$folder.tar.xz"
size=$(stat -c %s "$folder.tar.xz")
printf '%s: %.1f MiB unpacked\n%s.tar.xz: %.1f MiB of at most %d\n' "$folder" "$(du -sm "$folder" | cut -f1)" "$folder" \
  "$(awk "BEGIN {print $size / 1048576}")" $((most / 1048576))
[ "$size" -le "$most" ]
