/*
 * loops.S: the loops that are measured on every machine. The handlers they enter are the machine's.
 *
 * A loop takes the number of operations in RDI (at least 1) and returns in RAX what its operations
 * added up to. Handlers count in R8, so that the result says how often they really ran.
 * Each iteration is the operation, plus `dec` and `jnz`.
 */
#include "layout.h"
#include "../abi/ringside.h"

.macro mark id
    .byte 0x0f, 0x1f, 0x84, 0x00
    .long RINGSIDE_MARK_BASE | \id
.endm

    .text

    .globl loop_call_ret
loop_call_ret:
    mov %rdi, %rcx
    xor %r8d, %r8d
1:  call callee
    dec %rcx
    jnz 1b
    mov %r8, %rax
    ret
callee:
    inc %r8
    ret

/* RSI = an address that is not mapped. */
    .globl loop_pgfault
loop_pgfault:
    mov %rdi, %rcx
    xor %r8d, %r8d
1:  movb (%rsi), %al            /* 2 bytes, which the handler skips */
    dec %rcx
    jnz 1b
    mov %r8, %rax
    ret

    .globl loop_divzero
loop_divzero:
    mov %rdi, %rcx
    xor %r8d, %r8d
    xor %esi, %esi
    mov $1, %eax
    xor %edx, %edx
1:  div %esi                    /* 2 bytes, which the handler skips */
    dec %rcx
    jnz 1b
    mov %r8, %rax
    ret

/* A page of its own, which the machine maps for CPL 3. R12 = n; SYSCALL overwrites RCX and R11. */
    .section .text.user, "ax"
    .balign PAGE_SIZE
    .globl user_page
user_page:
    mark RINGSIDE_MARK_BENCHMARK_START
    mov %r12, %rbx
1:  syscall
    dec %rbx
    jnz 1b
    mark RINGSIDE_MARK_BENCHMARK_COLD_END
    mov %r12, %rbx
2:  syscall
    dec %rbx
    jnz 2b
    mark RINGSIDE_MARK_BENCHMARK_END
    int3
    ud2
    .balign PAGE_SIZE

    .section .note.GNU-stack, "", @progbits
