/* Processor exceptions become signals, with the code and address that Linux gives them, and kill a process
 * without handler. */
#include "test.h"
#include <setjmp.h>

static sigjmp_buf escape;
static volatile int last, last_code, trap_number;
static volatile unsigned long fault_address, instruction;

static void leave(int signal, siginfo_t *info, void *context)
{
    const ucontext_t *c = context;
    last = signal;
    last_code = info->si_code;
    fault_address = (unsigned long)info->si_addr;
    instruction = c->uc_mcontext.gregs[REG_RIP];
    trap_number = (int)c->uc_mcontext.gregs[REG_TRAPNO];
    siglongjmp(escape, 1);
}

static void divide(void)
{
    __asm__ volatile("xor %%edx, %%edx; mov $1, %%eax; xor %%ecx, %%ecx; div %%ecx"
                     :
                     :
                     : "rax", "rcx", "rdx");
}
static void divide_overflow(void)
{
    __asm__ volatile("mov $2, %%edx; mov $1, %%eax; mov $1, %%ecx; div %%ecx" : : : "rax", "rcx", "rdx");
}
static void undefined(void) { __asm__ volatile("ud2"); }
static void halt(void) { __asm__ volatile("hlt"); }
static void port(void) { __asm__ volatile("in $0x80, %%al" : : : "rax"); }
static void interrupts_off(void) { __asm__ volatile("cli"); }
static void control_register(void) { __asm__ volatile("mov %%cr3, %%rax" : : : "rax"); }
static void model_register(void) { __asm__ volatile("mov $0x10, %%ecx; rdmsr" : : : "rax", "rcx", "rdx"); }
static void trap_flag(void)
{
    __asm__ volatile("pushf; orl $0x100, (%%rsp); popf; nop; nop" : : : "cc", "memory");
}
static void breakpoint(void) { __asm__ volatile("int3"); }
static void interrupt_128(void) { __asm__ volatile("int $0xf0"); }
static void non_canonical(void)
{
    __asm__ volatile("mov $0x8000000000000000, %%rax; mov (%%rax), %%al" : : : "rax");
}
static void wild_jump(void) { __asm__ volatile("mov $0x10, %%eax; call *%%rax" : : : "rax"); }
static void null_read(void) { __asm__ volatile("xor %%eax, %%eax; mov (%%rax), %%al" : : : "rax"); }

static const struct {
    const char *name;
    void (*run)(void);
    int tell_address;
} faults[] = {
    { "divide by zero", divide, 0 },
    { "divide overflow", divide_overflow, 0 },
    { "undefined instruction", undefined, 0 },
    { "hlt", halt, 0 },
    { "in", port, 0 },
    { "cli", interrupts_off, 0 },
    { "mov from cr3", control_register, 0 },
    { "rdmsr", model_register, 0 },
    { "single step", trap_flag, 0 },
    { "breakpoint", breakpoint, 0 },
    { "int 0xf0", interrupt_128, 0 },
    { "non-canonical address", non_canonical, 1 },
    { "jump to 0x10", wild_jump, 1 },
    { "null pointer", null_read, 1 },
};

int main(void)
{
    struct sigaction action = { .sa_sigaction = leave, .sa_flags = SA_SIGINFO };
    static const int signals[] = { SIGSEGV, SIGFPE, SIGILL, SIGTRAP, SIGBUS };

    for (volatile size_t i = 0; i < sizeof(faults) / sizeof(*faults); i++) {
        for (size_t j = 0; j < sizeof(signals) / sizeof(*signals); j++)
            sigaction(signals[j], &action, 0);
        last = 0;
        if (sigsetjmp(escape, 1) == 0)
            faults[i].run();
        printf("%s: signal %d, code %d, exception %d", faults[i].name, last, last_code, trap_number);
        if (faults[i].tell_address)
            printf(", address %#lx", fault_address);
        else if (last == SIGFPE || last == SIGILL)
            printf(", the address is the instruction's: %d", fault_address == instruction);
        printf("\n");
        for (size_t j = 0; j < sizeof(signals) / sizeof(*signals); j++)
            signal(signals[j], SIG_DFL);
        pid_t child = fork();
        if (child == 0) {
            faults[i].run();
            _exit(0);
        }
        show_end("  without handler", child);
    }

    /* A fault whose signal is blocked or ignored kills all the same. */
    sigset_t all = ~0UL;
    sigprocmask(SIG_SETMASK, &all, 0);
    pid_t child = fork();
    if (child == 0)
        null_read();
    show_end("SIGSEGV blocked", child);
    all = 0;
    sigprocmask(SIG_SETMASK, &all, 0);
    signal(SIGFPE, SIG_IGN);
    child = fork();
    if (child == 0)
        divide();
    show_end("SIGFPE ignored", child);
    return verdict();
}
