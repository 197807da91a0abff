/*
 * What test programs print. A line holds what was done and what came of it, and never a number that differs
 * from run to run (process ids, addresses, times): the same program on Linux has written the output that is
 * expected.
 */
#pragma once
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

static int failures;

/* Prints the result of a system call: the value, or -1 and the name of the reason. */
__attribute__((unused)) static long show(const char *what, long result)
{
    if (result == -1)
        printf("%s: -1 %s\n", what, strerrorname(errno));
    else
        printf("%s: %ld\n", what, result);
    return result;
}

/* The same where a value that is not an error is unknown beforehand: prints "ok" instead. */
__attribute__((unused)) static long show_ok(const char *what, long result)
{
    if (result == -1)
        show(what, result);
    else
        printf("%s: ok\n", what);
    return result;
}

/* Prints whether something holds, and makes the program fail where it does not. */
__attribute__((unused)) static int check(const char *what, int holds)
{
    printf("%s: %s\n", what, holds ? "yes" : "NO");
    failures += !holds;
    return holds;
}

/* The status of a program that has printed no "NO". */
__attribute__((unused)) static int verdict(void) { return failures > 0; }

/* Waits for a child and prints how it ended. */
__attribute__((unused)) static int show_end(const char *what, pid_t child)
{
    int status = 0;
    pid_t pid = waitpid(child, &status, 0);
    if (pid != child)
        printf("%s: wait failed, %s\n", what, strerrorname(errno));
    else if (WIFEXITED(status))
        printf("%s: exited with %d\n", what, WEXITSTATUS(status));
    else if (WIFSIGNALED(status))
        printf("%s: killed by signal %d\n", what, WTERMSIG(status));
    else
        printf("%s: status %#x\n", what, status);
    return status;
}

/* Runs `body` in a child, whose exit status is what it returns, and prints how it ended. */
__attribute__((unused)) static int in_child(const char *what, int (*body)(void))
{
    pid_t child = fork();
    if (child == 0)
        _exit(body());
    return show_end(what, child);
}

/* A folder of this process's own under /tmp, made the current one. Its name holds the process id: it is not
 * for printing. */
static char scratch[64];

__attribute__((unused)) static void enter_scratch(void)
{
    snprintf(scratch, sizeof(scratch), "/tmp/ringside-test.%d", getpid());
    if (mkdir(scratch, 0700) < 0 || chdir(scratch) < 0) {
        perror(scratch);
        exit(1);
    }
}

/* Leaves the folder, which must be empty by then. */
__attribute__((unused)) static void leave_scratch(void)
{
    check("the test leaves nothing behind", chdir("/") == 0 && rmdir(scratch) == 0);
}

/* Makes a file with this text. */
__attribute__((unused)) static void make_file(const char *path, const char *text)
{
    int fd = open(path, O_WRONLY | O_CREAT | O_TRUNC, 0644);
    if (fd < 0 || write(fd, text, strlen(text)) != (ssize_t)strlen(text) || close(fd) < 0) {
        perror(path);
        exit(1);
    }
}

/* Prints a file's content between quotes, its NUL bytes as dots. */
__attribute__((unused)) static void show_file(const char *path)
{
    char text[200];
    int fd = open(path, O_RDONLY);
    if (fd < 0) {
        show(path, fd);
        return;
    }
    ssize_t size = read(fd, text, sizeof(text));
    close(fd);
    for (ssize_t i = 0; i < size; i++)
        if (text[i] == 0)
            text[i] = '.';
    printf("%s: '%.*s'\n", path, (int)size, text);
}
