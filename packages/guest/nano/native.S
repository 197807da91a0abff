/*
 * native.S: loops of privileged instructions, and handlers that the processor enters itself. Handlers
 * count in R8.
 */
#include "layout.h"

    .text

    .globl loop_in
loop_in:
    mov %rdi, %rcx
    xor %r8d, %r8d
1:  in $0x80, %al
    inc %r8
    dec %rcx
    jnz 1b
    mov %r8, %rax
    ret

/* The value alternates, so that a write that is lost shows in the value read back. */
    .globl loop_cr8wr
loop_cr8wr:
    mov %rdi, %rcx
    mov %cr8, %rdx
1:  xor $1, %edx
    mov %rdx, %cr8
    dec %rcx
    jnz 1b
    mov %cr8, %rax
    add %rdi, %rax
    ret

    .globl handle_pgfault
handle_pgfault:
    inc %r8
    add $8, %rsp                /* the error code */
    addq $2, (%rsp)
    iretq

    .globl handle_divzero
handle_divzero:
    inc %r8
    addq $2, (%rsp)
    iretq

/* RSI = the page-table entry, RDX = the address it maps: the software bit 9 of a live entry. */
    .globl loop_ptemod
loop_ptemod:
    mov %rdi, %rcx
    incq (%rdx)                 /* accessed, dirty, in the TLB */
    mov (%rsi), %rax
1:  xor $0x200, %rax
    mov %rax, (%rsi)
    dec %rcx
    jnz 1b
    incq (%rdx)
    mov (%rsi), %rax
    shr $9, %rax
    and $1, %eax                /* the software bit as it was left */
    add (%rdx), %rax            /* two more each time the loop runs */
    add %rdi, %rax
    ret

/* user_round_trips(n, code, stack): runs user_loop at CPL 3, returns what it counted. */
    .globl user_round_trips
user_round_trips:
    push %rbx
    push %rbp
    push %r12
    push %r13
    push %r14
    push %r15
    mov %rsp, kernel_rsp(%rip)
    mov %rdi, %r12
    xor %r8d, %r8d
    pushq $USER_SS
    push %rdx
    pushq $2
    pushq $USER_CS
    push %rsi
    iretq

/* The gate at the end of user_loop: INT3 has switched to the stack of the TSS. */
    .globl handle_user_done
handle_user_done:
    mov kernel_rsp(%rip), %rsp
    mov %r8, %rax
    pop %r15
    pop %r14
    pop %r13
    pop %r12
    pop %rbp
    pop %rbx
    ret

    .globl handle_syscall
handle_syscall:
    inc %r8
    sysretq

    .text
/* Whatever else happens is a bug: say the vector and stop. 16 bytes per stub. */
    .globl stray_stubs
    .balign 16
stray_stubs:
vector = 0
    .rept 32
    .balign 16
    mov $vector, %edi
    jmp stray
vector = vector + 1
    .endr
stray:
    mov %rsp, %rsi
    and $-16, %rsp
    call stray_event
    ud2

    .section .bss
    .balign 8
kernel_rsp:
    .skip 8

    .section .note.GNU-stack, "", @progbits
