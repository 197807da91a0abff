/* execve: arguments, environment, what survives it, and why it fails. The program executes itself with the
 * name of a part. */
#include "test.h"
#include <sys/syscall.h>

static char *const no_environment[] = { 0 };

/* What the new program sees. */
static int part_arguments(int argc, char **argv, char **envp)
{
    for (int i = 1; i < argc; i++)
        printf("  argument %d: '%s'\n", i, argv[i]);
    for (int i = 0; envp[i]; i++)
        printf("  variable %d: '%s'\n", i, envp[i]);
    printf("  the vector ends: %d\n", argv[argc] == 0);
    return argc;
}

static int part_state(void)
{
    struct sigaction action;
    sigset_t mask;
    sigaction(SIGUSR1, 0, &action);
    printf("  a caught signal is default again: %d\n", action.sa_handler == SIG_DFL);
    sigaction(SIGUSR2, 0, &action);
    printf("  an ignored signal stays ignored: %d\n", action.sa_handler == SIG_IGN);
    sigprocmask(SIG_SETMASK, 0, &mask);
    printf("  the mask stays: %d\n", sigismember(&mask, SIGTERM) && !sigismember(&mask, SIGINT));
    show("  the descriptor 10", fcntl(10, F_GETFD));
    show("  the descriptor 11, closed on execution", fcntl(11, F_GETFD));
    return getpid() == atoi(getenv("PID")) ? 0 : 1;
}

static int part_size(int argc, char **argv)
{
    size_t bytes = 0;
    for (int i = 1; i < argc; i++)
        bytes += strlen(argv[i]) + 1;
    printf("  %d arguments of %zu bytes\n", argc, bytes);
    return 0;
}

static int run_arguments(void)
{
    char *argv[] = { "exec", "arguments", "", "with blank", "\xc3\xa9", 0 };
    char *envp[] = { "A=1", "EMPTY=", "B=two words", 0 };
    return execve("/proc/self/exe", argv, envp);
}

static int run_no_environment(void)
{
    char *argv[] = { "exec", "arguments", 0 };
    return execve("/proc/self/exe", argv, no_environment);
}

static void ignore_it(int signal) { (void)signal; }

static int run_state(void)
{
    char pid[20], *argv[] = { "exec", "state", 0 }, *envp[] = { pid, 0 };
    sigset_t mask = 0;
    snprintf(pid, sizeof(pid), "PID=%d", getpid());
    signal(SIGUSR1, ignore_it);
    signal(SIGUSR2, SIG_IGN);
    sigaddset(&mask, SIGTERM);
    sigprocmask(SIG_SETMASK, &mask, 0);
    dup2(1, 10);
    dup2(1, 11);
    fcntl(11, F_SETFD, FD_CLOEXEC);
    return execve("/proc/self/exe", argv, envp);
}

/* A hundred kilobytes of arguments. */
static int run_size(void)
{
    static char text[1000];
    static char *argv[103] = { "exec", "size" };
    memset(text, 'x', sizeof(text) - 1);
    for (int i = 2; i < 102; i++)
        argv[i] = text;
    return execve("/proc/self/exe", argv, no_environment);
}

static void failures_of_exec(void)
{
    char *argv[] = { "nothing", 0 };
    enter_scratch();
    make_file("text", "no program\n");
    make_file("garbage",
              "\177ELF and then nothing of the kind, but long enough to hold a header of sixty-four bytes");
    make_file("empty", "");
    show("a file that is not there", execve("absent", argv, no_environment));
    show("a file that is not executable", execve("text", argv, no_environment));
    chmod("text", 0755);
    chmod("garbage", 0755);
    chmod("empty", 0755);
    show("a text", execve("text", argv, no_environment));
    show("a damaged ELF file", execve("garbage", argv, no_environment));
    show("an empty file", execve("empty", argv, no_environment));
    show("a folder", execve("/tmp", argv, no_environment));
    show("a path through a file", execve("text/more", argv, no_environment));
    show("a null path", syscall(SYS_execve, 0L, argv, no_environment));
    show("an empty path", execve("", argv, no_environment));
    show("arguments nowhere", syscall(SYS_execve, "/proc/self/exe", 8L, no_environment));
    unlink("text"), unlink("garbage"), unlink("empty");
    leave_scratch();
}

int main(int argc, char **argv, char **envp)
{
    if (argc > 1 && strcmp(argv[1], "arguments") == 0)
        return part_arguments(argc, argv, envp);
    if (argc > 1 && strcmp(argv[1], "state") == 0)
        return part_state();
    if (argc > 1 && strcmp(argv[1], "size") == 0)
        return part_size(argc, argv);
    in_child("arguments and environment", run_arguments);
    in_child("no environment", run_no_environment);
    in_child("state", run_state);
    in_child("size", run_size);
    failures_of_exec();
    return verdict();
}
