/* Modes of files and the mask of a process. */
#include "test.h"

static void show_mode(const char *path)
{
    struct stat properties;
    stat(path, &properties);
    printf("%s has mode %o\n", path, properties.st_mode & 07777);
}

int main(void)
{
    enter_scratch();
    umask(0);
    show("the mask was", umask(077));
    close(open("a", O_WRONLY | O_CREAT, 0777));
    show_mode("a");
    umask(0);
    close(open("b", O_WRONLY | O_CREAT, 0604));
    show_mode("b");
    umask(027);
    mkdir("c", 0777);
    show_mode("c");
    pid_t child = fork();
    if (child == 0)
        _exit((int)umask(0) == 027 ? 0 : 1);
    show_end("a child inherits the mask", child);
    show("and cannot change ours", umask(027));
    show("chmod", chmod("a", 0755));
    show_mode("a");
    int fd = open("a", O_RDONLY);
    show("fchmod", fchmod(fd, 0600));
    close(fd);
    show_mode("a");
    show("chmod of nothing", chmod("d", 0600));
    show("X_OK of a file without x", access("a", X_OK));
    chmod("a", 0700);
    show("X_OK of a file with x", access("a", X_OK));
    show("an impossible mode of access", access("a", 99));
    struct stat mine;
    stat("a", &mine);
    check("new files belong to this process", mine.st_uid == geteuid());
    unlink("a"), unlink("b"), rmdir("c");
    leave_scratch();
    return verdict();
}
