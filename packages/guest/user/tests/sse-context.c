/* SSE registers and MXCSR belong to a process: fork, other processes, signals and execution leave them as
 * they were. */
#include "test.h"
#include <sys/time.h>

struct vector_state {
    unsigned char xmm[16][16];
    unsigned mxcsr;
} __attribute__((aligned(16)));

#define EACH(f) f(0) f(1) f(2) f(3) f(4) f(5) f(6) f(7) f(8) f(9) f(10) f(11) f(12) f(13) f(14) f(15)
#define LOAD(n) "movaps 16*" #n "(%0), %%xmm" #n "\n"
#define STORE(n) "movaps %%xmm" #n ", 16*" #n "(%0)\n"

static void fill(struct vector_state *state, int seed)
{
    for (int i = 0; i < 16; i++)
        for (int j = 0; j < 16; j++)
            state->xmm[i][j] = (unsigned char)(seed * 37 + i * 16 + j);
    /* All exceptions masked; rounding and flush-to-zero from the seed. */
    state->mxcsr = 0x1f80 | (unsigned)(seed & 3) << 13 | (unsigned)(seed & 4) << 13;
}

/*
 * Loads everything, spins for `rounds` (with no call, so that only interrupts come between) and stores it
 * again. The stores are what is found afterwards.
 */
static void spin(const struct vector_state *want, struct vector_state *got, long rounds)
{
    unsigned plain;
    __asm__ volatile("stmxcsr %0" : "=m"(plain));
    __asm__ volatile("ldmxcsr 256(%0)\n" EACH(LOAD) "1: sub $1, %1\n jnz 1b\n mov %2, %0\n" EACH(
                         STORE) "stmxcsr 256(%0)\n ldmxcsr %3"
                     : "+&r"(want), "+&r"(rounds)
                     : "r"(got), "m"(plain)
                     : "memory", "cc", "xmm0", "xmm1", "xmm2", "xmm3", "xmm4", "xmm5", "xmm6", "xmm7", "xmm8",
                       "xmm9", "xmm10", "xmm11", "xmm12", "xmm13", "xmm14", "xmm15");
}

/* The number of bytes that changed while it spun, and one for MXCSR. */
static int changed_after(int seed, long rounds)
{
    struct vector_state want, got;
    int changed = 0;
    fill(&want, seed);
    spin(&want, &got, rounds);
    for (int i = 0; i < 16; i++)
        for (int j = 0; j < 16; j++)
            changed += want.xmm[i][j] != got.xmm[i][j];
    return changed + (want.mxcsr != got.mxcsr);
}

static volatile int handled;

static void clobber(int signal)
{
    struct vector_state other, ignored;
    (void)signal;
    fill(&other, 99);
    other.mxcsr = 0x9f80;
    spin(&other, &ignored, 1);
    handled++;
}

int main(void)
{
    /* Two that run at the same time, each with values of its own. */
    pid_t children[3];
    for (int i = 0; i < 3; i++) {
        children[i] = fork();
        if (children[i] == 0) {
            int changed = 0;
            for (int round = 0; round < 3; round++)
                changed += changed_after(i * 3 + round, 3000000);
            _exit(changed > 255 ? 255 : changed);
        }
    }
    for (int i = 0; i < 3; i++)
        show_end("a process that spins, with registers changed", children[i]);

    struct itimerval often = { { 0, 1000 }, { 0, 1000 } }, off = { { 0, 0 }, { 0, 0 } };
    signal(SIGALRM, clobber);
    setitimer(ITIMER_REAL, &often, 0);
    int changed = 0;
    while (handled < 3)
        changed += changed_after(handled + 5, 500000);
    setitimer(ITIMER_REAL, &off, 0);
    printf("handlers changed %d bytes\n", changed);
    failures += changed;

    /* A child starts with what its parent has. */
    unsigned mxcsr = 0x7f80;
    double value = 0.1, twice;
    __asm__ volatile("ldmxcsr %0" : : "m"(mxcsr));
    pid_t child = fork();
    if (child == 0) {
        __asm__ volatile("stmxcsr %0" : "=m"(mxcsr));
        _exit(mxcsr == 0x7f80 ? 0 : 1);
    }
    mxcsr = 0x1f80;
    __asm__ volatile("ldmxcsr %0" : : "m"(mxcsr));
    show_end("a child inherits MXCSR", child);
    __asm__ volatile("stmxcsr %0" : "=m"(mxcsr));
    printf("MXCSR %#x\n", mxcsr & ~0x3fu);
    twice = value * 2;
    printf("%.17f\n", twice);
    return verdict();
}
