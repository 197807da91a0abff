/*
 * trap.c: exceptions: what they mean to the program that caused them.
 */
#include "defs.h"

static void page_fault(struct registers *r, u64 address) {
    bool user = r->cs & 3;
    u32 access = r->error & PAGE_ERROR_FETCH ? PROT_EXEC : r->error & PAGE_ERROR_WRITE ? PROT_WRITE : PROT_READ;
    if (!current || !current->space) panic_at(r, "page fault in the kernel", address);
    current->minor_faults++;
    i64 error = fault_in(address, access);
    if (!error) return;
    if (!user) {
        if (machine_recover(r)) return;
        panic_at(r, "page fault in the kernel", address);
    }
    switch (error) {
    case -ENOMEM:
        signal_send(current, SIGKILL, NULL);
        if (current == init_process) panic("out of memory for init");
        break;
    case -EIO:
        signal_force(SIGBUS, BUS_ADRERR, address);
        break;
    default:
        signal_force(SIGSEGV, error == -EACCES ? SEGV_ACCERR : SEGV_MAPERR, address);
    }
}

/* The reason of a floating-point exception, from the unmasked status bits. */
static i32 float_code(bool simd) {
    machine_fpu_save(current->fpu);
    u32 mxcsr = *(u32 *)(current->fpu + 24), x87 = *(u16 *)(current->fpu + 2), x87_control = *(u16 *)current->fpu;
    u32 status = simd ? mxcsr & ~(mxcsr >> 7) : x87 & ~x87_control;
    return status & 1    ? FPE_FLTINV
           : status & 4  ? FPE_FLTDIV
           : status & 8  ? FPE_FLTOVF
           : status & 16 ? FPE_FLTUND
           : status & 32 ? FPE_FLTRES
                         : FPE_FLTINV;
}

void kernel_fault(struct registers *r, u64 address) {
    if (r->vector == FAULT_PAGE) {
        page_fault(r, address);
        return;
    }
    if (!(r->cs & 3)) {
        if (r->vector == FAULT_PROTECTION && machine_recover(r)) return;
        panic_at(r, "exception in the kernel", address);
    }
    switch (r->vector) {
    case FAULT_DIVIDE:
        signal_force(SIGFPE, FPE_INTDIV, r->rip);
        break;
    case FAULT_DEBUG:
        signal_force(SIGTRAP, TRAP_TRACE, r->rip);
        break;
    case FAULT_BREAKPOINT:
        signal_force(SIGTRAP, SI_KERNEL, 0);
        break;
    case FAULT_OPCODE:
        signal_force(SIGILL, ILL_ILLOPN, r->rip);
        break;
    case FAULT_X87:
    case FAULT_SIMD:
        signal_force(SIGFPE, float_code(r->vector == FAULT_SIMD), r->rip);
        break;
    case FAULT_ALIGNMENT:
        signal_force(SIGBUS, BUS_ADRALN, 0);
        break;
    case FAULT_STACK:
    case FAULT_SEGMENT:
        signal_force(SIGBUS, SI_KERNEL, 0);
        break;
    default: /* general protection and its kin */
        signal_force(SIGSEGV, SI_KERNEL, 0);
    }
}
