/* poll: readiness of pipes and files, hang-up, time-outs, waiting for another process. */
#include "test.h"
#include <poll.h>
#include <time.h>

static void show_poll(const char *what, struct pollfd *fds, int count, int timeout)
{
    int ready = poll(fds, (unsigned long)count, timeout);
    printf("%s: %d", what, ready);
    if (ready < 0)
        printf(" %s", strerrorname(errno));
    for (int i = 0; i < count; i++)
        printf(" [%s%s%s%s%s]", fds[i].revents & POLLIN ? "in " : "", fds[i].revents & POLLOUT ? "out " : "",
               fds[i].revents & POLLHUP ? "hup " : "", fds[i].revents & POLLERR ? "err " : "",
               fds[i].revents & POLLNVAL ? "invalid " : "");
    printf("\n");
}

static void nothing(int signal) { (void)signal; }

int main(void)
{
    int one[2], two[2];
    pipe(one);
    pipe(two);
    struct pollfd fds[3] = { { one[0], POLLIN, 0 }, { one[1], POLLOUT, 0 }, { two[0], POLLIN, 0 } };

    show_poll("an empty pipe can be written", fds, 3, 0);
    write(one[1], "x", 1);
    show_poll("now it can also be read", fds, 3, 0);
    close(two[1]);
    show_poll("the second has lost its writer", fds, 3, 0);
    close(two[0]);
    show_poll("the second is closed", fds, 3, 0);
    fds[2].fd = -1;
    show_poll("a negative descriptor is skipped", fds, 3, 0);

    char byte;
    read(one[0], &byte, 1);
    show_poll("empty again", fds, 1, 0);
    struct timespec before, after;
    clock_gettime(CLOCK_MONOTONIC, &before);
    show_poll("20 ms of nothing", fds, 1, 20);
    clock_gettime(CLOCK_MONOTONIC, &after);
    check("they took at least 20 ms",
          (after.tv_sec - before.tv_sec) * 1000000000 + after.tv_nsec - before.tv_nsec >= 20000000);
    show("poll as a pause", poll(0, 0, 5));

    int file = open("/dev/null", O_RDWR);
    struct pollfd always = { file, POLLIN | POLLOUT, 0 };
    show_poll("/dev/null is always ready", &always, 1, -1);
    close(file);

    /* A child writes after a while; poll sleeps until then. */
    pid_t child = fork();
    if (child == 0) {
        usleep(10000);
        write(one[1], "y", 1);
        _exit(0);
    }
    show_poll("poll waits for a child", fds, 1, -1);
    read(one[0], &byte, 1);
    printf("it wrote %c\n", byte);
    show_end("the child", child);

    signal(SIGALRM, nothing);
    alarm(1);
    show_poll("a signal ends poll", fds, 1, -1);

    close(one[0]);
    fds[1].fd = one[1];
    show_poll("a pipe without reader", fds + 1, 1, 0);
    close(one[1]);
    return verdict();
}
