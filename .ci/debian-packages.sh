#!/usr/bin/env bash
# Installs what the build needs on Debian 12, or only the packages that are named. No GPU, no nvcc.
set -euo pipefail
[[ $# -gt 0 ]] || set -- openjdk-17-jdk-headless maven cmake g++ make clang-format
apt-get update
apt-get install -y --no-install-recommends "$@"
