#!/usr/bin/env bash
# Installs what the build needs on Debian 12. No GPU, no nvcc.
set -euo pipefail
apt-get update
apt-get install -y --no-install-recommends openjdk-17-jdk-headless maven cmake g++ make
