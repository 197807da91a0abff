/* Signals, with the layouts of the Linux x86-64 kernel (Linux,
 * arch/x86/include/uapi/asm/{signal,sigcontext,ucontext}.h). */
#pragma once
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

#define SIGHUP 1
#define SIGINT 2
#define SIGQUIT 3
#define SIGILL 4
#define SIGTRAP 5
#define SIGABRT 6
#define SIGBUS 7
#define SIGFPE 8
#define SIGKILL 9
#define SIGUSR1 10
#define SIGSEGV 11
#define SIGUSR2 12
#define SIGPIPE 13
#define SIGALRM 14
#define SIGTERM 15
#define SIGCHLD 17
#define SIGCONT 18
#define SIGSTOP 19
#define SIGTSTP 20
#define SIGTTIN 21
#define SIGTTOU 22
#define SIGURG 23
#define SIGWINCH 28
#define SIGIO 29
#define SIGSYS 31
#define SIGRTMIN 34

#define SA_NOCLDSTOP 1
#define SA_NOCLDWAIT 2
#define SA_SIGINFO 4
#define SA_ONSTACK 0x08000000
#define SA_RESTART 0x10000000
#define SA_NODEFER 0x40000000
#define SA_RESETHAND 0x80000000

#define SIG_BLOCK 0
#define SIG_UNBLOCK 1
#define SIG_SETMASK 2

#define SIG_DFL ((void (*)(int))0)
#define SIG_IGN ((void (*)(int))1)
#define SIG_ERR ((void (*)(int)) - 1)

/* si_code */
#define SI_USER 0
#define SI_TKILL (-6)
#define SEGV_MAPERR 1
#define SEGV_ACCERR 2
#define FPE_INTDIV 1
#define ILL_ILLOPN 2
#define CLD_EXITED 1
#define CLD_KILLED 2

/* Bit n-1 stands for signal n. */
typedef unsigned long sigset_t;

typedef struct {
    int si_signo;
    int si_errno;
    int si_code;
    int __pad;
    union {
        struct {
            pid_t si_pid;
            uid_t si_uid;
            int si_status;
        };
        void *si_addr;
        char __size[112];
    };
} siginfo_t;

struct sigaction {
    union {
        void (*sa_handler)(int);
        void (*sa_sigaction)(int, siginfo_t *, void *);
    };
    unsigned long sa_flags;
    void (*__restorer)(void);
    sigset_t sa_mask;
};

#define SS_ONSTACK 1
#define SS_DISABLE 2
#define MINSIGSTKSZ 2048
#define SIGSTKSZ 8192

typedef struct {
    void *ss_sp;
    int ss_flags;
    size_t ss_size;
} stack_t;

/* Indexes into uc_mcontext.gregs. */
enum {
    REG_R8,
    REG_R9,
    REG_R10,
    REG_R11,
    REG_R12,
    REG_R13,
    REG_R14,
    REG_R15,
    REG_RDI,
    REG_RSI,
    REG_RBP,
    REG_RBX,
    REG_RDX,
    REG_RAX,
    REG_RCX,
    REG_RSP,
    REG_RIP,
    REG_EFL,
    REG_CSGSFS,
    REG_ERR,
    REG_TRAPNO,
    REG_OLDMASK,
    REG_CR2
};

typedef struct {
    unsigned long gregs[23];
    /* The FXSAVE image of the interrupted code, or null. */
    void *fpregs;
    unsigned long __reserved[8];
} mcontext_t;

typedef struct {
    unsigned long uc_flags;
    void *uc_link;
    stack_t uc_stack;
    mcontext_t uc_mcontext;
    sigset_t uc_sigmask;
} ucontext_t;

int sigaction(int signal, const struct sigaction *new, struct sigaction *old);
/* Installs a handler that stays installed and restarts interrupted calls, as BSD and glibc do. */
void (*signal(int signal, void (*handler)(int)))(int);
int sigprocmask(int how, const sigset_t *new, sigset_t *old);
int sigpending(sigset_t *pending);
int sigsuspend(const sigset_t *mask);
int sigaltstack(const stack_t *new, stack_t *old);
int kill(pid_t pid, int signal);
int raise(int signal);

static inline int sigemptyset(sigset_t *set)
{
    *set = 0;
    return 0;
}
static inline int sigfillset(sigset_t *set)
{
    *set = ~0UL;
    return 0;
}
static inline int sigaddset(sigset_t *set, int signal)
{
    *set |= 1UL << (signal - 1);
    return 0;
}
static inline int sigdelset(sigset_t *set, int signal)
{
    *set &= ~(1UL << (signal - 1));
    return 0;
}
static inline int sigismember(const sigset_t *set, int signal) { return (*set >> (signal - 1)) & 1; }
