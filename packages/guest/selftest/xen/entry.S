/*
 * entry.S: from Xen's bounce frames to event(), and back by the iret hypercall; and to user mode.
 *
 * At RSP lie RCX, R11, for some exceptions an error code, then what IRET would pop. The frame built here is struct
 * frame of report.h.
 */
#include "../event-path.h"
#include "layout.h"
#include "xen.h"

    .text
    .globl stubs
    .balign 16
stubs:
.macro take_rcx_r11
    pop %rcx
    pop %r11
.endm
    vector_stubs 50, take_rcx_r11

    .globl entry_syscall
entry_syscall:
    take_rcx_r11
    pushq $0
    pushq $0x40                 /* VECTOR_SYSCALL */
    jmp common

    .globl entry_upcall
entry_upcall:
    take_rcx_r11
    pushq $0
    pushq $0x41                 /* VECTOR_UPCALL */

common:
    call_event
    mov %rcx, (%rsp)            /* over the vector */
    push %r11
    push %rax
    mov return_flags(%rip), %rax
    mov %rax, 24(%rsp)          /* over the error code */
    mov $HYPERVISOR_iret, %eax
    syscall
    ud2

/* enter_user(rip, rsp, rflags, argument): argument in RDI; comes back when leave_user() is called. */
    .globl enter_user
enter_user:
    save_callers
    mov %rsp, kernel_rsp(%rip)
    pushq $FLAT_KERNEL_SS
    push %rsi
    push %rdx
    mov %cs, %eax
    push %rax
    push %rdi
    pushq $0                    /* flags */
    pushq $0                    /* RCX, R11, RAX */
    pushq $0
    pushq $0
    mov %rcx, %rdi
    mov $HYPERVISOR_iret, %eax
    syscall
    ud2

    .globl leave_user
leave_user:
    mov kernel_rsp(%rip), %rsp
    pushq $2
    popf
    restore_callers
    ret

/* What runs in user mode, on a page of its own. INT3 is the way back. */
    .section .text.user, "ax"
    .balign PAGE_SIZE
    .globl user_text, user_nothing, user_divide, user_undefined, user_halt, user_cli, user_cr0, user_port
    .globl user_open_gate, user_closed_gate, user_read, user_write, user_fetch, user_call
    .globl user_fs
user_text:
user_nothing:
    int3
user_divide:
    xor %edx, %edx
    xor %ecx, %ecx
    div %ecx
user_undefined:
    ud2
user_halt:
    hlt
user_cli:
    cli
user_cr0:
    mov %cr0, %rax
user_port:
    in $0x21, %al
user_open_gate:
    int $0x30
user_closed_gate:
    int $0x31
user_read:
    mov (%rdi), %al
    int3
user_write:
    movb $0xc3, (%rdi)
    int3
user_fetch:
    call *%rdi
    int3
user_call:                      /* RDI goes to the kernel as the call's number */
    mov %rdi, %rax
    mov $0x1111, %ecx
    mov $0x2222, %r11d
    syscall
    .globl user_call_end
user_call_end:
    mov %rcx, %rbx
    mov %r11, %rbp
    int3
user_fs:
    mov %fs:0, %rax
    int3
    .balign PAGE_SIZE

    .bss
    .balign 8
kernel_rsp:
    .skip 8
    .globl return_flags
return_flags:
    .skip 8

    .section .note.GNU-stack, "", @progbits
