/*
 * Where a program starts. The kernel leaves the stack as the System V ABI for x86-64, §3.4.1 "Initial Stack and
 * Register State", says: argc at (%rsp), then argv, a null, envp, a null, and the auxiliary vector.
 */
    .text
    .globl _start
    .type _start, @function
_start:
    xorl %ebp, %ebp		/* The outermost frame has no caller. */
    movq %rsp, %rdi
    andq $-16, %rsp
    call __start_c
    hlt			/* Not reached: __start_c exits. */

/* The kernel returns from a signal handler to the restorer, which gives the frame back to the kernel. */
    .globl __restore_signal
    .type __restore_signal, @function
__restore_signal:
    movl $15, %eax		/* rt_sigreturn */
    syscall

/* The child runs on the parent's stack, so the return address must not stay there for the child to overwrite. */
    .globl vfork
    .type vfork, @function
vfork:
    popq %rdx
    movl $58, %eax
    syscall
    pushq %rdx
    movq %rax, %rdi
    jmp __result

    .globl setjmp
    .type setjmp, @function
setjmp:
    movq %rbx, (%rdi)
    movq %rbp, 8(%rdi)
    movq %r12, 16(%rdi)
    movq %r13, 24(%rdi)
    movq %r14, 32(%rdi)
    movq %r15, 40(%rdi)
    leaq 8(%rsp), %rdx	/* The stack as it is after the return. */
    movq %rdx, 48(%rdi)
    movq (%rsp), %rdx
    movq %rdx, 56(%rdi)
    xorl %eax, %eax
    ret

    .globl longjmp
    .type longjmp, @function
longjmp:
    movl %esi, %eax
    testl %eax, %eax
    jnz 1f
    incl %eax		/* setjmp returns 0 only the first time. */
1:	movq (%rdi), %rbx
    movq 8(%rdi), %rbp
    movq 16(%rdi), %r12
    movq 24(%rdi), %r13
    movq 32(%rdi), %r14
    movq 40(%rdi), %r15
    movq 48(%rdi), %rsp
    jmp *56(%rdi)

    .section .note.GNU-stack, "", @progbits
