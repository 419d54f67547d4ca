#!/usr/bin/env bash
# Installs EffConv into a fresh local repository and builds and runs examples/maven against that, as a project elsewhere would;
# then the JShell lines of docs/how-to/depend-on-effconv.md. On each JDK that is here. Of this tree it takes what 'mvn package'
# built; other projects' jars come from the local repository of that build.
#
#   tests/packages/example.sh [JDK_FOLDER...]        default: the java of PATH, and JDK 25 where it is installed
set -euo pipefail
home=$(cd -- "$(dirname -- "$(readlink -f -- "${BASH_SOURCE[0]}")")/../.." && pwd)
readonly page=$home/docs/how-to/depend-on-effconv.md
third=${MAVEN_REPOSITORY:-$HOME/.m2/repository}
folder=$(mktemp -d)
trap 'rm -rf -- "$folder"' EXIT

[[ $# -gt 0 ]] || {
    set -- "$(dirname -- "$(dirname -- "$(readlink -f -- "$(command -v javac)")")")"
    for newer in /usr/lib/jvm/*-25-jdk* /usr/lib/jvm/*-25-openjdk*; do
        [[ ! -x $newer/bin/javac ]] || { set -- "$@" "$newer"; break; }
    done
    [[ $# -gt 1 ]] || echo "example: JDK 25 SKIPPED, none in /usr/lib/jvm"
}

cat >"$folder/settings.xml" <<END
<settings>
  <profiles><profile><id>here</id>
    <repositories><repository><id>here</id><url>file://$third</url><snapshots><enabled>false</enabled></snapshots></repository></repositories>
    <pluginRepositories><pluginRepository><id>here</id><url>file://$third</url><snapshots><enabled>false</enabled></snapshots></pluginRepository></pluginRepositories>
  </profile></profiles>
  <activeProfiles><activeProfile>here</activeProfile></activeProfiles>
</settings>
END
maven() {
    mvn -q -B -s "$folder/settings.xml" -Dmaven.repo.local="$folder/repository" "$@" >"$folder/log" 2>&1 ||
        { tail -n 40 "$folder/log" >&2; exit 1; }
}

version=$(sed -n 's:.*<version>\(.*\)</version>.*:\1:p' "$home/java/bom/pom.xml" | head -n 1)
core=$home/java/core/target/effconv-core-$version
install() { maven org.apache.maven.plugins:maven-install-plugin:3.1.4:install-file "$@"; }
install -Dfile="$home/pom.xml" -DpomFile="$home/pom.xml" -Dpackaging=pom
install -Dfile="$home/java/bom/pom.xml" -DpomFile="$home/java/bom/pom.xml" -Dpackaging=pom
install -Dfile="$core.jar" -DpomFile="$home/java/core/pom.xml"
install -Dfile="$core-linux-x86_64.jar" -DgroupId=org.effconv -DartifactId=effconv-core -Dversion="$version" -Dpackaging=jar -Dclassifier=linux-x86_64 -DgeneratePom=false
install -Dfile="$home/java/export/target/effconv-export-$version.jar" -DpomFile="$home/java/export/pom.xml"
install -Dfile="$home/java/onnx/target/effconv-onnx-$version.jar" -DpomFile="$home/java/onnx/pom.xml"

cp -R "$home/examples/maven" "$folder/example"
rm -rf "$folder/example/target"
cd "$folder/example"
for jdk in "$@"; do
    export JAVA_HOME=$jdk PATH=$jdk/bin:$PATH
    maven -Dorg.bytedeco.javacpp.cachedir="$folder/cache" package exec:exec
    cat "$folder/log" | grep -E '^(sizes|wrote) ' || { cat "$folder/log" >&2; exit 1; }
    [[ -s model.onnx ]] || { echo "example: no model.onnx" >&2; exit 1; }
    rm model.onnx

    maven dependency:build-classpath -Dmdep.outputFile="$folder/classpath"
    sed -n '/^```jshell$/,/^```$/{//!p}' "$page" >"$folder/lines.jsh"
    [[ -s $folder/lines.jsh ]] || { echo "example: $page has no lines for JShell" >&2; exit 1; }
    jshell --class-path "$(<"$folder/classpath")" -R-Xmx1g -s - <"$folder/lines.jsh" >"$folder/log" 2>&1 || true
    grep -E '^learned \[' "$folder/log" || { echo "example: JShell said:" >&2; cat "$folder/log" >&2; exit 1; }
    echo "example: built and ran on $("$jdk/bin/java" -version 2>&1 | head -n 1)"
done
