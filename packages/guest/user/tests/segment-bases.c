/* The bases of FS and GS: set by arch_prctl, kept over switches and signals, inherited, forgotten by
 * execution. */
#include "test.h"
#include <sys/syscall.h>

enum { SET_GS = 0x1001, SET_FS = 0x1002, GET_FS = 0x1003, GET_GS = 0x1004 };

static unsigned long first[4] = { 11, 12 }, second[4] = { 21, 22 };

static unsigned long at_fs(void)
{
    unsigned long value;
    __asm__ volatile("mov %%fs:8, %0" : "=r"(value));
    return value;
}

static unsigned long at_gs(void)
{
    unsigned long value;
    __asm__ volatile("mov %%gs:8, %0" : "=r"(value));
    return value;
}

static void in_handler(int signal)
{
    (void)signal;
    printf("in a handler: %lu %lu\n", at_fs(), at_gs());
}

int main(int argc, char **argv, char **envp)
{
    unsigned long base = 1;
    if (argc > 1) {
        syscall(SYS_arch_prctl, (long)GET_FS, &base);
        printf("a new program starts with FS at %lu\n", base);
        return 0;
    }
    show("set FS", syscall(SYS_arch_prctl, (long)SET_FS, first));
    show("set GS", syscall(SYS_arch_prctl, (long)SET_GS, second));
    printf("%lu %lu\n", at_fs(), at_gs());
    syscall(SYS_arch_prctl, (long)GET_FS, &base);
    check("get FS", base == (unsigned long)first);
    syscall(SYS_arch_prctl, (long)GET_GS, &base);
    check("get GS", base == (unsigned long)second);

    pid_t child = fork();
    if (child == 0) {
        int same = at_fs() == 12 && at_gs() == 22;
        syscall(SYS_arch_prctl, (long)SET_FS, second);
        syscall(SYS_arch_prctl, (long)SET_GS, first);
        for (int i = 0; i < 100; i++)
            syscall(SYS_sched_yield);
        _exit(same && at_fs() == 22 && at_gs() == 12 ? 0 : 1);
    }
    for (int i = 0; i < 100; i++)
        syscall(SYS_sched_yield);
    printf("%lu %lu\n", at_fs(), at_gs());
    show_end("a child has its own", child);
    signal(SIGUSR1, in_handler);
    raise(SIGUSR1);

    show("a base in the kernel", syscall(SYS_arch_prctl, (long)SET_FS, 0xffffffff80000000UL));
    show("an unknown request", syscall(SYS_arch_prctl, 0x9999L, 0L));
    child = fork();
    if (child == 0) {
        char *arguments[] = { argv[0], "again", 0 };
        execve("/proc/self/exe", arguments, envp);
        _exit(1);
    }
    show_end("execution", child);
    return verdict();
}
