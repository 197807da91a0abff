/* What a system call leaves in the registers, and what it does not touch. */
#include "test.h"
#include <sys/syscall.h>

static struct registers {
    unsigned long rax, rbx, rcx, rdx, rsi, rdi, rbp, r8, r9, r10, r11, r12, r13, r14, r15, flags;
} got;

static unsigned long number, flags, kept_rbp;

/* Makes the system call with every register loaded, and leaves in `got` what they hold afterwards. */
static void call(unsigned long the_number, unsigned long the_flags)
{
    number = the_number;
    flags = the_flags;
    __asm__ volatile(
        "mov %%rbp, %[kept]; sub $128, %%rsp; push %[flags]; popf; mov %[number], %%rax\n"
        "mov $0x1001, %%ebx; mov $0x1002, %%ecx; mov $0x1003, %%edx; mov $0x1004, %%esi; mov $0x1005, %%edi; mov $0x1006, %%ebp\n"
        "mov $0x1008, %%r8d; mov $0x1009, %%r9d; mov $0x100a, %%r10d; mov $0x100b, %%r11d\n"
        "mov $0x100c, %%r12d; mov $0x100d, %%r13d; mov $0x100e, %%r14d; mov $0x100f, %%r15d\n"
        "syscall\n"
        "mov %%rax, %0; mov %%rbx, 8+%0; mov %%rcx, 16+%0; mov %%rdx, 24+%0; mov %%rsi, 32+%0; mov %%rdi, 40+%0\n"
        "mov %%rbp, 48+%0; mov %%r8, 56+%0; mov %%r9, 64+%0; mov %%r10, 72+%0; mov %%r11, 80+%0\n"
        "mov %%r12, 88+%0; mov %%r13, 96+%0; mov %%r14, 104+%0; mov %%r15, 112+%0\n"
        "pushf; pop 120+%0; cld; add $128, %%rsp; mov %[kept], %%rbp\n"
        : "+m"(got)
        : [kept] "m"(kept_rbp), [flags] "m"(flags), [number] "m"(number)
        : "rax", "rbx", "rcx", "rdx", "rsi", "rdi", "r8", "r9", "r10", "r11", "r12", "r13", "r14", "r15",
          "memory", "cc");
}

static void show_registers(const char *what, const struct registers *r)
{
    printf(
        "%s: rbx %lx rdx %lx rsi %lx rdi %lx rbp %lx r8 %lx r9 %lx r10 %lx r12 %lx r13 %lx r14 %lx r15 %lx\n",
        what, r->rbx, r->rdx, r->rsi, r->rdi, r->rbp, r->r8, r->r9, r->r10, r->r12, r->r13, r->r14, r->r15);
    printf("  flags %#lx\n", r->flags);
}

int main(void)
{
    call(SYS_getppid, 0x202);
    check("getppid", got.rax == (unsigned long)getppid());
    show_registers("getppid", &got);
    check("rcx is the address after SYSCALL",
          ((unsigned char *)got.rcx)[-2] == 0x0f && ((unsigned char *)got.rcx)[-1] == 0x05);
    printf("r11 is the flags: %#lx\n", got.r11);
    call(SYS_getppid, 0x202 | 0x8d5 | 0x400);
    show_registers("with all flags set", &got);
    printf("r11 is the flags: %#lx\n", got.r11);
    call(999, 0x202);
    show_registers("a call that is none", &got);
    printf("rax %ld\n", (long)got.rax);
    call(SYS_close, 0x202);
    show_registers("close of a wrong descriptor", &got);
    printf("rax %ld\n", (long)got.rax);

    unsigned cs, ss;
    __asm__("mov %%cs, %0; mov %%ss, %1" : "=r"(cs), "=r"(ss));
    printf("privilege level %u, stack %u\n", cs & 3, ss & 3);
    return verdict();
}
