/* Processes that never call the kernel share the processor all the same. */
#include "test.h"
#include <sys/mman.h>

int main(void)
{
    volatile unsigned long *counters =
        mmap(0, 4096, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
    volatile unsigned long *stop = counters + 10;
    pid_t children[3];

    for (int i = 0; i < 3; i++) {
        children[i] = fork();
        if (children[i] == 0) {
            while (!*stop)
                counters[i]++;
            _exit(0);
        }
    }
    /* This one spins too, until all three have come far: without preemption it would do so for ever. */
    while (counters[0] < 1000 || counters[1] < 1000 || counters[2] < 1000)
        ;
    unsigned long seen[3] = { counters[0], counters[1], counters[2] };
    while (counters[0] == seen[0] || counters[1] == seen[1] || counters[2] == seen[2])
        ;
    *stop = 1;
    for (int i = 0; i < 3; i++)
        show_end("a counting process", children[i]);

    /* Two that hand over through memory alone. */
    volatile unsigned long *turn = counters + 20;
    pid_t child = fork();
    if (child == 0) {
        for (int i = 0; i < 4; i++) {
            while (*turn != 1)
                ;
            counters[21] = counters[21] * 3 + 1;
            *turn = 0;
        }
        _exit(0);
    }
    for (int i = 0; i < 4; i++) {
        while (*turn != 0)
            ;
        counters[21] = counters[21] * 2;
        *turn = 1;
    }
    show_end("the other", child);
    printf("four turns each give %lu\n", counters[21]);

    /* Killed while it spins. */
    child = fork();
    if (child == 0)
        for (;;)
            counters[30]++;
    while (counters[30] < 1000)
        ;
    kill(child, SIGKILL);
    show_end("killed while it spins", child);
    return verdict();
}
