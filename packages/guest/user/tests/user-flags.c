/* What POPF does and does not do in user mode, and what the segments look like from there. */
#include "test.h"
#include <sys/syscall.h>

enum {
    CARRY = 1,
    PARITY = 4,
    ADJUST = 16,
    ZERO = 64,
    SIGN = 128,
    TRAP = 256,
    INTERRUPT = 512,
    DIRECTION = 1024,
    OVERFLOW = 2048,
    PRIVILEGE = 0x3000,
    NESTED = 0x4000,
    IDENTIFICATION = 1 << 21,
};

/* Loads the flags, reads them back, and puts ordinary ones in their place. */
static unsigned long through_popf(unsigned long flags)
{
    unsigned long seen;
    __asm__ volatile("sub $128, %%rsp; push %1; popf; pushf; pop %0; push $0x202; popf; add $128, %%rsp"
                     : "=&r"(seen)
                     : "r"(flags)
                     : "memory", "cc");
    return seen;
}

static unsigned through_popf_16(unsigned flags)
{
    unsigned long seen;
    __asm__ volatile("sub $128, %%rsp; pushw %w1; popfw; pushf; pop %0; push $0x202; popf; add $128, %%rsp"
                     : "=&r"(seen)
                     : "r"(flags)
                     : "memory", "cc");
    return (unsigned)seen;
}

int main(void)
{
    printf("nothing: %#lx\n", through_popf(0));
    printf("arithmetic flags: %#lx\n", through_popf(CARRY | PARITY | ADJUST | ZERO | SIGN | OVERFLOW));
    printf("direction: %#lx\n", through_popf(DIRECTION));
    printf("privilege and no interrupts: %#lx\n", through_popf(PRIVILEGE));
    printf("privilege and interrupts: %#lx\n", through_popf(PRIVILEGE | INTERRUPT));
    printf("nested task: %#lx\n", through_popf(NESTED));
    printf("identification: %#lx\n", through_popf(IDENTIFICATION));
    printf("all but trap, alignment and resume: %#lx\n",
           through_popf(~(unsigned long)(TRAP | 1 << 18 | 1 << 16)));
    printf("16 bits: %#x\n", through_popf_16(0xffff & ~TRAP));

    /* Flags that the kernel has no use for come through system calls, signals and time slices. */
    unsigned long seen;
    __asm__ volatile(
        "sub $128, %%rsp; push %1; popf; mov %2, %%eax; syscall; pushf; pop %0; push $0x202; popf; add $128, %%rsp"
        : "=&r"(seen)
        : "r"((unsigned long)(NESTED | IDENTIFICATION | CARRY | OVERFLOW)), "i"(SYS_getppid)
        : "memory", "cc", "rax", "rcx", "r11");
    printf("after a system call: %#lx\n", seen);
    pid_t child = fork();
    if (child == 0)
        for (volatile int i = 0; i < 3000000; i++)
            if (i == 2999999)
                _exit(0);
    __asm__ volatile(
        "sub $128, %%rsp; push %1; popf; mov $20000000, %%ecx; 1: lea -1(%%rcx), %%rcx; jrcxz 2f; jmp 1b; 2: pushf; pop %0\n"
        "push $0x202; popf; add $128, %%rsp"
        : "=&r"(seen)
        : "r"((unsigned long)(NESTED | IDENTIFICATION | CARRY | OVERFLOW | DIRECTION))
        : "memory", "cc", "rcx");
    printf("after a long loop: %#lx\n", seen);
    show_end("another process", child);

    /* The code and stack segments, as the instructions that ask for them answer in any ring. */
    unsigned cs, ss, rights, limit;
    unsigned char ok;
    __asm__("mov %%cs, %0; mov %%ss, %1" : "=r"(cs), "=r"(ss));
    __asm__("lar %2, %0; setz %1" : "=r"(rights), "=q"(ok) : "r"(cs) : "cc");
    printf("lar of the code segment: %d %#x\n", ok, rights & 0xff00);
    __asm__("lar %2, %0; setz %1" : "=r"(rights), "=q"(ok) : "r"(ss) : "cc");
    printf("lar of the stack segment: %d %#x\n", ok, rights & 0xff00);
    __asm__("lsl %2, %0; setz %1" : "=r"(limit), "=q"(ok) : "r"(ss) : "cc");
    printf("lsl of the stack segment: %d %#x\n", ok, limit);
    __asm__("verr %w1; setz %0" : "=q"(ok) : "r"(cs) : "cc");
    printf("verr of the code segment: %d\n", ok);
    __asm__("verw %w1; setz %0" : "=q"(ok) : "r"(cs) : "cc");
    printf("verw of the code segment: %d\n", ok);
    __asm__("verw %w1; setz %0" : "=q"(ok) : "r"(ss) : "cc");
    printf("verw of the stack segment: %d\n", ok);
    __asm__("lar %2, %0; setz %1" : "=r"(rights), "=q"(ok) : "r"(0) : "cc");
    printf("lar of the null selector: %d\n", ok);
    __asm__("lar %2, %0; setz %1" : "=r"(rights), "=q"(ok) : "r"(0xfff8) : "cc");
    printf("lar beyond the table: %d\n", ok);

    /* Null selectors may be loaded; the stack's own, too. */
    __asm__ volatile("mov %0, %%ds; mov %0, %%es" : : "r"(0));
    __asm__ volatile("mov %0, %%ss" : : "r"(ss));
    __asm__ volatile("mov %%ds, %0; mov %%es, %1" : "=r"(rights), "=r"(limit));
    printf("ds %u es %u\n", rights, limit);
    return verdict();
}
