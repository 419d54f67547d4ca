# What the launcher of the source tree and that of the zip share; both source it with $home set. POSIX sh, and of other
# programs only java and coreutils are needed.
#
# EFFCONV_JAVA_OPTS    more options for java, such as -Xmx8g or -Deffconv.threads=1
# JAVA_HOME            the Java to run with; without it the java of PATH

fail() {
    printf 'effconv: %s\n' "$1" >&2
    exit 1
}

require_linux() {
    [ "$(uname -s)" = Linux ] ||
        fail "EffConv's native libraries are built for Linux on x86-64 only, and this is $(uname -sm): run it in a Linux container or virtual machine"
}

# Whether Java would read file names as ASCII; 'locale' is not on every machine.
is_ascii_locale() {
    case $(locale charmap 2>/dev/null) in
        ANSI_X3.4-1968) return 0 ;;
        '') ;;
        *) return 1 ;;
    esac
    case ${LC_ALL:-${LC_CTYPE:-${LANG:-C}}} in
        C | POSIX) return 0 ;;
        *) return 1 ;;
    esac
}

# Java reads file names by the character set of the locale: where that is ASCII, as in LC_ALL=C, other letters of a path are lost.
use_utf8() {
    is_ascii_locale || return 0
    export LC_ALL=C.UTF-8
    case $(locale charmap 2>/dev/null) in UTF-8 | '') return 0 ;; esac
    case $home in
        *[!\ -~]*) fail "the name of $home has letters beyond ASCII, and there is no locale C.UTF-8 to read it by: set LC_ALL to another UTF-8 locale (locale -a lists them)" ;;
    esac
}

require_plain_name() {
    case $home in
        *:*) fail "the name of $home has a ':', which separates entries of Java's class path: rename the folder" ;;
    esac
}

# The version that a Java's file "release" states, "17.0.15"; else what it says itself.
java_version() {
    while IFS= read -r line; do
        case $line in
            JAVA_VERSION=*)
                line=${line#JAVA_VERSION=\"}
                printf '%s\n' "${line%\"*}"
                return
                ;;
        esac
    done 2>/dev/null <"$(dirname -- "$(readlink -f -- "$1")")/../release" || true
    line=$("$1" -version 2>&1) || true
    line=${line#*version \"}
    printf '%s\n' "${line%%\"*}"
}

# Sets java_bin (empty, or a folder with its slash) and java: JAVA_HOME's, else that of PATH.
require_java() {
    java_bin=
    if [ -n "${JAVA_HOME:-}" ]; then
        java_bin=$JAVA_HOME/bin/
        [ -x "${java_bin}java" ] || fail "JAVA_HOME is '$JAVA_HOME', where there is no bin/java: set it to a Java 17 or newer, or unset it"
    fi
    java=$(command -v "${java_bin}java") || fail "java is missing (Debian: apt-get install openjdk-17-jdk-headless)"
    version=$(java_version "$java")
    case ${version%%[!0-9]*} in
        [1-9] | 1[0-6]) fail "$java is Java $version: expected 17 or newer, by JAVA_HOME or first on PATH" ;;
    esac
}

# Whether the arguments ask for a text alone, which ends before the second compiler has gained what it costs.
is_short() {
    [ "${1:-}" != info ] && [ "${1:-}" != help ] || return 0
    for argument; do
        case $argument in -h | --help | -V | --version) return 0 ;; esac
    done
    return 1
}

# run CLASS_PATH COMMIT ARGUMENTS...: becomes java.
run() {
    classpath=$1 commit=$2
    shift 2
    terminal=false
    [ ! -t 2 ] || terminal=true
    # Threads that wait for work sleep soon instead of spinning: on a busy machine spinning takes the processor from the
    # thread that is waited for.
    export GOMP_SPINCOUNT="${GOMP_SPINCOUNT:-1000}"
    # A user without a name, as in a container, has the home folder "?" in Java, and libraries would be unpacked into ./?.
    nameless=
    id -un >/dev/null 2>&1 || nameless=yes
    one_compiler=
    ! is_short "$@" || one_compiler=-XX:TieredStopAtLevel=1
    # shellcheck disable=SC2086 # options are meant to be split
    exec "$java" -XX:+UseSerialGC -Xshare:auto --enable-native-access=ALL-UNNAMED $one_compiler \
        -Deffconv.home="$home" -Deffconv.commit="$commit" -Deffconv.terminal="$terminal" \
        ${nameless:+"-Duser.home=${HOME:-/nonexistent}"} ${EFFCONV_JAVA_OPTS:-} \
        -cp "$classpath" org.effconv.cli.Effconv "$@"
}
