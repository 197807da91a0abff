/* Times of day and interval timers. */
#pragma once
#include <sys/types.h>

#define ITIMER_REAL 0

struct timeval {
    time_t tv_sec;
    long tv_usec;
};
struct itimerval {
    struct timeval it_interval;
    struct timeval it_value;
};

int gettimeofday(struct timeval *now, void *zone);
int setitimer(int which, const struct itimerval *new, struct itimerval *old);
