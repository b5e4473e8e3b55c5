#!/bin/sh
# Rebuilds race.hsaco with Debian's clang-16.
set -e
cd "$(dirname "$0")"
clang-16 -x cl -cl-std=CL1.2 -target amdgcn-amd-amdhsa -mcpu=gfx803 -mcode-object-version=2 \
  --rocm-device-lib-path=/usr/lib/x86_64-linux-gnu/amdgcn/bitcode -O3 race.cl -o race.hsaco
