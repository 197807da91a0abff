/* Clocks that agree with each other and only go forward. */
#include "test.h"
#include <sys/time.h>
#include <time.h>

static long nanoseconds(int clock)
{
    struct timespec now;
    return clock_gettime(clock, &now) < 0 ? -1 : now.tv_sec * 1000000000 + now.tv_nsec;
}

int main(void)
{
    struct timespec now;
    struct timeval day;
    long last = nanoseconds(CLOCK_MONOTONIC), backwards = 0, same = 0;
    for (int i = 0; i < 2000; i++) {
        long next = nanoseconds(CLOCK_MONOTONIC);
        backwards += next < last;
        same += next == last;
        last = next;
    }
    printf("the monotonic clock went back %ld times\n", backwards);
    check("and moved", same < 2000);

    clock_gettime(CLOCK_REALTIME, &now);
    check("nanoseconds are below a second", now.tv_nsec >= 0 && now.tv_nsec < 1000000000);
    check("the year is 2001 or later", now.tv_sec > 978307200);
    long seconds = time(0);
    gettimeofday(&day, 0);
    /* time() may be that of the last tick, and a second may begin between the calls. */
    check("time, gettimeofday and clock_gettime agree",
          abs((int)(seconds - now.tv_sec)) <= 1 && day.tv_sec - now.tv_sec <= 1 && day.tv_sec >= now.tv_sec);

    static const long sleeps_us[] = { 0, 100, 1000, 15000 };
    for (int i = 0; i < 4; i++) {
        struct timespec duration = { 0, sleeps_us[i] * 1000 };
        long start = nanoseconds(CLOCK_MONOTONIC), wall = nanoseconds(CLOCK_REALTIME);
        nanosleep(&duration, 0);
        long took = nanoseconds(CLOCK_MONOTONIC) - start, wall_took = nanoseconds(CLOCK_REALTIME) - wall;
        printf("a sleep of %ld us: ", sleeps_us[i]);
        check("not too short, and all clocks saw it",
              took >= sleeps_us[i] * 1000 && wall_took >= sleeps_us[i] * 1000 - 1000);
    }
    show("an unknown clock", clock_gettime(12345, &now));
    unsigned low, high, low2, high2;
    __asm__ volatile("rdtsc" : "=a"(low), "=d"(high));
    __asm__ volatile("rdtsc" : "=a"(low2), "=d"(high2));
    check("the time-stamp counter goes forward",
          ((unsigned long)high2 << 32 | low2) > ((unsigned long)high << 32 | low));
    return verdict();
}
