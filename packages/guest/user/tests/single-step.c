/* The trap flag: after which instructions a program that steps itself is trapped. */
#include "test.h"

static volatile unsigned long steps[200];
static volatile int count;

static void on_trap(int signal, siginfo_t *info, void *context)
{
    const ucontext_t *c = context;
    (void)signal, (void)info;
    if (count < 200)
        steps[count++] = c->uc_mcontext.gregs[REG_RIP];
}

/* Prints the places of the traps as distances from the first instruction behind POPF. */
static void show_steps(const char *what, const char *start)
{
    printf("%s:", what);
    for (int i = 0; i < count; i++)
        printf(" %ld", (long)(steps[i] - (unsigned long)start));
    printf("\n");
    count = 0;
}

/* Runs `code` with TF set; `1:` is where it begins. Everything it touches is to be listed. */
#define STEP(what, code, ...)                                                                         \
    do {                                                                                              \
        const char *start;                                                                            \
        __asm__ volatile("lea 1f(%%rip), %0\n sub $128, %%rsp\n pushf\n orl $0x100, (%%rsp)\n popf\n" \
                         "1: " code "\n"                                                              \
                         "pushf\n andl $~0x100, (%%rsp)\n popf\n add $128, %%rsp"                     \
                         : "=&r"(start)                                                               \
                         :                                                                            \
                         : "memory", "cc", ##__VA_ARGS__);                                            \
        show_steps(what, start);                                                                      \
    } while (0)

/* Not static: the compiler does not see that the assembly uses them. */
char from[8] = "abcdefg", to[8];

int main(void)
{
    struct sigaction action = { .sa_sigaction = on_trap, .sa_flags = SA_SIGINFO };
    sigaction(SIGTRAP, &action, 0);

    STEP("nops", "nop; nop; xor %%eax, %%eax; nop", "rax");
    STEP("a taken jump", "xor %%eax, %%eax; jz 2f; nop; nop; 2: nop", "rax");
    STEP("a call", "call 2f; jmp 3f; 2: nop; ret; 3: nop");
    STEP("a loop", "mov $3, %%ecx; 2: loop 2b; nop", "rcx");
    STEP("rep movsb", "lea from(%%rip), %%rsi; lea to(%%rip), %%rdi; mov $4, %%ecx; rep movsb; nop", "rsi",
         "rdi", "rcx");
    printf("moved '%s'\n", to);
    STEP("rep movsb of nothing", "xor %%ecx, %%ecx; rep movsb; nop", "rcx");
    STEP("pushf and popf", "pushf; popf; nop");
    STEP("a fault between", "mov $1, %%eax; int3; nop", "rax");
    STEP("memory", "push %%rax; pop %%rdx; lock incq -8(%%rsp); nop", "rdx");
    STEP("floating point", "movq %%rax, %%xmm0; addsd %%xmm0, %%xmm0; fld1; fstp %%st(0)", "xmm0", "st");

    /* What the program sees of its own flags while it steps. */
    unsigned long flags;
    __asm__ volatile("sub $128, %%rsp; pushf; orl $0x100, (%%rsp); popf; pushf; pop %0\n"
                     "pushf; andl $~0x100, (%%rsp); popf; add $128, %%rsp"
                     : "=&r"(flags)
                     :
                     : "memory", "cc");
    printf("TF is %d, %d traps\n", (int)(flags >> 8 & 1), count);
    count = 0;

    /* A handler can begin and end the stepping. */
    __asm__ volatile("nop; nop");
    printf("%d traps without\n", count);
    return verdict();
}
