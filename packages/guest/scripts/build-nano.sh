#!/bin/sh
# Builds nano.elf and nano-xen.elf into the folder given as first argument (default: images).
set -eu
cd "$(dirname "$0")/.."
out=${1:-images}
. scripts/compiler.sh
objects=$(mktemp -d)
trap 'rm -rf "$objects"' EXIT
mkdir -p "$out"

for source in nano/nano.c nano/loops.S nano/native.c nano/native.S kernel/arch/native/boot.S; do
    compile "$source" "$objects/$(echo "$source" | tr / _).o" -Inano -Ikernel/arch/native
done
for source in nano/xen.c nano/xen.S kernel/arch/xen/start.S kernel/arch/xen/power.c; do
    compile "$source" "$objects/$(echo "$source" | tr / _).o" -Inano -Ikernel -Ikernel/arch/xen
done
object() { for source in "$@"; do echo "$objects/$(echo "$source" | tr / _).o"; done; }
# shellcheck disable=SC2046
link_image "$out/nano.elf" $(object kernel/arch/native/boot.S nano/nano.c nano/loops.S nano/native.c nano/native.S)
# shellcheck disable=SC2046
link_image "$out/nano-xen.elf" -e entry_xen \
    $(object kernel/arch/xen/start.S kernel/arch/xen/power.c nano/nano.c nano/loops.S nano/xen.c nano/xen.S)
