#!/bin/sh
# Rebuilds the objects of this folder: sample_clangN_vM.hsaco is linked, .o relocatable. Needs Debian's clang-15, clang-16, clang-19 (each
# with its lld) and rocm-device-libs. CLANG15, CLANG16 and CLANG19 name other commands for the compilers.
# usage: build.sh [FOLDER [COMPILER ...]], where FOLDER is where the objects go and each COMPILER 15, 16 or 19
set -eu
cd "$(dirname "$0")"
out=${1:-.}
[ $# -eq 0 ] || shift
[ $# -gt 0 ] || set -- 15 16 19
libraries=/usr/lib/x86_64-linux-gnu/amdgcn/bitcode
links=$(mktemp -d)
trap 'rm -r "$links"' EXIT
ln -s "$libraries"/* "$links"
# Debian's device libraries know no version 6; what kernels see is as in version 5.
[ -e "$links/oclc_abi_version_600.bc" ] || ln -s "$libraries/oclc_abi_version_500.bc" "$links/oclc_abi_version_600.bc"
for number in "$@"; do
  case $number in
    15) compiler=${CLANG15:-clang-15} versions="2 3 4 5" ;;
    16) compiler=${CLANG16:-clang-16} versions="2 3 4 5" ;;
    19) compiler=${CLANG19:-clang-19} versions="4 5 6" ;;
    *) echo "build.sh: there is no compiler $number here; expected 15, 16 or 19" >&2; exit 2 ;;
  esac
  for version in $versions; do
    flags="-x cl -cl-std=CL2.0 -target amdgcn-amd-amdhsa -mcpu=gfx803 -mcode-object-version=$version -O2 --rocm-device-lib-path=$links"
    "$compiler" $flags sample.cl -o "$out/sample_clang${number}_v$version.hsaco"
    "$compiler" $flags -c sample.cl -o "$out/sample_clang${number}_v$version.o"
  done
done
