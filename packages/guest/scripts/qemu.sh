#!/bin/sh
# Runs an image of ours in QEMU: qemu.sh IMAGE COMMAND-LINE [INITRD] [MEMORY-MIB]
# The console is stdin and stdout, the debug console stderr; the status is QEMU's (2 * value + 1).
set -eu
exec qemu-system-x86_64 -accel tcg -cpu "${QEMU_CPU:-qemu64}" -m "${4:-128}" -display none -nodefaults \
    -chardev stdio,id=console,signal=off -serial chardev:console -chardev "file,id=debug,path=${DEBUG_CONSOLE:-/dev/stderr},append=on" -device isa-debugcon,iobase=0xe9,chardev=debug \
    -device isa-debug-exit,iobase=0xf4,iosize=0x04 -no-reboot \
    -kernel "$1" -append "$2" ${3:+-initrd "$3"} ${QEMU_EXTRA:-}
