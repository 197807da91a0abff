#!/bin/sh
# Prints what decides about the bytes of the images.
LC_ALL=C
export LC_ALL
"${CC:-gcc}" --version | head -n 1
ld --version | head -n 1
