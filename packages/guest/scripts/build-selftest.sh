#!/bin/sh
# Builds selftest.elf and selftest-xen.elf into the folder given as first argument (default: images).
set -eu
cd "$(dirname "$0")/.."
out=${1:-images}
. scripts/compiler.sh
objects=$(mktemp -d)
trap 'rm -rf "$objects"' EXIT
mkdir -p "$out"

for folder in native xen; do mkdir "$objects/$folder"; done
for source in kernel/arch/native/boot.S selftest/*.[cS]; do
    compile "$source" "$objects/native/$(echo "$source" | tr / _).o" -Iselftest -Ikernel/arch/native
done
link_image "$out/selftest.elf" "$objects"/native/*.o
for source in kernel/arch/xen/start.S kernel/arch/xen/power.c selftest/report.c selftest/plain.c selftest/xen/*.[cS]; do
    compile "$source" "$objects/xen/$(echo "$source" | tr / _).o" -Iselftest -Ikernel -Ikernel/arch/xen
done
link_image "$out/selftest-xen.elf" -e entry_xen "$objects"/xen/*.o
