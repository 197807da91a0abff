/* A child that ends at once, and one that executes a program first. */
#include "bench.h"
#include <stdio.h>
#include <stdlib.h>
#include <sys/wait.h>
#include <unistd.h>

static uint64_t wait_for(pid_t child, uint64_t checksum)
{
    int status;
    require(child > 0, "fork");
    require(waitpid(child, &status, 0) == child, "waitpid");
    return mix(checksum, (uint64_t)status);
}

static uint64_t run_fork(long first, long count, uint64_t checksum)
{
    for (long i = first; i < first + count; i++) {
        pid_t child = fork();
        if (child == 0)
            _exit((int)i & 0x7f);
        checksum = wait_for(child, checksum);
    }
    return checksum;
}

static uint64_t run_exec(long first, long count, uint64_t checksum)
{
    for (long i = first; i < first + count; i++) {
        char status[16];
        snprintf(status, sizeof(status), "%ld", i & 0x7f);
        pid_t child = fork();
        if (child == 0) {
            char *arguments[] = { "bench", "exit", status, 0 };
            execv("/proc/self/exe", arguments);
            _exit(255);
        }
        checksum = wait_for(child, checksum);
    }
    return checksum;
}

const struct benchmark fork_wait = { "fork-wait", "fork, exit of the child, wait", 0, run_fork, 0 };
const struct benchmark fork_exec = { "fork-exec", "fork, execution of this program, its exit, wait", 0,
                                     run_exec, 0 };
