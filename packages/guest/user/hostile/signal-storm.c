/* A handler that raises its own signal again before it returns, until the stack is full of frames. Ending:
 * SIGSEGV. */
#include <signal.h>

static void handler(int signal) { raise(signal); }

int main(void)
{
    struct sigaction action = { .sa_handler = handler, .sa_flags = SA_NODEFER };
    sigaction(SIGUSR1, &action, 0);
    raise(SIGUSR1);
    return 1;
}
