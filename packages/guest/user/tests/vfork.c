/* vfork, and fork as the GNU C library asks for it: clone with the child's number written to its memory. */
#include "test.h"
#include <sys/syscall.h>

enum { CLONE_CHILD_CLEARTID = 0x200000, CLONE_CHILD_SETTID = 0x1000000 };

static volatile int shared;

int main(void)
{
    char *argv[] = { "vfork", "child", 0 }, *envp[] = { 0 };
    (void)argv, (void)envp;

    /* The child is done before the parent goes on, and what it wrote is the parent's. */
    pid_t child = vfork();
    if (child == 0) {
        shared = 42;
        _exit(3);
    }
    printf("the child left %d\n", shared);
    show_end("vfork and _exit", child);

    child = vfork();
    if (child == 0) {
        execve("/no/such/program", argv, envp);
        _exit(errno == ENOENT ? 127 : 126);
    }
    show_end("vfork and a failing execve", child);

    static int number;
    child = (pid_t)syscall(SYS_clone, (long)(CLONE_CHILD_SETTID | CLONE_CHILD_CLEARTID | SIGCHLD), 0L, 0L,
                           &number, 0L);
    if (child == 0)
        _exit(number == getpid() && shared == 42 ? 0 : 1);
    show_end("clone writes the child's number in the child", child);
    printf("and not in the parent: %d\n", number);

    return verdict();
}
