/*
 * usercopy.S: the only instructions of the kernel that touch memory of programs. When one of them
 * faults and the fault cannot be served, machine_recover() sends it to usercopy_failed.
 *
 * None of them pushes anything, so that the way out is a plain return.
 */
    .text
    .globl usercopy_start
usercopy_start:

/* i64 machine_copy(void *to, const void *from, usize count) */
    .globl machine_copy
machine_copy:
    mov %rdx, %rcx
    shr $3, %rcx
    jz 1f
    rep movsq
1:  mov %edx, %ecx
    and $7, %ecx
    jz 2f
    rep movsb
2:  xor %eax, %eax
    ret

/* i64 machine_clear(void *to, usize count) */
    .globl machine_clear
machine_clear:
    xor %eax, %eax
    mov %rsi, %rcx
    shr $3, %rcx
    rep stosq
    mov %esi, %ecx
    and $7, %ecx
    rep stosb
    ret

/* i64 machine_copy_string(char *to, const char *from, usize count) */
    .globl machine_copy_string
machine_copy_string:
    xor %eax, %eax
1:  cmp %rdx, %rax
    je 2f
    mov (%rsi,%rax), %cl
    mov %cl, (%rdi,%rax)
    test %cl, %cl
    jz 2f
    inc %rax
    jmp 1b
2:  ret

    .globl usercopy_end
usercopy_end:

    .globl usercopy_failed
usercopy_failed:
    mov $-14, %rax              /* -EFAULT */
    ret

    .section .note.GNU-stack, "", @progbits
