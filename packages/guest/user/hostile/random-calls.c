/*
 * random-calls [ROUNDS]: children that make 200 system calls each with random numbers and arguments.
 *
 * Left out are the calls that end or stop the machine or other processes on purpose (reboot, the kill family)
 * and those that make processes. Children that wait for something are killed after a while. Never on a real
 * system: it does nothing unless the environment has RINGSIDE_GUEST. Status 0 when all children have ended.
 */
#include "random.h"
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/syscall.h>
#include <sys/time.h>
#include <sys/wait.h>
#include <unistd.h>

static char buffer[8192] = "/tmp/random";

static long argument(void)
{
    uint64_t bits = next_random();
    switch (next_random() % 10) {
    case 0: return (long)bits;
    case 1: return (long)(bits >> 40);
    case 2: return -(long)(bits % 256);
    case 3:
    case 4: return (long)(bits % 16);
    case 5: return (long)buffer;
    case 6: return (long)(buffer + bits % sizeof(buffer));
    case 7: return (long)(bits % 3 == 0 ? 0xffffffff80100000 : bits % 3 == 1 ? 0x7ffffffff000 : 0x1000);
    case 8: return (long)(1UL << bits % 64);
    default: return (long)((unsigned long)&bits & ~4095UL);
    }
}

static int left_out(long number)
{
    static const int numbers[] = { SYS_clone,
                                   SYS_fork,
                                   SYS_vfork,
                                   SYS_kill,
                                   SYS_reboot,
                                   SYS_tgkill,
                                   129 /* rt_sigqueueinfo */,
                                   200 /* tkill */,
                                   297 /* rt_tgsigqueueinfo */,
                                   424 /* pidfd_send_signal */,
                                   435 /* clone3 */ };
    for (size_t i = 0; i < sizeof(numbers) / sizeof(*numbers); i++)
        if (number == numbers[i])
            return 1;
    return 0;
}

_Noreturn static void child_of(int round)
{
    random_state = (uint64_t)round;
    /* What is written by chance is nobody's output. */
    for (int fd = 0; fd < 3; fd++)
        close(fd);
    for (int i = 0; i < 200; i++) {
        long number = next_random() % 8 ? (long)(next_random() % 340) : (long)next_random();
        if (!left_out(number & 0xffffffff))
            syscall(number, argument(), argument(), argument(), argument(), argument(), argument());
    }
    _exit(0);
}

static volatile pid_t child;

/* The alarm is the parent's, because a random call may well cancel one of the child's. */
static void enough(int signal)
{
    (void)signal;
    kill(child, SIGKILL);
}

int main(int argc, char **argv)
{
    struct itimerval soon = { { 0, 20000 }, { 0, 50000 } }, off = { { 0, 0 }, { 0, 0 } };
    int rounds = argc > 1 ? atoi(argv[1]) : 200, by_signal = 0, exited = 0;
    if (!getenv("RINGSIDE_GUEST")) {
        dprintf(2, "random-calls: this is not a guest\n");
        return 125;
    }
    signal(SIGALRM, enough);
    for (int i = 0; i < rounds; i++) {
        int status;
        child = fork();
        if (child == 0)
            child_of(i);
        if (child < 0) {
            perror("random-calls");
            return 1;
        }
        setitimer(ITIMER_REAL, &soon, 0);
        if (waitpid(child, &status, 0) != child) {
            perror("random-calls");
            return 1;
        }
        setitimer(ITIMER_REAL, &off, 0);
        if (WIFSIGNALED(status))
            by_signal++;
        else
            exited++;
    }
    printf("%d exited, %d were killed\n", exited, by_signal);
    return 0;
}
