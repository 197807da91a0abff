#!/bin/sh
# Builds everything: images/*.elf, images/disk.bin, images/compiler.txt, user/build, and the modules of src/images.
# build.sh [IMAGES MODULES]: other folders for the results (user/build stays where it is).
set -eu
cd "$(dirname "$0")/.."
images=${1:-images}
modules=${2:-src/images}

scripts/build-kernel.sh "$images"
scripts/build-nano.sh "$images"
scripts/build-selftest.sh "$images"
scripts/build-boot.sh "$images"
make --silent -C user
scripts/compiler-version.sh > "$images/compiler.txt"
node scripts/pack-images.mjs "$images" user/build "$modules"
