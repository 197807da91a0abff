/* switch.S: from one kernel stack to another. */
    .text

/* machine_switch(u64 *save_stack, u64 load_stack) */
    .globl machine_switch
machine_switch:
    push %rbx
    push %rbp
    push %r12
    push %r13
    push %r14
    push %r15
    mov %rsp, (%rdi)
    mov %rsi, %rsp
    pop %r15
    pop %r14
    pop %r13
    pop %r12
    pop %rbp
    pop %rbx
    ret

    .section .note.GNU-stack, "", @progbits
