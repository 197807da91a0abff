/* Fills as many pipes as there are descriptors for, at most 500, then takes out again what went in. Status 0
 * when it is the same. */
#include <fcntl.h>
#include <stdio.h>
#include <unistd.h>

int main(void)
{
    static char block[4096];
    int fds[500][2], count = 0;
    long in = 0, out = 0, got;

    while (count < 500 && pipe2(fds[count], O_NONBLOCK) == 0) {
        while ((got = write(fds[count][1], block, sizeof(block))) > 0)
            in += got;
        count++;
    }
    for (int i = 0; i < count; i++)
        while ((got = read(fds[i][0], block, sizeof(block))) > 0)
            out += got;
    printf("what went in came out: %d\n", in == out);
    return in == out && count > 0 ? 0 : 1;
}
