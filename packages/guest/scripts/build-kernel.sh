#!/bin/sh
# Builds kernel.elf and kernel-xen.elf into the folder given as first argument (default: images).
set -eu
cd "$(dirname "$0")/.."
out=${1:-images}
. scripts/compiler.sh
objects=$(mktemp -d)
trap 'rm -rf "$objects"' EXIT
mkdir -p "$out"

for build in x86 native xen generic; do
    mkdir "$objects/$build"
    sources="kernel/arch/$build/*.[cS]"
    if [ "$build" = generic ]; then sources="kernel/*.c"; fi
    for source in $sources; do
        flags="-Ikernel -Ikernel/arch/$build"
        # System calls are called through the table of syscalls.h alone.
        case $source in kernel/sys_* | kernel/futex.c) flags="$flags -Wno-missing-prototypes" ;; esac
        # shellcheck disable=SC2086
        compile "$source" "$objects/$build/$(echo "$source" | tr / _).o" $flags
    done
done
link_image "$out/kernel.elf" "$objects"/native/*.o "$objects"/x86/*.o "$objects"/generic/*.o
link_image "$out/kernel-xen.elf" -e entry_xen "$objects"/xen/*.o "$objects"/x86/*.o "$objects"/generic/*.o
