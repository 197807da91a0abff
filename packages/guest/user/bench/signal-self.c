/* A signal to oneself: kill, the handler, and the return from it. */
#include "bench.h"
#include <signal.h>
#include <unistd.h>

static pid_t self;
static volatile uint64_t handled;

static void handler(int signal) { handled += (uint64_t)signal; }

static void prepare(long count)
{
    (void)count;
    self = getpid();
    require(signal(SIGUSR1, handler) != SIG_ERR, "sigaction");
}

static uint64_t run(long first, long count, uint64_t checksum)
{
    for (long i = first; i < first + count; i++) {
        require(kill(self, SIGUSR1) == 0, "kill");
        checksum = mix(checksum, handled);
    }
    return checksum;
}

const struct benchmark signal_self = { "signal", "kill of oneself, handler, sigreturn", prepare, run, 0 };
