#!/bin/sh
# Rebuilds the objects of this folder: sample_clangN_vM.hsaco is linked, .o relocatable. Needs Debian's clang-15, clang-16, clang-19 (each
# with its lld) and rocm-device-libs. CLANG15, CLANG16 and CLANG19 name other commands for the compilers.
set -eu
cd "$(dirname "$0")"
libraries=/usr/lib/x86_64-linux-gnu/amdgcn/bitcode
links=$(mktemp -d)
trap 'rm -r "$links"' EXIT
ln -s "$libraries"/* "$links"
# Debian's device libraries know no version 6; what kernels see is as in version 5.
[ -e "$links/oclc_abi_version_600.bc" ] || ln -s "$libraries/oclc_abi_version_500.bc" "$links/oclc_abi_version_600.bc"
build() { # compiler, its number, code object versions
  for version in $3; do
    flags="-x cl -cl-std=CL2.0 -target amdgcn-amd-amdhsa -mcpu=gfx803 -mcode-object-version=$version -O2 --rocm-device-lib-path=$links"
    "$1" $flags sample.cl -o "sample_clang$2_v$version.hsaco"
    "$1" $flags -c sample.cl -o "sample_clang$2_v$version.o"
  done
}
build "${CLANG15:-clang-15}" 15 "2 3 4 5"
build "${CLANG16:-clang-16}" 16 "2 3 4 5"
build "${CLANG19:-clang-19}" 19 "4 5 6"
