/*
 * bench NAME N: does N operations twice, with marks before, between and after, and prints the checksum of the
 * work.
 *
 * There is no warm-up: the first N operations are the cold ones. An odd one out is `bench exit STATUS`, what
 * fork-exec executes.
 */
#include "bench.h"
#include <errno.h>
#include <ringside.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

static const struct benchmark *const benchmarks[] = {
    &null_call,  &fork_wait,   &fork_exec,   &pipe_latency, &context_switch, &map_unmap,
    &page_fault, &signal_self, &integer_mix, &sieve,        &sha256,         &nbody,
};

void require(int succeeded, const char *what)
{
    if (succeeded)
        return;
    perror(what);
    exit(1);
}

static int usage(void)
{
    dprintf(
        2,
        "usage: bench NAME N\nN is the number of operations in each half, 1 to 1000000000. NAME is one of:\n");
    for (size_t i = 0; i < sizeof(benchmarks) / sizeof(*benchmarks); i++)
        dprintf(2, "  %-16s one operation: %s\n", benchmarks[i]->name, benchmarks[i]->operation);
    return 2;
}

static const struct benchmark *find(const char *name)
{
    for (size_t i = 0; i < sizeof(benchmarks) / sizeof(*benchmarks); i++)
        if (strcmp(benchmarks[i]->name, name) == 0)
            return benchmarks[i];
    return 0;
}

int main(int argc, char **argv)
{
    if (argc != 3)
        return usage();
    if (strcmp(argv[1], "exit") == 0)
        _exit(atoi(argv[2]));

    const struct benchmark *benchmark = find(argv[1]);
    char *end;
    long count = strtol(argv[2], &end, 10);
    if (!benchmark || *end || count < 1 || count > 1000000000)
        return usage();

    uint64_t checksum = 0xcbf29ce484222325u;
    for (const char *letter = benchmark->name; *letter; letter++)
        checksum = mix(checksum, (unsigned char)*letter);
    if (benchmark->prepare)
        benchmark->prepare(count);
    RINGSIDE_MARK(RINGSIDE_MARK_BENCHMARK_START);
    checksum = benchmark->run(0, count, checksum);
    RINGSIDE_MARK(RINGSIDE_MARK_BENCHMARK_COLD_END);
    checksum = benchmark->run(count, count, checksum);
    RINGSIDE_MARK(RINGSIDE_MARK_BENCHMARK_END);
    if (benchmark->finish)
        checksum = benchmark->finish(checksum);
    printf("checksum %016lx\n", checksum);
    return 0;
}
