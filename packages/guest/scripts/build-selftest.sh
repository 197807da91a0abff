#!/bin/sh
# Builds selftest.elf into the folder given as first argument (default: images).
set -eu
cd "$(dirname "$0")/.."
out=${1:-images}
. scripts/compiler.sh
objects=$(mktemp -d)
trap 'rm -rf "$objects"' EXIT
mkdir -p "$out"

for source in kernel/arch/native/boot.S selftest/*.[cS]; do
    compile "$source" "$objects/$(echo "$source" | tr / _).o" -Iselftest -Ikernel/arch/native
done
link_image "$out/selftest.elf" "$objects"/*.o
