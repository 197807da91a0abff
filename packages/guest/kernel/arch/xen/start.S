/*
 * start.S: what Xen's domain builder reads from the image, and where it enters: at CPL 3, with RSI =
 * address of the start info, on page tables that map the image where it is linked.
 */
#include "layout.h"

.macro note type
    .balign 4
    .long 4, 3f - 2f, \type
    .asciz "Xen"
2:
.endm

.macro note_text type text
    note \type
    .asciz "\text"
3:
.endm

.macro note_number type value
    note \type
    .quad \value
3:
.endm

    .section .note.Xen, "a", @note
    note_text 6, "ringside"                     /* GUEST_OS */
    note_text 5, "xen-3.0"                      /* XEN_VERSION */
    note_text 8, "generic"                      /* LOADER */
    note_number 1, entry_xen                    /* ENTRY */
    note_number 3, KERNEL_BASE                  /* VIRT_BASE */
    note_number 4, 0                            /* PADDR_OFFSET */
    note_text 10, "!writable_page_tables|pae_pgdir_above_4gb" /* FEATURES */
    note_text 9, "yes"                          /* PAE_MODE */
    note 13                                     /* L1_MFN_VALID: mask, value */
    .quad 1, 1
3:
    note 16                                     /* MOD_START_PFN: the initrd need not be mapped */
    .long 1
3:
    .balign 4

    .section .boot, "ax"
    .globl entry_xen
entry_xen:
    cld
    mov $boot_stack_top, %rsp
    xor %ebp, %ebp
    mov %rsi, %rdi
    call kernel_start
    ud2

    .section .bss.boot, "aw", @nobits
    .balign PAGE_SIZE
boot_stack:
    .skip 4 * PAGE_SIZE
boot_stack_top:

    .section .note.GNU-stack, "", @progbits
