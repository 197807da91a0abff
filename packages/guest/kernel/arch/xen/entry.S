/*
 * entry.S: from programs and from events to C, and back.
 *
 * Xen has switched to the kernel's tables, stack and GS, and has masked events. At RSP lie RCX, R11,
 * for some exceptions an error code, then what IRET would pop. The frame built here is struct
 * registers. The only way back is the iret hypercall.
 */
#include "entry.h"
#include "layout.h"
#include "xen.h"

    .text

/* The program's SYSCALL. Xen reports selectors of its own; the program sees the usual ones. */
    .globl entry_syscall
    .balign 16
entry_syscall:
    pop %rcx
    pop %r11
    movq $USER_CS, 8(%rsp)
    movq $USER_SS, 32(%rsp)
    push %rax
    pushq $VECTOR_SYSCALL
    push_registers
    mov %rsp, %rdi
    call kernel_syscall
    cmpl $0, batch_waiting(%rip)
    jne 2f
1:  test %al, %al
    jz return_by_iret
    pop_registers
    movq %rcx, (%rsp)           /* over the vector */
    movq $VGCF_IN_SYSCALL, 8(%rsp)
    jmp hypercall_iret
2:  mov %eax, %ebx
    call batch_flush
    mov %ebx, %eax
    jmp 1b

/* 32-bit code cannot make system calls: it gets what an unknown number gets. */
    .globl entry_syscall32
entry_syscall32:
    pop %rcx
    pop %r11
    mov $-38, %eax
    pushq $0                    /* flags */
    push %rcx
    jmp hypercall_iret

/* Where a new process begins: its registers lie at RSP. */
    .globl first_return
first_return:
    mov %rsp, %rdi
    call kernel_begin

return_from_event:
    cmpl $0, batch_waiting(%rip)
    je return_by_iret
    call batch_flush
return_by_iret:
    pop_registers
    mov %rcx, (%rsp)            /* over the vector */
    movq $0, 8(%rsp)            /* over the error code: no flags */

/* RSP: RCX, flags, RIP, CS, RFLAGS, RSP, SS. */
hypercall_iret:
    push %r11
    push %rax
    mov $HYPERVISOR_iret, %eax
    syscall
    ud2

/* One stub of 16 bytes for each exception; those without an error code push a zero. */
    .globl entry_stubs
    .balign 16
entry_stubs:
vector = 0
    .rept 20
    .balign 16
    pop %rcx
    pop %r11
    .if !(vector == 8 || (vector >= 10 && vector <= 14) || vector == 17)
    pushq $0
    .endif
    pushq $vector
    jmp entry_common
vector = vector + 1
    .endr

    .balign 16
entry_common:
    cld
    push_registers
    mov %rsp, %rdi
    call event
    jmp return_from_event

    .globl entry_upcall
entry_upcall:
    pop %rcx
    pop %r11
    pushq $0
    pushq $VECTOR_SYSCALL + 1   /* VECTOR_NONE */
    cld
    push_registers
    mov %rsp, %rdi
    call upcall
    jmp return_from_event

/* Xen could not load what an iret frame asked for. */
    .globl entry_failsafe
entry_failsafe:
    call failsafe
    ud2

    .section .note.GNU-stack, "", @progbits
