/*
 * count NAME N [NAME N...]: how many units of time one operation of each benchmark takes, kernel included.
 *
 * On a machine whose clock advances by a nanosecond per instruction (QEMU with `-icount shift=0`), these are
 * instructions:
 *
 *     QEMU_EXTRA="-icount shift=0,sleep=off" scripts/guest.py --file build/tools/count --file build/bin/bench
 * -- /bin/count sieve 40
 *
 * A run of N operations is compared with a run of one, so that starting the program does not count.
 */
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

static long now(void)
{
    struct timespec time;
    clock_gettime(CLOCK_MONOTONIC, &time);
    return time.tv_sec * 1000000000 + time.tv_nsec;
}

static long run(char *name, long operations)
{
    char number[24], *arguments[] = { "bench", name, number, 0 };
    int status;
    snprintf(number, sizeof(number), "%ld", operations);
    long start = now();
    pid_t child = fork();
    if (child == 0) {
        dup2(open("/dev/null", O_WRONLY), 1);
        execve("/bin/bench", arguments, environ);
        _exit(127);
    }
    if (waitpid(child, &status, 0) != child || status != 0) {
        dprintf(2, "count: bench %s %ld failed with %#x\n", name, operations, status);
        exit(1);
    }
    return now() - start;
}

int main(int argc, char **argv)
{
    for (int i = 1; i + 1 < argc; i += 2) {
        long operations = atoi(argv[i + 1]), one = run(argv[i], 1), all = run(argv[i], operations);
        if (operations > 1)
            printf("%-16s %8ld per operation, %10ld for N = %ld\n", argv[i],
                   (all - one) / (2 * (operations - 1)), all, operations);
    }
    return 0;
}
