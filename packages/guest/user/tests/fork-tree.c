/* A binary tree of 63 processes: each adds one to what its children report, in memory of its own. */
#include "test.h"

static int below;

static int grow(int depth)
{
    pid_t children[2];
    if (depth == 0)
        return 1;
    for (int i = 0; i < 2; i++) {
        children[i] = fork();
        if (children[i] < 0)
            return 0;
        if (children[i] == 0) {
            below = 0;
            _exit(grow(depth - 1));
        }
    }
    for (int i = 0; i < 2; i++) {
        int status;
        if (waitpid(children[i], &status, 0) != children[i] || !WIFEXITED(status))
            return 0;
        below += WEXITSTATUS(status);
    }
    return below + 1;
}

int main(void)
{
    for (int depth = 0; depth <= 5; depth++) {
        below = 0;
        printf("depth %d: %d processes\n", depth, grow(depth));
    }

    /* A chain: each waits for the next. */
    int depth = 0;
    pid_t child;
    while (depth < 20 && (child = fork()) == 0)
        depth++;
    int status = 0;
    if (depth < 20)
        waitpid(child, &status, 0);
    if (depth > 0)
        _exit(depth == 20 ? 1 : WEXITSTATUS(status) + 1);
    printf("a chain of %d\n", WEXITSTATUS(status));
    return verdict();
}
