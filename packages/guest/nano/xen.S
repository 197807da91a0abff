/*
 * xen.S: handlers that Xen enters, with RCX and R11 above what IRET would pop; the way back is the iret
 * hypercall. Handlers count in R8.
 */
#include "layout.h"
#include "xen.h"

    .text

/* RSP: RCX, flags, RIP, CS, RFLAGS, RSP, SS. R11 is in its register. */
.macro return_by_hypercall
    push %r11
    push %rax
    mov $HYPERVISOR_iret, %eax
    syscall
.endm

    .globl handle_pgfault
handle_pgfault:
    mov (%rsp), %rcx
    mov 8(%rsp), %r11
    inc %r8
    add $8, %rsp
    mov %rcx, (%rsp)
    movq $0, 8(%rsp)            /* over the error code */
    addq $2, 16(%rsp)
    return_by_hypercall

    .globl handle_divzero
handle_divzero:
    mov (%rsp), %rcx
    mov 8(%rsp), %r11
    inc %r8
    mov %rcx, (%rsp)
    movq $0, 8(%rsp)
    addq $2, 16(%rsp)
    return_by_hypercall

    .globl handle_syscall
handle_syscall:
    mov (%rsp), %rcx
    mov 8(%rsp), %r11
    inc %r8
    mov %rcx, (%rsp)
    movq $VGCF_IN_SYSCALL, 8(%rsp)
    return_by_hypercall

/* user_round_trips(n, code, stack): runs user_page in user mode, returns what was counted. */
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
    pushq $FLAT_KERNEL_SS
    push %rdx
    pushq $2
    mov %cs, %eax
    push %rax
    push %rsi
    pushq $0
    push %rcx
    return_by_hypercall

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

/* Whatever else happens is a bug: say the vector and stop. 16 bytes per stub. */
    .globl stray_stubs
    .balign 16
stray_stubs:
vector = 0
    .rept 20
    .balign 16
    mov $vector, %edi
    jmp stray
vector = vector + 1
    .endr
stray:
    lea 16(%rsp), %rsi
    and $-16, %rsp
    call stray_event
    ud2

    .section .bss
    .balign 8
kernel_rsp:
    .skip 8

    .section .note.GNU-stack, "", @progbits
