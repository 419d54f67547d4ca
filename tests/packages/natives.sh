#!/usr/bin/env bash
# Looks into the native libraries of built jars: what they need of a machine, and whether they tell of the machine that built
# them. 'mvn verify' runs it for the jar with the natives; docs/reference/artifacts.md states the same limits.
#
#   tests/packages/natives.sh JAR...
set -euo pipefail
readonly allowed=' libeffconv.so libgomp.so.1 libstdc++.so.6 libm.so.6 libgcc_s.so.1 libc.so.6 ld-linux-x86-64.so.2 ld-linux-aarch64.so.1 '
# The newest version of each library's symbols that may be needed: those of Debian 12, Ubuntu 22.04 and RHEL 9.
declare -rA newest=([GLIBC]=2.34 [GLIBCXX]=3.4.29 [CXXABI]=1.3.13 [GCC]=3.0 [GOMP]=4.5 [OMP]=1.0)

home=$(cd -- "$(dirname -- "$(readlink -f -- "${BASH_SOURCE[0]}")")/../.." && pwd)
folder=$(mktemp -d)
trap 'rm -rf -- "$folder"' EXIT
failed=0 libraries=0
wrong() {
    printf 'natives: %s\n' "$1" >&2
    failed=1
}

[[ $# -gt 0 ]] || { echo "natives: expected jars" >&2; exit 2; }
for jar in "$@"; do
    [[ -f $jar ]] || { echo "natives: $jar is missing" >&2; exit 2; }
    rm -rf -- "${folder:?}"/*
    (cd "$folder" && "${JAVA_HOME:+$JAVA_HOME/bin/}jar" xf "$(cd "$OLDPWD" && readlink -f -- "$jar")")
    mapfile -d '' files < <(find "$folder" -name '*.so*' -type f -print0 | sort -z)
    [[ ${#files[@]} -gt 0 ]] || wrong "$jar holds no library"
    for file in "${files[@]}"; do
        name=${file##*/} libraries=$((libraries + 1))
        dynamic=$(readelf --wide --dynamic "$file")
        for needed in $(sed -n 's/.*(NEEDED).*\[\(.*\)\]/\1/p' <<<"$dynamic"); do
            [[ $allowed == *" $needed "* ]] || wrong "$name needs $needed, expected one of:$allowed"
        done
        for path in $(sed -n 's/.*(R\(UN\)\?PATH).*\[\(.*\)\]/\2/p' <<<"$dynamic"); do
            [[ ${path%/} == "\$ORIGIN" ]] || wrong "$name looks for libraries in $path, expected \$ORIGIN or nothing"
        done
        worst=
        while IFS=_ read -r library version; do
            if [[ -z ${newest[$library]:-} ]]; then
                wrong "$name needs ${library}_$version, expected one of: ${!newest[*]}"
            elif [[ $(printf '%s\n' "${newest[$library]}" "$version" | sort -V | tail -n 1) != "${newest[$library]}" ]]; then
                wrong "$name needs ${library}_$version, expected at most ${library}_${newest[$library]}"
            fi
            [[ $library != GLIBC ]] || worst=$version # sorted: the last is the newest
        done < <(readelf --wide --version-info "$file" | grep -oE '\b(GLIBC|GLIBCXX|CXXABI|GCC|GOMP|OMP)_[0-9][0-9.]*' | sort -uV)
        ! grep -qaF -- "$home" "$file" || wrong "$name holds the name of the folder that it was built in, $home"
        [[ $(readelf --wide --notes "$file") == *'Build ID: '* ]] || wrong "$name has no build id"
        printf 'natives: %s needs glibc %s\n' "$name" "$worst"
    done
done
[[ $failed == 0 ]] || exit 1
printf 'natives: %d libraries need nothing beyond the limits\n' "$libraries"
