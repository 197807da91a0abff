/* Handlers that are interrupted by handlers, and registers that come through it all unchanged. */
#include "test.h"

static volatile int depth, deepest, raised, order[16], steps;
static volatile sigset_t seen_mask;

static void nested(int signal)
{
    sigset_t mask;
    depth++;
    if (depth > deepest)
        deepest = depth;
    order[steps++] = signal;
    if (signal == SIGUSR1)
        raise(SIGUSR2);
    if (signal == SIGUSR2)
        raise(SIGTERM);
    sigprocmask(SIG_SETMASK, 0, &mask);
    if (signal == SIGTERM)
        seen_mask = mask;
    order[steps++] = -signal;
    depth--;
}

static void show_steps(const char *what)
{
    printf("%s:", what);
    for (int i = 0; i < steps; i++)
        printf(" %d", order[i]);
    printf(", depth %d\n", deepest);
    steps = deepest = raised = 0;
}

static void again(int signal)
{
    depth++;
    if (depth > deepest)
        deepest = depth;
    if (depth < 5 && ++raised < 5)
        raise(signal);
    order[steps++] = depth;
    depth--;
}

static void clobber(int signal)
{
    (void)signal;
    __asm__ volatile(
        "xor %%eax, %%eax; mov %%rax, %%rcx; mov %%rax, %%rdx; mov %%rax, %%rsi; mov %%rax, %%rdi; mov %%rax, %%r8;"
        "mov %%rax, %%r9; mov %%rax, %%r10; mov %%rax, %%r11; pxor %%xmm0, %%xmm0; pxor %%xmm7, %%xmm7; pxor %%xmm15, %%xmm15; std; cld"
        :
        :
        : "rax", "rcx", "rdx", "rsi", "rdi", "r8", "r9", "r10", "r11", "xmm0", "xmm7", "xmm15", "cc");
    depth++;
}

/* Loads every register that a handler may use, lets a divide error happen between, and counts those that have
 * changed. */
static int changed_registers(void)
{
    unsigned long bad = 0;
    __asm__ volatile(
        "mov $0x1111, %%eax\n mov $0x2222, %%ecx\n mov $0x4444, %%esi\n mov $0x5555, %%edi\n"
        "mov $0x8888, %%r8d\n mov $0x9999, %%r9d\n mov $0xaaaa, %%r10d\n mov $0xbbbb, %%r11d\n mov $0x3333, %%edx\n"
        "movq %%r8, %%xmm0\n movq %%r9, %%xmm7\n movq %%r10, %%xmm15\n stc\n"
        "int3\n"
        "adc $0, %0\n cmp $0, %0\n setne %%bl\n movzbl %%bl, %%ebx\n sub $1, %0\n"
        "cmp $0x1111, %%rax\n je 1f\n inc %0\n1: cmp $0x2222, %%rcx\n je 1f\n inc %0\n1: cmp $0x3333, %%rdx\n je 1f\n inc %0\n"
        "1: cmp $0x4444, %%rsi\n je 1f\n inc %0\n1: cmp $0x5555, %%rdi\n je 1f\n inc %0\n1: cmp $0x8888, %%r8\n je 1f\n inc %0\n"
        "1: cmp $0x9999, %%r9\n je 1f\n inc %0\n1: cmp $0xaaaa, %%r10\n je 1f\n inc %0\n1: cmp $0xbbbb, %%r11\n je 1f\n inc %0\n"
        "1: movq %%xmm0, %%rax\n cmp $0x8888, %%rax\n je 1f\n inc %0\n1: movq %%xmm7, %%rax\n cmp $0x9999, %%rax\n je 1f\n inc %0\n"
        "1: movq %%xmm15, %%rax\n cmp $0xaaaa, %%rax\n je 1f\n inc %0\n1:"
        : "+r"(bad)
        :
        : "rax", "rbx", "rcx", "rdx", "rsi", "rdi", "r8", "r9", "r10", "r11", "xmm0", "xmm7", "xmm15", "cc");
    return (int)bad;
}

int main(void)
{
    struct sigaction action = { .sa_handler = nested };
    sigaction(SIGUSR1, &action, 0);
    sigaction(SIGUSR2, &action, 0);
    sigaction(SIGTERM, &action, 0);
    raise(SIGUSR1);
    show_steps("each interrupts the one before");
    check("inside the third all three are blocked",
          seen_mask == (1UL << (SIGUSR1 - 1) | 1UL << (SIGUSR2 - 1) | 1UL << (SIGTERM - 1)));

    /* With the others in its mask, the first one runs to its end before they begin. */
    action.sa_mask = 1UL << (SIGUSR2 - 1) | 1UL << (SIGTERM - 1);
    sigaction(SIGUSR1, &action, 0);
    raise(SIGUSR1);
    show_steps("the first blocks the others");

    action = (struct sigaction){ .sa_handler = again, .sa_flags = SA_NODEFER };
    sigaction(SIGUSR1, &action, 0);
    raise(SIGUSR1);
    show_steps("SA_NODEFER");
    action.sa_flags = 0;
    sigaction(SIGUSR1, &action, 0);
    depth = 3;
    raise(SIGUSR1);
    show_steps("without it");

    /* Two that were pending both run before the program goes on. */
    sigset_t both = 1UL << (SIGUSR1 - 1) | 1UL << (SIGUSR2 - 1);
    action.sa_handler = nested;
    action.sa_mask = both | 1UL << (SIGTERM - 1);
    sigaction(SIGUSR2, &action, 0);
    depth = 5;
    sigprocmask(SIG_BLOCK, &both, 0);
    raise(SIGUSR2);
    raise(SIGUSR1);
    sigprocmask(SIG_UNBLOCK, &both, 0);
    printf("%d steps, depth %d\n", steps, deepest - 5);

    action = (struct sigaction){ .sa_handler = clobber };
    sigaction(SIGTRAP, &action, 0);
    depth = 0;
    int changed = changed_registers();
    printf("%d handler, %d registers changed\n", depth, changed);
    return verdict() || changed;
}
