/*
 * boot.S: the two ways into the kernel, and the road from either to C in the high half.
 *
 * entry_pvh: 32-bit protected mode, paging off, EBX = physical address of hvm_start_info
 *            (Xen's PVH boot ABI; found by ELF note 18).
 * entry_64:  long mode, the first 4 GiB identity-mapped by the loader, RBX likewise (ELF e_entry).
 *
 * Both build the same temporary tables: the first 4 GiB at 0 and at DIRECT_MAP, the first 1 GiB at
 * KERNEL_BASE, all with 2 MiB pages. The image is linked high, so code that runs low takes
 * physical addresses with PHYS().
 */
#include "layout.h"

#define PHYS(symbol) ((symbol) - KERNEL_BASE)

    .section .note.Xen, "a", @note
    .balign 4
    .long 4, 4, 18              /* XEN_ELFNOTE_PHYS32_ENTRY */
    .asciz "Xen"
    .long PHYS(entry_pvh)

/* Assembled twice, for 32-bit and for 64-bit code, so only what both have is used. */
.macro build_boot_tables pointer
    mov $PHYS(boot_level2), %\pointer
    mov $0x83, %eax             /* present, writable, 2 MiB */
    mov $2048, %ecx
1:  movl %eax, (%\pointer)
    movl $0, 4(%\pointer)
    add $0x200000, %eax
    add $8, %\pointer
    dec %ecx
    jnz 1b
    movl $PHYS(boot_level2) + 0x0003, PHYS(boot_level3)
    movl $PHYS(boot_level2) + 0x1003, PHYS(boot_level3) + 8
    movl $PHYS(boot_level2) + 0x2003, PHYS(boot_level3) + 16
    movl $PHYS(boot_level2) + 0x3003, PHYS(boot_level3) + 24
    movl $PHYS(boot_level2) + 0x0003, PHYS(boot_level3_high) + 8 * 510
    movl $PHYS(boot_level3) + 3, PHYS(boot_level4)
    movl $PHYS(boot_level3) + 3, PHYS(boot_level4) + 8 * DIRECT_SLOT
    movl $PHYS(boot_level3_high) + 3, PHYS(boot_level4) + 8 * KERNEL_SLOT
    mov $PHYS(boot_level4), %eax
.endm

    .section .boot, "ax"
    .code32
    .globl entry_pvh
entry_pvh:
    cld
    build_boot_tables edi
    mov %eax, %cr3
    mov %cr4, %eax
    or $0x20, %eax              /* PAE */
    mov %eax, %cr4
    mov $0xc0000080, %ecx       /* EFER */
    rdmsr
    or $0x100, %eax             /* LME */
    wrmsr
    mov %cr0, %eax
    or $0x80000001, %eax        /* PG, PE */
    mov %eax, %cr0
    lgdt PHYS(boot_gdt_register)
    ljmp $KERNEL_CS, $PHYS(long_mode)

    .code64
    .globl entry_64
entry_64:
    cld
    build_boot_tables rdi
    mov %rax, %cr3
    lgdt PHYS(boot_gdt_register)
    mov $PHYS(boot_stack_top), %esp
    pushq $KERNEL_CS
    pushq $PHYS(long_mode)
    lretq

long_mode:
    mov $KERNEL_SS, %eax
    mov %eax, %ss
    xor %eax, %eax
    mov %eax, %ds
    mov %eax, %es
    mov %eax, %fs
    mov %eax, %gs
    mov $boot_stack_top, %rsp
    xor %ebp, %ebp
    mov %ebx, %edi
    mov $kernel_start, %rax
    call *%rax
    ud2

    .balign 8
boot_gdt:
    .quad 0, 0
    .quad 0x00af9b000000ffff    /* KERNEL_CS: 64-bit code */
    .quad 0x00cf93000000ffff    /* KERNEL_SS: data */
boot_gdt_register:
    .word boot_gdt_register - boot_gdt - 1
    .quad PHYS(boot_gdt)

    .section .bss.boot, "aw", @nobits
    .balign PAGE_SIZE
    .globl boot_level4
boot_level4:
    .skip PAGE_SIZE
boot_level3:
    .skip PAGE_SIZE
boot_level3_high:
    .skip PAGE_SIZE
boot_level2:
    .skip 4 * PAGE_SIZE
boot_stack:
    .skip 4 * PAGE_SIZE
    .globl boot_stack_top
boot_stack_top:

    .section .note.GNU-stack, "", @progbits
