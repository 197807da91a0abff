/* entry.S: from every vector to event(), and back; and to CPL 3. */
#include "event-path.h"
#include "layout.h"

    .text
    .globl stubs
    .balign 16
stubs:
    vector_stubs 96

common:
    call_event
    add $16, %rsp
    iretq

/* enter_user(rip, rsp, rflags, argument, cs): argument in RDI; comes back when leave_user() is called. */
    .globl enter_user
enter_user:
    save_callers
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
    restore_callers
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
