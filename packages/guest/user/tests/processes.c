/* fork, exit and wait: statuses, options, who a child belongs to. */
#include "test.h"

static int exit_300(void) { return 300; }
static int kill_itself(void) { return raise(SIGKILL); }
static int abort_itself(void) { abort(); }
static int terminate_itself(void) { return raise(SIGTERM); }

static int has_no_children(void) { return waitpid(-1, 0, 0) == -1 && errno == ECHILD ? 0 : 1; }

/* The grandchild outlives its parent, and is then somebody else's. It says so through the pipe. */
static void orphan(void)
{
    int down[2], up[2];
    char letter = 0;
    pipe(down);
    pipe(up);
    pid_t child = fork();
    if (child == 0) {
        pid_t middle = getpid();
        if (fork() == 0) {
            read(down[0], &letter, 1);
            letter = getppid() != middle ? 'y' : 'n';
            write(up[1], &letter, 1);
            _exit(0);
        }
        _exit(0);
    }
    show_end("the middle process", child);
    write(down[1], "x", 1);
    read(up[0], &letter, 1);
    check("an orphan gets another parent", letter == 'y');
    close(down[0]), close(down[1]), close(up[0]), close(up[1]);
}

int main(void)
{
    int status;
    pid_t self = getpid();

    in_child("exit keeps the low eight bits", exit_300);
    in_child("SIGKILL", kill_itself);
    in_child("abort", abort_itself);
    in_child("SIGTERM", terminate_itself);
    in_child("a new process has no children", has_no_children);

    pid_t child = fork();
    if (child == 0)
        _exit(getppid() == self && getpid() != self ? 5 : 6);
    check("fork gives the parent a positive number", child > 0);
    show_end("the child knows its parent", child);

    int gate[2];
    pipe(gate);
    child = fork();
    if (child == 0) {
        char letter;
        close(gate[1]);
        read(gate[0], &letter, 1);
        _exit(9);
    }
    show("WNOHANG while the child runs", waitpid(child, &status, WNOHANG));
    close(gate[1]);
    close(gate[0]);
    show_end("the child ends when the pipe does", child);
    show("waiting for it again", waitpid(child, &status, 0));
    show("WNOHANG without children", waitpid(-1, &status, WNOHANG));

    /* Three at once: wait(-1) gets each exactly once. */
    int sum = 0;
    for (int i = 1; i <= 3; i++)
        if (fork() == 0)
            _exit(1 << i);
    for (int i = 0; i < 3; i++)
        if (wait(&status) > 0)
            sum += WEXITSTATUS(status);
    printf("three children add up to %d\n", sum);
    show("a fourth wait", wait(&status));

    orphan();
    show("kill with signal 0 to oneself", kill(self, 0));
    show("kill of nobody", kill(0x3ffffff, 0));
    show("kill with a wrong signal", kill(self, 65));
    show("waitpid with wrong options", waitpid(-1, &status, 0x1234));
    return verdict();
}
