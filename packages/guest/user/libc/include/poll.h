/* Waiting for any of several descriptors. */
#pragma once

#define POLLIN 1
#define POLLOUT 4
#define POLLERR 8
#define POLLHUP 16
#define POLLNVAL 32

struct pollfd {
    int fd;
    short events;
    short revents;
};

/* `timeout_ms` below 0 waits for ever. */
int poll(struct pollfd *fds, unsigned long count, int timeout_ms);
