/* Kills every process it may, the forwarders of its own output included, and ends with status 5. Not for a
 * host of yours. */
#include <signal.h>
#include <stdlib.h>
#include <unistd.h>

int main(void)
{
    if (!getenv("RINGSIDE_GUEST"))
        return 125;
    kill(-1, SIGKILL);
    return 5;
}
