# compiler.sh: how everything that runs in ring 0 is compiled and linked. Sourced from packages/guest.
#
# The images must come out the same on every machine with this compiler: no paths, no dates, no
# build id. images/compiler.txt records the version they were made with.

CC=${CC:-gcc}
LC_ALL=C
export LC_ALL
SOURCE_DATE_EPOCH=0
export SOURCE_DATE_EPOCH

compile() { # source object [flags]
    source=$1 object=$2
    shift 2
    "$CC" -std=gnu11 -O2 -ffreestanding -fno-pic -fno-pie -mcmodel=kernel -mno-red-zone \
        -mgeneral-regs-only -fno-stack-protector -fno-asynchronous-unwind-tables \
        -fno-strict-aliasing -fno-common -fcf-protection=none -fno-ident -fno-tree-loop-distribute-patterns \
        -march=x86-64 -mtune=generic \
        -Wall -Wextra -Werror -Wshadow -Wstrict-prototypes -Wmissing-prototypes -Wundef \
        -ffile-prefix-map="$PWD"=. -Ikernel/include -Ikernel/arch/x86 \
        "$@" -c "$source" -o "$object"
}

link_image() { # image [flags] objects...
    image=$1
    shift
    ld -nostdlib -static -no-pie --build-id=none -z max-page-size=4096 -z noexecstack \
        --no-warn-rwx-segments --fatal-warnings -T kernel/arch/x86/image.ld -o "$image" "$@"
    strip --strip-all "$image"
}
