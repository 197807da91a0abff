/* user.S: code that runs at CPL 3, on two pages of its own. Its argument is in RDI; INT 0x30 ends it. */
#include "layout.h"

.macro blob name
    .balign 16
    .globl \name
\name:
.endm

    .section .text.user, "ax"
    .balign PAGE_SIZE
    .globl user_start
user_start:

blob user_read
    mov 8(%rdi), %al
    int $0x30
blob user_write
    movb $0, 8(%rdi)
    int $0x30
blob user_fetch
    call *%rdi
    int $0x30
blob user_int_kernel
    int $0x31
    int $0x30
blob user_int3
    int3
    int $0x30
blob user_int4
    int $4
    int $0x30
blob user_cli
    cli
    int $0x30
blob user_sti
    sti
    int $0x30
blob user_hlt
    hlt
blob user_in
    in $0x80, %al
    in $0x81, %al
    int $0x30
blob user_in_wide
    in $0x7f, %ax
    int $0x30
blob user_mov_cr0
    mov %cr0, %rax
    int $0x30
blob user_wrmsr
    wrmsr
blob user_lgdt
    lgdt (%rdi)
blob user_invlpg
    invlpg (%rdi)
blob user_popf
    push %rdi
    popf
    pushf
    pop %rax
    int $0x30
blob user_unaligned
    mov 1(%rdi), %eax
    int $0x30
blob user_aligned
    mov 8(%rdi), %eax
    int $0x30
blob user_syscall
    mov $0x11, %eax
    syscall
    pushf
    pop %rax
    int $0x30
blob user_step
    nop
    nop
    int $0x30
blob user_step_syscall
    syscall
    nop
    nop
    int $0x30
blob user_step_popf
    pushf
    orq $0x100, (%rsp)
    popf
    nop
    nop
    int $0x30
blob user_divide
    xor %ecx, %ecx
    div %ecx
blob user_kernel_jump
    jmp *%rdi
blob user_far_call
    lcall *(%rdi)
    int $0x30
blob user_selectors
    mov %cs, %eax
    mov %ss, %ecx
    shl $16, %ecx
    or %ecx, %eax
    int $0x30
blob user_iret
    mov %ss, %eax
    push %rax
    lea 8(%rsp), %rax
    push %rax
    pushf
    mov %cs, %eax
    push %rax
    lea 1f(%rip), %rax
    push %rax
    iretq
1:  mov $0x77, %eax
    int $0x30
blob user_rdpmc
    rdpmc
blob user_swapgs
    swapgs
blob user_sysret
    sysretq

    .code32
blob user_compatibility
    mov $-1, %eax
    inc %eax                    /* 40: in 64-bit mode a prefix */
    dec %eax
    push %eax
    mov %esp, %ecx
    pop %eax
    sub %esp, %ecx
    mov %ecx, %eax
    int $0x30
    .code64

    .balign PAGE_SIZE
    .globl user_end
user_end:

    .section .note.GNU-stack, "", @progbits
