/*
 * fork-bomb [forever]: every process forks as long as it can.
 *
 * When the first one is refused, it kills its whole session and so itself. With "forever" nobody ever stops.
 */
#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

int main(int argc, char **argv)
{
    int forever = argc > 1 && strcmp(argv[1], "forever") == 0;
    /* Not for the leader of a group, which init has made of this one already. */
    setsid();
    pid_t first = getpid();
    for (;;) {
        if (fork() >= 0)
            continue;
        if (!forever && getpid() == first) {
            printf("refused: %s\n", strerrorname(errno));
            kill(0, SIGKILL);
        }
    }
}
