/*
 * fault-loop [COUNT]: faults, and a handler that repairs nothing, so that the same instruction faults again.
 *
 * After COUNT faults the handler ends the program with status 0; without COUNT it never does.
 */
#include <signal.h>
#include <stdlib.h>
#include <unistd.h>

static volatile long left;

static void handler(int signal)
{
    (void)signal;
    if (left > 0 && --left == 0)
        _exit(0);
}

int main(int argc, char **argv)
{
    static volatile char *volatile nowhere;
    left = argc > 1 ? atoi(argv[1]) : 0;
    signal(SIGSEGV, handler);
    *nowhere = 1;
    return 1;
}
