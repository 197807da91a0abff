/* Clocks. */
#pragma once
#include <sys/types.h>

#define CLOCK_REALTIME 0
#define CLOCK_MONOTONIC 1

struct timespec {
    time_t tv_sec;
    long tv_nsec;
};

int clock_gettime(int clock, struct timespec *now);
int nanosleep(const struct timespec *duration, struct timespec *remaining);
time_t time(time_t *now);
