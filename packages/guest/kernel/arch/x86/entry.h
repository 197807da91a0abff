/* entry.h: the frame that entry.S of both builds makes, struct registers of machine.h. */
#ifndef ENTRY_H
#define ENTRY_H

#define VECTOR_SYSCALL 0x100
#define FRAME_VECTOR 120
#define FRAME_RIP 136
#define FRAME_CS 144

.macro push_registers
    push %rdi
    push %rsi
    push %rdx
    push %rcx
    push %rax
    push %r8
    push %r9
    push %r10
    push %r11
    push %rbx
    push %rbp
    push %r12
    push %r13
    push %r14
    push %r15
.endm

.macro pop_registers
    pop %r15
    pop %r14
    pop %r13
    pop %r12
    pop %rbp
    pop %rbx
    pop %r11
    pop %r10
    pop %r9
    pop %r8
    pop %rax
    pop %rcx
    pop %rdx
    pop %rsi
    pop %rdi
.endm

#endif
