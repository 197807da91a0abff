/*
 * registers.c: what a process starts with, what a program may have in its registers, and the way
 * out of a copy that faulted.
 */
#include "x86.h"

extern char usercopy_start[], usercopy_end[], usercopy_failed[];

/* Registers at the top, below them what machine_switch() pops. */
u64 machine_first_stack(u64 stack_top) {
    u64 *stack = (u64 *)(stack_top - sizeof(struct registers));
    *--stack = (u64)first_return;
    for (int i = 0; i < 6; i++) *--stack = 0;
    return (u64)stack;
}

bool machine_user_registers(struct registers *r) {
    r->cs = USER_CS;
    r->ss = USER_SS;
    r->rflags = (r->rflags & RFLAGS_USER) | RFLAGS_IF | RFLAGS_FIXED;
    return r->rip < USER_TOP; /* IRET and SYSRET fault in the kernel on others */
}

bool machine_recover(struct registers *r) {
    if (r->rip < (u64)usercopy_start || r->rip >= (u64)usercopy_end) return false;
    r->rip = (u64)usercopy_failed;
    return true;
}
