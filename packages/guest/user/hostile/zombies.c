/* Leaves children that nobody waits for until it gets no more, ends, and leaves them to process 1. At most
 * 2000. */
#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

int main(void)
{
    int count = 0;
    pid_t child = 0;
    while (count < 2000 && (child = fork()) > 0)
        count++;
    if (child == 0)
        _exit(0);
    printf("%s\n", child < 0 ? strerrorname(errno) : "2000 of them");
    return 0;
}
