/* A megabyte through a chain of four processes, in pieces of uneven size. */
#include "test.h"

enum { TOTAL = 1 << 20, STAGES = 3 };

static char buffer[70000];

/* Adds its number to each byte on the way. */
static int stage(int from, int to, int number)
{
    ssize_t got;
    while ((got = read(from, buffer, 1000 + (size_t)number * 7777)) > 0) {
        for (ssize_t i = 0; i < got; i++)
            buffer[i] = (char)(buffer[i] + number);
        for (ssize_t done = 0, wrote; done < got; done += wrote)
            if ((wrote = write(to, buffer + done, (size_t)(got - done))) <= 0)
                return 1;
    }
    return got == 0 ? 0 : 2;
}

int main(void)
{
    int first[2], from;
    pid_t source, children[STAGES];

    pipe(first);
    source = fork();
    if (source == 0) {
        close(first[0]);
        for (int at = 0; at < TOTAL;) {
            int size = 1 + at % 69997;
            if (size > TOTAL - at)
                size = TOTAL - at;
            for (int i = 0; i < size; i++)
                buffer[i] = (char)((at + i) * 31 >> 3);
            if (write(first[1], buffer, (size_t)size) != size)
                _exit(1);
            at += size;
        }
        _exit(0);
    }
    close(first[1]);
    from = first[0];
    for (int i = 0; i < STAGES; i++) {
        int fds[2];
        pipe(fds);
        children[i] = fork();
        if (children[i] == 0) {
            close(fds[0]);
            _exit(stage(from, fds[1], i + 1));
        }
        close(fds[1]);
        close(from);
        from = fds[0];
    }

    long total = 0, wrong = 0;
    for (ssize_t got; (got = read(from, buffer, sizeof(buffer))) > 0; total += got)
        for (ssize_t i = 0; i < got; i++)
            wrong += buffer[i] != (char)((((int)total + (int)i) * 31 >> 3) + 6);
    printf("%ld bytes came, %ld of them wrong\n", total, wrong);
    show_end("the source", source);
    for (int i = 0; i < STAGES; i++)
        show_end("a stage", children[i]);
    return wrong != 0;
}
