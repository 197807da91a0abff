#!/bin/sh
# Builds nano.elf into the folder given as first argument (default: images).
set -eu
cd "$(dirname "$0")/.."
out=${1:-images}
. scripts/compiler.sh
objects=$(mktemp -d)
trap 'rm -rf "$objects"' EXIT
mkdir -p "$out"

compile nano/nano.c "$objects/nano.o" -Inano -Ikernel/arch/native
compile nano/loops.S "$objects/loops.o" -Inano -Ikernel/arch/native
compile kernel/arch/native/boot.S "$objects/boot.o" -Ikernel/arch/native
link_image "$out/nano.elf" "$objects/boot.o" "$objects/nano.o" "$objects/loops.o"
