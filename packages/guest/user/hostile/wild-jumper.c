/*
 * wild-jumper [ROUNDS [FIRST]]: children that jump anywhere with anything in their registers, and execute
 * random bytes.
 *
 * Every round has a seed of its own and no handlers; an interval timer ends what does not end by itself. The
 * random bytes hold no SYSCALL, SYSENTER or INT 0x80, so that the kernel under the program is asked nothing
 * by chance. Status 0 when all children have ended, in whatever way.
 */
#include "random.h"
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/time.h>
#include <sys/wait.h>
#include <unistd.h>

enum { CODE_BYTES = 8192 };

static unsigned char code[CODE_BYTES + 16] __attribute__((aligned(4096)));
static unsigned char data[4096];

static void make_code(void)
{
    for (int i = 0; i < CODE_BYTES; i += 8) {
        uint64_t bits = next_random();
        memcpy(code + i, &bits, 8);
    }
    /* Some rounds get long runs of short instructions, which come further than pure chance does. */
    if (next_random() % 2)
        for (int i = 0; i < CODE_BYTES; i++)
            if (next_random() % 3)
                code[i] = (unsigned char)(0x40 + next_random() % 0x60);
    for (int i = 0; i + 1 < CODE_BYTES + 16; i++)
        if ((code[i] == 0x0f && (code[i + 1] == 0x05 || code[i + 1] == 0x34)) ||
            (code[i] == 0xcd && code[i + 1] == 0x80))
            code[i + 1] = 0x90;
}

static unsigned long target(void)
{
    unsigned long bits = next_random();
    switch (next_random() % 12) {
    case 0: return bits;                                      /* Anywhere, mostly not canonical. */
    case 1: return bits >> 17;                                /* Anywhere in our half. */
    case 2: return bits | 0xffff800000000000;                 /* Anywhere in the kernel's. */
    case 3: return 0xffffffff80000000 + bits % 0x1000000;     /* Where kernels are. */
    case 4: return (unsigned long)data + bits % sizeof(data); /* Not executable. */
    case 5: return (unsigned long)&bits + bits % 64;          /* The stack. */
    case 6: return 0x7fffffffffff - bits % 64;                /* The end of our half. */
    case 7: return bits % 65536;                              /* Around null. */
    default: return (unsigned long)code + bits % CODE_BYTES;  /* Random bytes. */
    }
}

_Noreturn static void jump(void)
{
    unsigned long registers[16];
    unsigned long where;
    struct itimerval soon = { { 0, 0 }, { 0, 20000 } };

    make_code();
    mprotect(code, CODE_BYTES + 16, PROT_READ | PROT_WRITE | PROT_EXEC);
    for (int i = 0; i < 16; i++)
        registers[i] = next_random() % 4 ? target() : next_random();
    /* Half of the rounds have a stack that works. */
    if (next_random() % 2)
        registers[4] = (unsigned long)(data + 2048);
    where = target();
    setitimer(ITIMER_REAL, &soon, 0);
    __asm__ volatile(
        "mov %0, %%rax\n mov %1, %%r15\n"
        "mov 8(%%rax), %%rcx\n mov 16(%%rax), %%rdx\n mov 24(%%rax), %%rbx\n mov 40(%%rax), %%rbp\n mov 48(%%rax), %%rsi\n"
        "mov 56(%%rax), %%rdi\n mov 64(%%rax), %%r8\n mov 72(%%rax), %%r9\n mov 80(%%rax), %%r10\n mov 88(%%rax), %%r11\n"
        "mov 96(%%rax), %%r12\n mov 104(%%rax), %%r13\n mov 112(%%rax), %%r14\n mov 32(%%rax), %%rsp\n mov (%%rax), %%rax\n"
        "jmp *%%r15"
        :
        : "r"(registers), "r"(where)
        : "rax", "r15", "memory");
    __builtin_unreachable();
}

int main(int argc, char **argv)
{
    int rounds = argc > 1 ? atoi(argv[1]) : 200, first = argc > 2 ? atoi(argv[2]) : 0, by_signal[65] = { 0 },
        exited = 0;

    for (int i = first; i < first + rounds; i++) {
        int status;
        pid_t child = fork();
        if (child == 0) {
            random_state = (uint64_t)i;
            jump();
        }
        if (child < 0 || waitpid(child, &status, 0) != child) {
            perror("wild-jumper");
            return 1;
        }
        if (WIFSIGNALED(status))
            by_signal[WTERMSIG(status) & 63]++;
        else
            exited++;
    }
    printf("%d rounds, %d exited, by signal:", rounds, exited);
    for (int i = 0; i < 65; i++)
        if (by_signal[i])
            printf(" %d x %d,", by_signal[i], i);
    printf("\n");
    return 0;
}
