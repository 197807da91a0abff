/* SIGSTOP, SIGCONT, and parents that ask for stops. */
#include "test.h"

static volatile int continued;

static void note(int signal)
{
    (void)signal;
    continued = 1;
}

int main(void)
{
    int status = 0, gate[2];
    char letter;
    pipe(gate);
    pid_t child = fork();
    if (child == 0) {
        signal(SIGCONT, note);
        raise(SIGSTOP);
        write(gate[1], continued ? "c" : "n", 1);
        for (;;)
            pause();
    }
    check("the parent hears of the stop",
          waitpid(child, &status, WUNTRACED) == child && WIFSTOPPED(status) && WSTOPSIG(status) == SIGSTOP);
    show("only once", waitpid(child, &status, WUNTRACED | WNOHANG));
    fcntl(gate[0], F_SETFL, O_NONBLOCK);
    show("a stopped process does nothing", read(gate[0], &letter, 1));
    fcntl(gate[0], F_SETFL, 0);
    show("another signal waits", kill(child, SIGUSR1));
    show("WNOHANG", waitpid(child, &status, WNOHANG));
    show("SIGKILL does not", kill(child, SIGKILL));
    show_end("the child", child);

    child = fork();
    if (child == 0) {
        signal(SIGCONT, note);
        raise(SIGSTOP);
        write(gate[1], continued ? "c" : "n", 1);
        _exit(4);
    }
    waitpid(child, &status, WUNTRACED);
    printf("stopped by %d\n", WSTOPSIG(status));
    kill(child, SIGCONT);
    read(gate[0], &letter, 1);
    printf("continued with handler: %c\n", letter);
    show_end("the child", child);
    return verdict();
}
