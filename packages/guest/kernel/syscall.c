/*
 * syscall.c: from a number to a function.
 *
 * All arguments arrive as 64-bit registers; a function declares the ones it has, with their types,
 * and the calling convention lets it ignore the rest.
 */
#include "defs.h"

typedef i64 (*call)(u64, u64, u64, u64, u64, u64);

#define CALL(number, name) i64 sys_##name(void);
#define QUIET(number, result)
#include "syscalls.h"
#undef CALL
#undef QUIET

static const struct {
    call function;
    i64 result; /* without a function */
} calls[] = {
#define CALL(number, name) [number] = {(call)(void (*)(void))sys_##name, 0},
#define QUIET(number, value) [number] = {NULL, value == 0 ? 1 : value},
#include "syscalls.h"
};

/* True when the registers still are as SYSCALL left them, so that SYSRET may go back. */
bool kernel_syscall(struct registers *r) {
    u64 number = r->rax;
    r->error = number;
    i64 result = -ENOSYS;
    if (number < ARRAY_LENGTH(calls)) {
        if (calls[number].function)
            result = calls[number].function(r->rdi, r->rsi, r->rdx, r->r10, r->r8, r->r9);
        else if (calls[number].result)
            result = calls[number].result == 1 ? 0 : calls[number].result;
    }
    /* rt_sigreturn and execve have set the registers themselves. */
    if (r->vector == VECTOR_SYSCALL) r->rax = (u64)result;
    kernel_return(r);
    return r->vector == VECTOR_SYSCALL && r->rcx == r->rip && r->r11 == r->rflags;
}
