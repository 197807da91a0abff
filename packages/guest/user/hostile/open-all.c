/* Opens a file again and again until it gets no more descriptors, then pipes, then closes all and sees that
 * nothing was lost. */
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

static int fill(void)
{
    int count = 0;
    while (open("/dev/null", O_RDWR) >= 0)
        count++;
    return count;
}

int main(void)
{
    int first = fill(), fds[2];
    printf("refused: %s\n", strerrorname(errno));
    printf("dup: %d, pipe: %d\n", dup(0), pipe(fds));
    for (int fd = 3; fd < first + 3; fd++)
        close(fd);
    int second = fill();
    printf("as many again: %d\n", first == second);
    return first == second && first > 0 ? 0 : 1;
}
