/* alarm and setitimer, and the calls that their signals interrupt. */
#include "test.h"
#include <sys/time.h>
#include <time.h>

static volatile int count;
static int fds[2];

static void tick(int signal)
{
    (void)signal;
    count++;
}

static void write_one(int signal)
{
    (void)signal;
    count++;
    write(fds[1], "w", 1);
}

static void handle(void (*handler)(int), unsigned long flags)
{
    struct sigaction action = { .sa_handler = handler, .sa_flags = flags };
    sigaction(SIGALRM, &action, 0);
}

/* A signal every so many milliseconds, so that it does not matter when one comes before the call that it is
 * to interrupt. */
static void start_ticks(long ms)
{
    struct itimerval often = { { 0, ms * 1000 }, { 0, ms * 1000 } };
    setitimer(ITIMER_REAL, &often, 0);
}

static void stop_ticks(void)
{
    struct itimerval off = { { 0, 0 }, { 0, 0 } };
    setitimer(ITIMER_REAL, &off, 0);
}

static long now_ms(void)
{
    struct timespec now;
    clock_gettime(CLOCK_MONOTONIC, &now);
    return now.tv_sec * 1000 + now.tv_nsec / 1000000;
}

static int killed(void)
{
    signal(SIGALRM, SIG_DFL);
    start_ticks(5);
    while (pause() == -1)
        ;
    return 0;
}

/* A loop that makes no system call is interrupted too. */
static int spinning(void)
{
    handle(tick, 0);
    start_ticks(5);
    while (count == 0)
        ;
    return count;
}

int main(void)
{
    char letter = 0;
    pipe(fds);

    handle(tick, 0);
    show("alarm", alarm(100));
    check("alarm gives what was left", alarm(0) >= 99);
    show("alarm when there is none", alarm(0));

    start_ticks(5);
    show("pause", pause());
    show("read without SA_RESTART", read(fds[0], &letter, 1));
    handle(write_one, SA_RESTART);
    show("read with SA_RESTART", read(fds[0], &letter, 1));
    printf("it got %c\n", letter);
    handle(tick, 0);
    stop_ticks();

    pid_t child = fork();
    if (child == 0) {
        usleep(100000);
        _exit(0);
    }
    start_ticks(5);
    show("wait without SA_RESTART", waitpid(child, 0, 0));
    stop_ticks();
    show_end("the child", child);

    struct timespec duration = { 5, 0 }, left = { 0, 0 };
    start_ticks(5);
    show("nanosleep", nanosleep(&duration, &left));
    check("nanosleep tells what is left", left.tv_sec == 4 && left.tv_nsec > 0);
    stop_ticks();

    count = 0;
    long start = now_ms();
    start_ticks(2);
    while (count < 5)
        pause();
    check("five ticks of 2 ms take 9 ms or more", now_ms() - start >= 9);
    struct itimerval off = { { 0, 0 }, { 0, 0 } }, was;
    setitimer(ITIMER_REAL, &off, &was);
    check("the timer tells its interval", was.it_interval.tv_usec == 2000);

    in_child("alarm without handler", killed);
    count = 0;
    in_child("a loop without system calls", spinning);
    alarm(50);
    child = fork();
    if (child == 0)
        _exit((int)alarm(0));
    show_end("a child has no alarm", child);
    show("setitimer of a wrong timer", setitimer(99, &off, 0));
    show("nanosleep of a wrong time", nanosleep(&(struct timespec){ 0, 2000000000 }, 0));
    return verdict();
}
