#!/bin/sh
# Builds disk.bin, the boot sector, into the folder given as first argument (default: images).
set -eu
cd "$(dirname "$0")/.."
out=${1:-images}
. scripts/compiler.sh
objects=$(mktemp -d)
trap 'rm -rf "$objects"' EXIT
mkdir -p "$out"

compile boot/disk.S "$objects/disk.o"
ld -Ttext 0x7c00 --entry start --build-id=none --oformat binary -o "$out/disk.bin" "$objects/disk.o"
chmod -x "$out/disk.bin"
