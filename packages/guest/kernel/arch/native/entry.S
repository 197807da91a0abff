/*
 * entry.S: from user mode and from interrupts to C, and back.
 *
 * In the kernel GS points to struct processor, in user mode to wherever the program wants; SWAPGS
 * changes between the two whenever the privilege level changes. The frame built here is struct
 * registers.
 */
#include "entry.h"
#include "layout.h"

#define PROCESSOR_STACK 0
#define PROCESSOR_SCRATCH 8
    .text

/* SYSCALL: RCX = RIP and R11 = RFLAGS of the program; RSP is still the program's. */
    .globl entry_syscall
    .balign 16
entry_syscall:
    swapgs
    mov %rsp, %gs:PROCESSOR_SCRATCH
    mov %gs:PROCESSOR_STACK, %rsp
    pushq $USER_SS
    pushq %gs:PROCESSOR_SCRATCH
    push %r11
    pushq $USER_CS
    push %rcx
    push %rax
    pushq $VECTOR_SYSCALL
    push_registers
    mov %rsp, %rdi
    call kernel_syscall
    test %al, %al
    jz return_by_iret
    pop_registers
    mov 40(%rsp), %rsp          /* past vector, error, RIP, CS, RFLAGS */
    swapgs
    sysretq

/* 32-bit code cannot make system calls: it gets what an unknown number gets. */
    .globl entry_syscall32
entry_syscall32:
    mov $-38, %eax
    sysretl

return_by_iret:
    testb $3, FRAME_CS(%rsp)
    jz 1f
    swapgs
1:  pop_registers
    add $16, %rsp               /* vector, error */
    iretq

/* One stub of 16 bytes for each vector; those without an error code push a zero. */
    .globl entry_stubs
    .balign 16
entry_stubs:
vector = 0
    .rept 64
    .balign 16
    .if !(vector == 8 || (vector >= 10 && vector <= 14) || vector == 17)
    pushq $0
    .endif
    pushq $vector
    jmp entry_common
vector = vector + 1
    .endr

    .balign 16
entry_common:
    testb $3, 24(%rsp)          /* CS */
    jz 1f
    swapgs
1:  cld
entry_swapped:
    push_registers
    mov %rsp, %rdi
    call event
    jmp return_by_iret

/*
 * #DB has a stack of its own (IST), because a single step may hit the first instruction of
 * entry_syscall, where RSP is the program's. From user mode it moves to the kernel stack.
 */
    .globl entry_debug
entry_debug:
    testb $3, 8(%rsp)
    jz 1f
    swapgs
    cld
    mov %rax, %gs:PROCESSOR_SCRATCH
    mov %rsp, %rax
    mov %gs:PROCESSOR_STACK, %rsp
    pushq 32(%rax)
    pushq 24(%rax)
    pushq 16(%rax)
    pushq 8(%rax)
    pushq (%rax)
    mov %gs:PROCESSOR_SCRATCH, %rax
    pushq $0
    pushq $1
    jmp entry_swapped
1:  andq $~0x100, 16(%rsp)      /* the kernel does not step: TF off */
    iretq

/* NMI: nothing here uses it. */
    .globl entry_nmi
entry_nmi:
    iretq

/* #DF and #MC, on stacks of their own: the end. */
    .globl entry_double_fault
entry_double_fault:
    pushq $8
    jmp 1f
    .globl entry_machine_check
entry_machine_check:
    pushq $0
    pushq $18
1:  push_registers
    mov %rsp, %rdi
    call event_fatal
    ud2

/* Where a new process begins: its registers lie at RSP. */
    .globl first_return
first_return:
    mov %rsp, %rdi
    call kernel_begin
    jmp return_by_iret

    .section .note.GNU-stack, "", @progbits
