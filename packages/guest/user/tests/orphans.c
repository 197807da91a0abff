/* Hundreds of processes that outlive their parents, then hundreds at once: none is left over, and numbers do
 * not run out. */
#include "test.h"

int main(void)
{
    int gate[2], done[2], orphans = 0;
    char letter;
    pipe(gate);
    pipe(done);

    /* Each child leaves a grandchild behind, which writes a letter and ends as somebody else's. */
    for (int i = 0; i < 300; i++) {
        pid_t child = fork();
        if (child == 0) {
            pid_t grandchild = fork();
            if (grandchild == 0) {
                write(done[1], "o", 1);
                _exit(0);
            }
            _exit(grandchild > 0 ? 0 : 1);
        }
        int status;
        if (child > 0 && waitpid(child, &status, 0) == child && status == 0)
            orphans += read(done[0], &letter, 1) == 1;
    }
    printf("%d orphans\n", orphans);
    show("nobody is left to wait for", waitpid(-1, 0, 0));

    /* A hundred that all wait for the same pipe to be closed. */
    int started = 0, sum = 0;
    for (int i = 0; i < 100; i++) {
        pid_t child = fork();
        if (child == 0) {
            close(gate[1]);
            read(gate[0], &letter, 1);
            _exit(i);
        }
        started += child > 0;
    }
    close(gate[1]);
    for (int i = 0; i < started; i++) {
        int status;
        if (wait(&status) > 0 && WIFEXITED(status))
            sum += WEXITSTATUS(status);
    }
    printf("%d at once, their numbers add up to %d\n", started, sum);
    close(gate[0]);

    /* A pipeline of thirty. */
    int from = open("/dev/null", O_RDONLY);
    for (int i = 0; i < 30; i++) {
        int next[2];
        pipe(next);
        if (fork() == 0) {
            char text[400];
            size_t size = 0;
            ssize_t got;
            close(next[0]);
            while ((got = read(from, text + size, sizeof(text) - size)) > 0)
                size += (size_t)got;
            dprintf(next[1], "%.*s%d ", (int)size, text, i);
            _exit(0);
        }
        close(next[1]);
        close(from);
        from = next[0];
    }
    char line[400];
    size_t size = 0;
    ssize_t got;
    while ((got = read(from, line + size, sizeof(line) - size)) > 0)
        size += (size_t)got;
    printf("%.*s\n", (int)size, line);
    for (int i = 0; i < 30; i++)
        wait(0);
    show("all are gone", waitpid(-1, 0, 0));
    return verdict();
}
