/* Descriptors: numbers, copies, flags, and what is shared between copies and with children. */
#include "test.h"

static int closed_in_child(void)
{
    close(3);
    return 0;
}

int main(void)
{
    char text[16] = { 0 };
    enter_scratch();
    for (int fd = 3; fd < 20; fd++)
        close(fd);
    make_file("file", "0123456789");

    int file = (int)show("the lowest free number", open("file", O_RDWR));
    show("dup takes the next", dup(file));
    show("dup2 takes the one it is told", dup2(file, 9));
    show("dup2 onto itself", dup2(9, 9));
    show("dup2 of a closed one", dup2(12, 13));
    show("dup2 of a closed one onto itself", dup2(12, 12));
    show("dup2 to a negative one", dup2(file, -1));
    show("dup3 onto itself", dup3(file, file, 0));
    show("dup3 with a wrong flag", dup3(file, 14, O_APPEND));
    show("dup3", dup3(file, 14, O_CLOEXEC));
    show("F_GETFD of it", fcntl(14, F_GETFD));
    show("F_GETFD of the first", fcntl(file, F_GETFD));
    show("F_DUPFD from 6", fcntl(file, F_DUPFD, 6L));
    show("F_DUPFD_CLOEXEC from 6", fcntl(file, F_DUPFD_CLOEXEC, 6L));
    show("F_GETFD of that", fcntl(7, F_GETFD));
    show("F_SETFD", fcntl(7, F_SETFD, 0L));
    show("F_GETFD after", fcntl(7, F_GETFD));
    show("an unknown command", fcntl(7, 9999));

    /* Copies share the position; another opening has its own. */
    read(file, text, 3);
    show("the copy's position", lseek(4, 0, SEEK_CUR));
    int other = open("file", O_RDONLY);
    show("another opening's position", lseek(other, 0, SEEK_CUR));
    pid_t child = fork();
    if (child == 0) {
        lseek(file, 2, SEEK_CUR);
        _exit(0);
    }
    show_end("a child moves on", child);
    show("the position after that", lseek(file, 0, SEEK_CUR));

    /* Status flags are shared, descriptor flags are not. */
    show("F_GETFL access mode", fcntl(file, F_GETFL) & O_ACCMODE);
    show("F_SETFL", fcntl(file, F_SETFL, (long)(O_APPEND | O_NONBLOCK)));
    check("the copy appends too", (fcntl(4, F_GETFL) & (O_APPEND | O_NONBLOCK)) == (O_APPEND | O_NONBLOCK));
    check("the other opening does not", (fcntl(other, F_GETFL) & O_APPEND) == 0);

    show("close", close(4));
    show("close again", close(4));
    show("the number is free again", dup(file));
    in_child("a child closes its copy", closed_in_child);
    show("ours is still open", lseek(3, 0, SEEK_SET));
    show("read of a closed one", read(15, text, 1));
    show("write of a negative one", write(-1, text, 1));
    show("write to one open for reading", write(other, text, 1));
    int only_write = open("file", O_WRONLY);
    show("read from one open for writing", read(only_write, text, 1));
    show("fstat of a closed one", fstat(15, (struct stat *)text));
    show("a huge number", close(1 << 30));

    unlink("file");
    leave_scratch();
    return verdict();
}
