/* Two processes and two pipes between them. */
#include "bench.h"
#include <sys/wait.h>
#include <unistd.h>

/* The ends of this process. */
static int to_child, from_child;
static pid_t child;

/* Starts a process that answers each `size` bytes with `answer` of them until its input ends. */
static void start(uint32_t (*answer)(uint32_t), size_t size)
{
    int down[2], up[2];
    require(pipe(down) == 0 && pipe(up) == 0, "pipe");
    child = fork();
    require(child >= 0, "fork");
    if (child == 0) {
        uint32_t value = 0;
        close(down[1]);
        close(up[0]);
        while (read(down[0], &value, size) == (ssize_t)size) {
            value = answer(value);
            require(write(up[1], &value, size) == (ssize_t)size, "write");
        }
        _exit(0);
    }
    close(down[0]);
    close(up[1]);
    to_child = down[1];
    from_child = up[0];
}

static uint64_t finish(uint64_t checksum)
{
    int status;
    close(to_child);
    require(waitpid(child, &status, 0) == child, "waitpid");
    return mix(checksum, (uint64_t)status);
}

static uint32_t scramble(uint32_t byte) { return byte * 5 + 1; }

static void prepare_latency(long count)
{
    (void)count;
    start(scramble, 1);
}

static uint64_t run_latency(long first, long count, uint64_t checksum)
{
    for (long i = first; i < first + count; i++) {
        uint8_t byte = (uint8_t)i;
        require(write(to_child, &byte, 1) == 1, "write");
        require(read(from_child, &byte, 1) == 1, "read");
        checksum = mix(checksum, byte);
    }
    return checksum;
}

static uint32_t increment(uint32_t token) { return token + 1; }

static uint32_t token;

static void prepare_switch(long count)
{
    (void)count;
    token = 0;
    start(increment, sizeof(token));
}

/*
 * An operation is one switch: an even one gives the token away, an odd one waits until it comes back. Each
 * side counts it up, so at the end the token is the number of switches.
 */
static uint64_t run_switch(long first, long count, uint64_t checksum)
{
    for (long i = first; i < first + count; i++) {
        if (i % 2 == 0) {
            token++;
            require(write(to_child, &token, sizeof(token)) == sizeof(token), "write");
        } else {
            require(read(from_child, &token, sizeof(token)) == sizeof(token), "read");
        }
    }
    return mix(checksum, token);
}

const struct benchmark pipe_latency = {
    "pipe-latency", "one byte to another process and one back", prepare_latency, run_latency, finish,
};
const struct benchmark context_switch = {
    "context-switch", "one switch between two processes that pass a token", prepare_switch, run_switch,
    finish,
};
