/* A handler changes the interrupted program through its context: where it goes on, registers, mask. */
#include "test.h"

static void skip(int signal, siginfo_t *info, void *context)
{
    ucontext_t *c = context;
    (void)signal, (void)info;
    /* ud2 is two bytes long. */
    c->uc_mcontext.gregs[REG_RIP] += 2;
    c->uc_mcontext.gregs[REG_RBX] *= 2;
    c->uc_mcontext.gregs[REG_R12] += 1;
    c->uc_mcontext.gregs[REG_EFL] |= 1;
    sigaddset(&c->uc_sigmask, SIGUSR2);
}

static void redirect(int signal, siginfo_t *info, void *context);

static volatile int arrived;

static void elsewhere(void)
{
    arrived = 1;
    printf("the program goes on elsewhere\n");
    exit(verdict());
}

static void redirect(int signal, siginfo_t *info, void *context)
{
    ucontext_t *c = context;
    (void)signal, (void)info;
    c->uc_mcontext.gregs[REG_RIP] = (unsigned long)elsewhere;
    c->uc_mcontext.gregs[REG_RSP] = (c->uc_mcontext.gregs[REG_RSP] & ~15UL) - 8;
}

static int privileged(void);

static void raise_privilege(int signal, siginfo_t *info, void *context)
{
    ucontext_t *c = context;
    (void)signal, (void)info;
    c->uc_mcontext.gregs[REG_RIP] += 2;
    /* IOPL 3 and interrupts off: the kernel must not take these. */
    c->uc_mcontext.gregs[REG_EFL] |= 0x3000;
    c->uc_mcontext.gregs[REG_EFL] &= ~0x200UL;
}

static void into_the_kernel(int signal, siginfo_t *info, void *context)
{
    ucontext_t *c = context;
    (void)signal, (void)info;
    c->uc_mcontext.gregs[REG_RIP] = 0xffffffff80100000UL;
}

static void nowhere(int signal, siginfo_t *info, void *context)
{
    ucontext_t *c = context;
    (void)signal, (void)info;
    c->uc_mcontext.gregs[REG_RIP] = 0x8000000000000000UL;
}

static void on_undefined(void (*handler)(int, siginfo_t *, void *))
{
    struct sigaction action = { .sa_sigaction = handler, .sa_flags = SA_SIGINFO };
    sigaction(SIGILL, &action, 0);
}

static int privileged(void)
{
    unsigned long flags;
    on_undefined(raise_privilege);
    __asm__ volatile("ud2; pushf; pop %0" : "=r"(flags));
    return (flags & 0x3200) == 0x200 ? 0 : 1;
}

static int go_to_kernel(void)
{
    on_undefined(into_the_kernel);
    __asm__ volatile("ud2");
    return 0;
}

static int go_nowhere(void)
{
    on_undefined(nowhere);
    __asm__ volatile("ud2");
    return 0;
}

/* A signal frame of nothing but garbage. */
static int false_return(void)
{
    __asm__ volatile(
        "sub $2048, %%rsp; mov %%rsp, %%rdi; mov $2048, %%ecx; mov $0xa5, %%al; rep stosb; mov $15, %%eax; syscall"
        :
        :
        : "memory");
    return 0;
}

int main(void)
{
    unsigned long doubled = 21, carry;
    register unsigned long counted __asm__("r12") = 5;
    sigset_t mask;

    on_undefined(skip);
    __asm__ volatile("clc; mov %0, %%rbx; ud2; setc %b2; movzbl %b2, %k2; mov %%rbx, %0"
                     : "+r"(doubled), "+r"(counted), "=&q"(carry)
                     :
                     : "rbx", "cc");
    printf("doubled %lu, counted %lu, carry %lu\n", doubled, counted, carry);
    sigprocmask(SIG_SETMASK, 0, &mask);
    check("the mask is what the handler left", mask == 1UL << (SIGUSR2 - 1));

    in_child("privilege is not to be had", privileged);
    in_child("nor the kernel's text", go_to_kernel);
    in_child("nor an address that is none", go_nowhere);
    in_child("a frame of garbage", false_return);
    on_undefined(redirect);
    __asm__ volatile("ud2");
    return 1;
}
