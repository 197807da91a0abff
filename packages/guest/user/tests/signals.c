/* Signals: handlers and what they are told, masks, pending ones, dispositions over fork. */
#include "test.h"

static volatile int count, last, last_code, from_me;

static void plain(int signal)
{
    count++;
    last = signal;
}

static void informed(int signal, siginfo_t *info, void *context)
{
    const ucontext_t *c = context;
    count++;
    last = info->si_signo == signal ? signal : -1;
    last_code = info->si_code;
    from_me = info->si_pid == getpid() && info->si_uid == getuid() && c->uc_sigmask == 0;
}

static int default_again(void)
{
    struct sigaction action = { .sa_handler = plain, .sa_flags = SA_RESETHAND };
    sigaction(SIGUSR1, &action, 0);
    raise(SIGUSR1);
    raise(SIGUSR1);
    return 0;
}

static int ignored(void)
{
    signal(SIGTERM, SIG_IGN);
    raise(SIGTERM);
    raise(SIGCHLD);
    raise(SIGURG);
    raise(SIGWINCH);
    raise(SIGCONT);
    return 5;
}

static int default_of(int signal)
{
    pid_t child = fork();
    if (child == 0) {
        raise(signal);
        _exit(0);
    }
    char what[32];
    snprintf(what, sizeof(what), "default of %d", signal);
    return show_end(what, child);
}

int main(void)
{
    sigset_t mask = 0, old, pending;
    struct sigaction action = { .sa_sigaction = informed, .sa_flags = SA_SIGINFO }, before;

    check("signal gives the old handler",
          signal(SIGUSR1, plain) == SIG_DFL && signal(SIGUSR1, plain) == plain);
    raise(SIGUSR1);
    raise(SIGUSR1);
    printf("%d signals, the last %d\n", count, last);
    sigaction(SIGUSR2, &action, &before);
    check("sigaction gives the old action", before.sa_handler == SIG_DFL);
    kill(getpid(), SIGUSR2);
    printf("%d signals, the last %d with code %d\n", count, last, last_code);
    check("it tells who sent it", from_me);

    /* Blocked ones wait, once each. */
    count = 0;
    sigaddset(&mask, SIGUSR1);
    sigaddset(&mask, SIGUSR2);
    show("block", sigprocmask(SIG_BLOCK, &mask, &old));
    check("nothing was blocked before", old == 0);
    raise(SIGUSR1);
    raise(SIGUSR1);
    raise(SIGUSR2);
    printf("%d came\n", count);
    sigpending(&pending);
    check("both are pending", pending == mask);
    pid_t child = fork();
    if (child == 0) {
        sigpending(&pending);
        sigprocmask(SIG_SETMASK, 0, &old);
        _exit(pending == 0 && old == mask ? 0 : 1);
    }
    show_end("a child inherits the mask, not the pending ones", child);
    sigdelset(&mask, SIGUSR2);
    sigprocmask(SIG_UNBLOCK, &mask, 0);
    printf("%d came, the last %d\n", count, last);
    sigfillset(&mask);
    sigprocmask(SIG_SETMASK, &mask, 0);
    sigprocmask(SIG_SETMASK, 0, &old);
    check("SIGKILL and SIGSTOP are never blocked",
          !sigismember(&old, SIGKILL) && !sigismember(&old, SIGSTOP) && sigismember(&old, SIGTERM));
    sigemptyset(&mask);
    sigprocmask(SIG_SETMASK, &mask, 0);
    printf("%d came, the last %d\n", count, last);

    /* sigsuspend lets in what the mask keeps out, and puts the mask back. */
    sigaddset(&mask, SIGUSR1);
    sigprocmask(SIG_SETMASK, &mask, 0);
    raise(SIGUSR1);
    sigemptyset(&pending);
    count = 0;
    show("sigsuspend", sigsuspend(&pending));
    sigprocmask(SIG_SETMASK, 0, &old);
    check("one came, and the mask is back", count == 1 && old == mask);
    sigprocmask(SIG_UNBLOCK, &mask, 0);

    /* A child's signal wakes its parent. */
    sigaddset(&mask, SIGUSR1);
    sigprocmask(SIG_SETMASK, &mask, 0);
    count = 0;
    child = fork();
    if (child == 0) {
        kill(getppid(), SIGUSR1);
        _exit(0);
    }
    sigemptyset(&pending);
    show("sigsuspend", sigsuspend(&pending));
    printf("%d came\n", count);
    show_end("the child", child);
    sigprocmask(SIG_SETMASK, &pending, 0);

    in_child("SA_RESETHAND", default_again);
    in_child("ignored ones", ignored);
    static const int fatal[] = { SIGHUP,  SIGINT,  SIGQUIT, SIGILL,  SIGTRAP, SIGABRT, SIGBUS, SIGFPE,
                                 SIGKILL, SIGUSR1, SIGSEGV, SIGPIPE, SIGALRM, SIGTERM, SIGIO,  SIGSYS };
    signal(SIGUSR1, SIG_DFL);
    for (size_t i = 0; i < sizeof(fatal) / sizeof(*fatal); i++)
        default_of(fatal[i]);
    show("a handler for SIGKILL", sigaction(SIGKILL, &action, 0));
    show("a handler for SIGSTOP", sigaction(SIGSTOP, &action, 0));
    show("a handler for signal 0", sigaction(0, &action, 0));
    show("a handler for signal 65", sigaction(65, &action, 0));
    show("a wrong way of masking", sigprocmask(77, &mask, 0));

    /* A parent that ignores SIGCHLD has no children to wait for. */
    signal(SIGCHLD, SIG_IGN);
    child = fork();
    if (child == 0)
        _exit(3);
    show("wait with SIGCHLD ignored", waitpid(child, 0, 0));
    action.sa_flags = SA_SIGINFO;
    sigaction(SIGCHLD, &action, 0);
    count = 0;
    child = fork();
    if (child == 0)
        _exit(3);
    show_end("the child", child);
    printf("SIGCHLD came %d time, code %d\n", count, last_code);
    return verdict();
}
