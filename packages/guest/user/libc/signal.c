/* Signals and the jumps that leave their handlers. */
#include "syscall.h"
#include <setjmp.h>
#include <signal.h>
#include <stdlib.h>
#include <unistd.h>

#define SA_RESTORER 0x04000000

void __restore_signal(void);

int sigaction(int signal, const struct sigaction *new, struct sigaction *old)
{
    struct sigaction with_restorer;
    if (new) {
        with_restorer = *new;
        with_restorer.sa_flags |= SA_RESTORER;
        with_restorer.__restorer = __restore_signal;
        new = &with_restorer;
    }
    return (int)CALL4(rt_sigaction, signal, new, old, sizeof(sigset_t));
}

void (*signal(int signal, void (*handler)(int)))(int)
{
    struct sigaction new = { .sa_handler = handler, .sa_flags = SA_RESTART }, old;
    return sigaction(signal, &new, &old) < 0 ? SIG_ERR : old.sa_handler;
}

int sigprocmask(int how, const sigset_t *new, sigset_t *old)
{
    return (int)CALL4(rt_sigprocmask, how, new, old, sizeof(sigset_t));
}
int sigpending(sigset_t *pending) { return (int)CALL(rt_sigpending, pending, sizeof(sigset_t)); }
int sigsuspend(const sigset_t *mask) { return (int)CALL(rt_sigsuspend, mask, sizeof(sigset_t)); }
int sigaltstack(const stack_t *new, stack_t *old) { return (int)CALL(sigaltstack, new, old); }
int kill(pid_t pid, int signal) { return (int)CALL(kill, pid, signal); }
int raise(int signal) { return kill(getpid(), signal); }

_Noreturn void abort(void)
{
    sigset_t only_abort = 1UL << (SIGABRT - 1);
    raise(SIGABRT);
    /* Somebody catches, ignores or blocks it; the process must end nevertheless. */
    signal(SIGABRT, SIG_DFL);
    sigprocmask(SIG_UNBLOCK, &only_abort, 0);
    raise(SIGABRT);
    _exit(127);
}

void __sigsetjmp_save(sigjmp_buf environment, int save_mask)
{
    environment->mask = 0;
    if (save_mask)
        sigprocmask(SIG_SETMASK, 0, &environment->mask);
}

_Noreturn void siglongjmp(sigjmp_buf environment, int value)
{
    sigprocmask(SIG_SETMASK, &environment->mask, 0);
    longjmp(environment->registers, value);
}
