#!/bin/sh
# Builds kernel.elf into the folder given as first argument (default: images).
set -eu
cd "$(dirname "$0")/.."
out=${1:-images}
. scripts/compiler.sh
objects=$(mktemp -d)
trap 'rm -rf "$objects"' EXIT
mkdir -p "$out"

for source in kernel/arch/native/*.[cS] kernel/*.c; do
    flags=-Ikernel
    # System calls are called through the table of syscalls.h alone.
    case $source in kernel/sys_* | kernel/futex.c) flags="$flags -Wno-missing-prototypes" ;; esac
    # shellcheck disable=SC2086
    compile "$source" "$objects/$(echo "$source" | tr / _).o" $flags
done
link_image "$out/kernel.elf" "$objects"/*.o
