/*
 * Executes itself with more and more arguments, until the kernel refuses: many, long, and a million times the
 * same one. Status 0 when each kind was refused in the end with E2BIG or ENOMEM.
 */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <unistd.h>

static char *const no_environment[] = { 0 };

/* 0 when the program ran, else the reason why it did not. */
static int try(char **argv)
{
    int status;
    pid_t child = fork();
    if (child == 0) {
        execve("/proc/self/exe", argv, no_environment);
        _exit(errno);
    }
    return child > 0 && waitpid(child, &status, 0) == child && WIFEXITED(status) ? WEXITSTATUS(status) : 255;
}

static void *memory(size_t size)
{
    void *map = mmap(0, size, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    if (map == MAP_FAILED)
        exit(2);
    return map;
}

static int refused(const char *what, int reason)
{
    printf("%s: %s\n", what, reason ? strerrorname(reason) : "never refused");
    return reason == E2BIG || reason == ENOMEM;
}

int main(int argc, char **argv)
{
    int reason = 0, all = 1;
    (void)argv;
    /* argv[0] is "huge-argv" or a path for the first process, "x" for those that it starts. */
    if (argc > 1 || strcmp(argv[0], "x") == 0)
        return 0;

    /* One argument of up to 16 MiB. */
    for (size_t size = 4096; size <= 16 << 20 && !reason; size *= 4) {
        char *text = memory(size + 1), *arguments[] = { "x", text, 0 };
        memset(text, 'a', size);
        reason = try(arguments);
        munmap(text, size + 1);
    }
    all &= refused("a long one", reason);

    /* Up to a million different pointers to the same kilobyte: a gigabyte, if it were copied. */
    static char kilobyte[1024];
    memset(kilobyte, 'b', sizeof(kilobyte) - 1);
    char **arguments = memory(((1 << 20) + 1) * sizeof(*arguments));
    reason = 0;
    for (int count = 16; count <= 1 << 20 && !reason; count *= 4) {
        for (int i = 0; i < count; i++)
            arguments[i] = kilobyte;
        arguments[0] = "x";
        reason = try(arguments);
    }
    all &= refused("many", reason);

    /* A million empty ones. */
    for (int i = 0; i < 1 << 20; i++)
        arguments[i] = i == 0 ? "x" : "";
    all &= refused("a million empty ones", try(arguments));
    return !all;
}
