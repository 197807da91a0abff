#!/bin/sh
# Builds everything again and compares with what is committed. Status 0: the same; 1: different;
# 77: not checked, because another compiler is installed.
set -eu
cd "$(dirname "$0")/.."
if ! command -v gcc > /dev/null || [ "$(scripts/compiler-version.sh)" != "$(cat images/compiler.txt)" ]; then
    echo "images not checked: they were made with"
    cat images/compiler.txt
    exit 77
fi
fresh=$(mktemp -d)
trap 'rm -rf "$fresh"' EXIT
scripts/build.sh "$fresh/images" "$fresh/modules"
diff -rq "$fresh/images" images && diff -rq "$fresh/modules" src/images
