/* entry.S: from every vector to event(), and back; and to CPL 3. */
#include "layout.h"

    .text
    .globl stubs
    .balign 16
stubs:
vector = 0
    .rept 96
    .balign 16
    .if !(vector == 8 || (vector >= 10 && vector <= 14) || vector == 17)
    pushq $0
    .endif
    pushq $vector
    jmp common
vector = vector + 1
    .endr

common:
    push %rax
    push %rbx
    push %rcx
    push %rdx
    push %rsi
    push %rdi
    push %rbp
    push %r8
    push %r9
    push %r10
    push %r11
    push %r12
    push %r13
    push %r14
    push %r15
    cld
    mov %rsp, %rdi
    call event
    pop %r15
    pop %r14
    pop %r13
    pop %r12
    pop %r11
    pop %r10
    pop %r9
    pop %r8
    pop %rbp
    pop %rdi
    pop %rsi
    pop %rdx
    pop %rcx
    pop %rbx
    pop %rax
    add $16, %rsp
    iretq

/* enter_user(rip, rsp, rflags, argument, cs): argument in RDI; comes back when leave_user() is called. */
    .globl enter_user
enter_user:
    push %rbx
    push %rbp
    push %r12
    push %r13
    push %r14
    push %r15
    mov %rsp, kernel_stack(%rip)
    pushq $USER_SS
    push %rsi
    push %rdx
    push %r8
    push %rdi
    mov %rcx, %rdi
    xor %eax, %eax
    xor %ecx, %ecx
    iretq

    .globl leave_user
leave_user:
    mov kernel_stack(%rip), %rsp
    pushq $2                    /* AC and others stay as the program had them */
    popf
    mov $KERNEL_SS, %eax        /* the change of level left none */
    mov %eax, %ss
    pop %r15
    pop %r14
    pop %r13
    pop %r12
    pop %rbp
    pop %rbx
    ret

/* SYSCALL: what it left in RCX, R11 and RFLAGS, then back by SYSRET with R11 as RFLAGS. */
    .globl entry_syscall
entry_syscall:
    mov %rcx, syscall_rcx(%rip)
    mov %r11, syscall_r11(%rip)
    mov %rsp, syscall_rsp(%rip)
    mov $syscall_stack_top, %rsp
    pushf
    pop syscall_flags(%rip)
    mov %cs, %eax
    mov %eax, syscall_cs(%rip)
    mov %ss, %eax
    mov %eax, syscall_ss(%rip)
    incl syscall_count(%rip)
    mov syscall_rsp(%rip), %rsp
    sysretq

    .bss
    .balign 16
    .skip 1024
syscall_stack_top:
kernel_stack:
    .skip 8
    .globl syscall_rcx, syscall_r11, syscall_rsp, syscall_flags, syscall_cs, syscall_ss, syscall_count
syscall_rcx: .skip 8
syscall_r11: .skip 8
syscall_rsp: .skip 8
syscall_flags: .skip 8
syscall_cs: .skip 4
syscall_ss: .skip 4
syscall_count: .skip 4

    .section .note.GNU-stack, "", @progbits
