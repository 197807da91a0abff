/* Process groups and sessions, and signals and waits that name a group. */
#include "test.h"

static volatile int count;

static void note(int signal)
{
    (void)signal;
    count++;
}

static int own_session(void)
{
    pid_t session = setsid();
    check("a session of its own", session == getpid() && getpgrp() == session && getsid(0) == session);
    show("once more", setsid());
    show("a leader cannot change its group", setpgid(0, 0));
    return 0;
}

int main(void)
{
    setsid();
    setpgid(0, 0);
    pid_t self = getpid();
    check("leader of its group", getpgrp() == self && getpgid(0) == self && getpgid(self) == self);
    in_child("the child", own_session);

    /* Three children in a group of their own. */
    pid_t children[3];
    int gate[2];
    char letter;
    pipe(gate);
    for (int i = 0; i < 3; i++) {
        children[i] = fork();
        if (children[i] == 0) {
            setpgid(0, i == 0 ? 0 : children[0]);
            write(gate[1], "x", 1);
            for (;;)
                pause();
        }
        setpgid(children[i], children[0]);
    }
    for (int i = 0; i < 3; i++)
        read(gate[0], &letter, 1);
    check("they are in it", getpgid(children[0]) == children[0] && getpgid(children[2]) == children[0]);
    signal(SIGTERM, note);
    show("WNOHANG for our group", waitpid(0, 0, WNOHANG));
    show("WNOHANG for theirs", waitpid(-children[0], 0, WNOHANG));
    show("a signal for their group", kill(-children[0], SIGTERM));
    int ended = 0, status;
    for (int i = 0; i < 3; i++)
        ended += waitpid(-children[0], &status, 0) > 0 && WTERMSIG(status) == SIGTERM;
    printf("%d ended, %d came here\n", ended, count);
    show("a group that is gone", kill(-children[0], SIGTERM));
    show("getpgid of nobody", getpgid(children[0]));

    /* kill(0) is for all of ours, the sender included. */
    pid_t child = fork();
    if (child == 0) {
        signal(SIGTERM, SIG_DFL);
        write(gate[1], "x", 1);
        for (;;)
            pause();
    }
    read(gate[0], &letter, 1);
    count = 0;
    show("kill(0)", kill(0, SIGTERM));
    printf("%d came here\n", count);
    show_end("and there", child);
    show("setpgid of nobody", setpgid(0x3ffffff, 0));
    show("a negative group", setpgid(0, -1));
    return verdict();
}
