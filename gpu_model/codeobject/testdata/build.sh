#!/bin/sh
# Rebuilds the objects of this folder; needs clang-16, lld-16 and rocm-device-libs.
set -eu
cd "$(dirname "$0")"
for version in 2 3 4 5; do
  flags="-x cl -cl-std=CL2.0 -target amdgcn-amd-amdhsa -mcpu=gfx803 -mcode-object-version=$version -O2"
  flags="$flags --rocm-device-lib-path=/usr/lib/x86_64-linux-gnu/amdgcn/bitcode"
  clang-16 $flags sample.cl -o "sample_v$version.hsaco"
  clang-16 $flags -c sample.cl -o "sample_v$version.o"
done
