#!/usr/bin/env bash
# Runs many small jobs in one JVM and says after each round of them, with nothing running, what the process holds. Exit status 1 if a
# job failed that should not, or if something grew.
#
#   tests/endtoend/soak.sh [ROUNDS [JOBS OF A ROUND [JOBS AT ONCE]]]      default: 10 50 2
# Needs the tests' classes: mvn -q -DskipTests package
set -euo pipefail
home=$(cd -- "$(dirname -- "$(readlink -f -- "${BASH_SOURCE[0]}")")/../.." && pwd)
"$home/effconv" --version # builds, if there is something to build
exec java -XX:+UseSerialGC -Xmx512m -Deffconv.home="$home" \
    -cp "$home/tests/endtoend/target/test-classes:$home/java/cli/target/effconv-cli.jar:$(<"$home/java/cli/target/classpath.txt")" \
    org.effconv.endtoend.Soak "$@"
