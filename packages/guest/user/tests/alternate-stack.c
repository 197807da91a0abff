/* sigaltstack: handlers on a stack of their own, also when the ordinary one has run out. */
#include "test.h"
#include <setjmp.h>

static char stack_memory[SIGSTKSZ * 4] __attribute__((aligned(16)));
static volatile int on_it, flags_inside, denied;
static sigjmp_buf escape;

static int inside(const void *place)
{
    return (const char *)place >= stack_memory && (const char *)place < stack_memory + sizeof(stack_memory);
}

static void note(int signal)
{
    stack_t now;
    (void)signal;
    on_it = inside(&now);
    sigaltstack(0, &now);
    flags_inside = now.ss_flags;
    denied = sigaltstack(&(stack_t){ .ss_flags = SS_DISABLE }, 0) == -1 && errno == EPERM;
}

static void leave(int signal)
{
    (void)signal;
    on_it = inside(&signal);
    siglongjmp(escape, 1);
}

__attribute__((noinline)) static int descend(int levels)
{
    volatile char frame[4096];
    frame[0] = (char)levels;
    frame[4095] = 1;
    return levels < 1 << 30 ? descend(levels + 1) + frame[0] : frame[4095];
}

int main(void)
{
    stack_t stack = { .ss_sp = stack_memory, .ss_size = sizeof(stack_memory) }, old;
    struct sigaction action = { .sa_handler = note, .sa_flags = SA_ONSTACK };

    show("sigaltstack", sigaltstack(&stack, &old));
    check("there was none", old.ss_flags == SS_DISABLE);
    sigaction(SIGUSR1, &action, 0);
    raise(SIGUSR1);
    check("the handler ran on it", on_it);
    printf("flags inside: %d\n", flags_inside);
    check("it cannot be changed from inside", denied);
    sigaltstack(0, &old);
    check("flags outside",
          old.ss_flags == 0 && old.ss_sp == stack_memory && old.ss_size == sizeof(stack_memory));

    action.sa_flags = 0;
    sigaction(SIGUSR1, &action, 0);
    raise(SIGUSR1);
    check("without SA_ONSTACK the handler runs on the ordinary stack", !on_it);

    /* The stack runs out: only on the other one can SIGSEGV be handled. */
    action = (struct sigaction){ .sa_handler = leave, .sa_flags = SA_ONSTACK };
    sigaction(SIGSEGV, &action, 0);
    for (int i = 0; i < 3; i++) {
        on_it = 0;
        if (sigsetjmp(escape, 1) == 0)
            descend(0);
        check("the overflow was handled on the other stack", on_it);
    }
    pid_t child = fork();
    if (child == 0) {
        sigaltstack(0, &old);
        _exit(old.ss_flags == 0 && old.ss_sp == stack_memory ? 0 : 1);
    }
    show_end("a child has the same", child);

    show("too small", sigaltstack(&(stack_t){ .ss_sp = stack_memory, .ss_size = 100 }, 0));
    show("with a wrong flag",
         sigaltstack(&(stack_t){ .ss_sp = stack_memory, .ss_size = SIGSTKSZ, .ss_flags = 0x40 }, 0));
    show("none", sigaltstack(&(stack_t){ .ss_flags = SS_DISABLE }, 0));
    child = fork();
    if (child == 0)
        _exit(descend(0) & 0);
    show_end("overflow without it", child);
    return verdict();
}
