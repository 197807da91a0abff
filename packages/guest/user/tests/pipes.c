/* Pipes: order, end of file, SIGPIPE, non-blocking ends, what they are. */
#include "test.h"
#include <sys/uio.h>

static int write_without_reader(void)
{
    int fds[2];
    pipe(fds);
    close(fds[0]);
    write(fds[1], "x", 1);
    return 0;
}

int main(void)
{
    int fds[2];
    char text[64];
    struct stat properties;

    show("pipe", pipe(fds));
    show("write", write(fds[1], "hello, ", 7));
    show("write", write(fds[1], "world", 5));
    show("read takes what is there", read(fds[0], text, sizeof(text)));
    printf("'%.12s'\n", text);
    show("write to the reading end", write(fds[0], "x", 1));
    show("read from the writing end", read(fds[1], text, 1));
    show("lseek", lseek(fds[0], 0, SEEK_SET));
    fstat(fds[0], &properties);
    check("it is a FIFO", S_ISFIFO(properties.st_mode));
    show("a write of nothing", write(fds[1], "", 0));

    struct iovec pieces[3] = { { "one ", 4 }, { "two ", 4 }, { "three", 5 } };
    show("writev", writev(fds[1], pieces, 3));
    show("a short read", read(fds[0], text, 3));
    show("the rest", read(fds[0], text + 3, sizeof(text) - 3));
    printf("'%.13s'\n", text);

    fcntl(fds[0], F_SETFL, O_NONBLOCK);
    show("a non-blocking read of an empty pipe", read(fds[0], text, 1));
    close(fds[1]);
    show("a read after the last writer", read(fds[0], text, 1));
    close(fds[0]);

    in_child("a write without a reader", write_without_reader);
    signal(SIGPIPE, SIG_IGN);
    pipe(fds);
    close(fds[0]);
    show("the same with SIGPIPE ignored", write(fds[1], "x", 1));
    close(fds[1]);

    /* Full: the writer is told how much fitted, then that nothing does. */
    static char much[100000];
    pipe2(fds, O_NONBLOCK | O_CLOEXEC);
    long fitted = 0, wrote;
    while ((wrote = write(fds[1], much, sizeof(much))) > 0)
        fitted += wrote;
    show("a write to a full pipe", wrote);
    check("a pipe holds at least 4096 bytes", fitted >= 4096);
    long taken = 0, got;
    while ((got = read(fds[0], much, sizeof(much))) > 0)
        taken += got;
    check("all that went in comes out", taken == fitted);
    show("close", close(fds[0]));
    show("close", close(fds[1]));

    /* The child inherits both ends; end of file comes only when both copies of the writing one are closed. */
    pipe(fds);
    pid_t child = fork();
    if (child == 0) {
        close(fds[0]);
        for (int i = 0; i < 5; i++)
            dprintf(fds[1], "line %d\n", i);
        _exit(0);
    }
    close(fds[1]);
    size_t size = 0;
    while ((got = read(fds[0], text + size, sizeof(text) - size)) > 0)
        size += (size_t)got;
    printf("%.*s", (int)size, text);
    close(fds[0]);
    show_end("the writer", child);

    show("pipe2 with a wrong flag", pipe2(fds, O_APPEND | O_CREAT));
    return verdict();
}
