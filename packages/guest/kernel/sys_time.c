/*
 * sys_time.c: system calls on time.
 */
#include "defs.h"

#define SECOND 1000000000ull

static i64 read_clock(u32 clock, u64 *time) {
    switch (clock) {
    case CLOCK_REALTIME:
    case CLOCK_REALTIME_COARSE:
        *time = time_now();
        return 0;
    case CLOCK_MONOTONIC:
    case CLOCK_MONOTONIC_RAW:
    case CLOCK_MONOTONIC_COARSE:
    case CLOCK_BOOTTIME:
        *time = machine_time();
        return 0;
    case CLOCK_PROCESS_CPUTIME_ID:
    case CLOCK_THREAD_CPUTIME_ID:
        *time = current->run_time + machine_time() - current->run_since;
        return 0;
    default:
        return -EINVAL;
    }
}

i64 sys_clock_gettime(u32 clock, u64 at) {
    u64 time;
    i64 error = read_clock(clock, &time);
    if (error) return error;
    struct linux_timespec spec = {(i64)(time / SECOND), (i64)(time % SECOND)};
    return copy_out(at, &spec, sizeof spec);
}

i64 sys_clock_getres(u32 clock, u64 at) {
    u64 time;
    i64 error = read_clock(clock, &time);
    struct linux_timespec spec = {0, 1};
    if (error || !at) return error;
    return copy_out(at, &spec, sizeof spec);
}

i64 sys_gettimeofday(u64 at, u64 zone) {
    u64 now = time_now();
    struct linux_timeval value = {(i64)(now / SECOND), (i64)(now / 1000 % 1000000)};
    if (at && copy_out(at, &value, sizeof value)) return -EFAULT;
    return zone ? clear_out(zone, 8) : 0;
}

i64 sys_time(u64 at) {
    i64 seconds = (i64)(time_now() / SECOND);
    if (at && copy_out(at, &seconds, sizeof seconds)) return -EFAULT;
    return seconds;
}

i64 sys_clock_nanosleep(u32 clock, u32 flags, u64 at, u64 left_at) {
    struct linux_timespec asked;
    u64 now;
    i64 error = read_clock(clock, &now);
    if (error) return error;
    if (copy_in(&asked, at, sizeof asked)) return -EFAULT;
    if (asked.seconds < 0 || asked.nanoseconds < 0 || asked.nanoseconds >= (i64)SECOND) return -EINVAL;
    u64 length = MIN((u64)asked.seconds, SECOND) * SECOND + (u64)asked.nanoseconds;
    bool absolute = flags & TIMER_ABSTIME;
    if (absolute) length = length > now ? length - now : 0;
    u64 deadline = current->restart_deadline ? current->restart_deadline : machine_time() + length;
    current->restart_deadline = 0;
    struct queue nobody = {0};
    do error = sleep_until(&nobody, deadline);
    while (!error);
    if (error == -ETIMEDOUT) return 0;
    u64 end = machine_time(), left = deadline > end ? deadline - end : 0;
    struct linux_timespec rest = {(i64)(left / SECOND), (i64)(left % SECOND)};
    if (!absolute && left_at && copy_out(left_at, &rest, sizeof rest)) return -EFAULT;
    current->restart_deadline = deadline;
    return -ERESTARTNOHAND;
}

i64 sys_nanosleep(u64 at, u64 left_at) { return sys_clock_nanosleep(CLOCK_MONOTONIC, 0, at, left_at); }

static void ring(struct process *process) {
    signal_send(process, SIGALRM, NULL);
    if (process->alarm_interval) timer_start(&process->alarm, machine_time() + process->alarm_interval);
}

static u64 set_alarm(u64 delay, u64 interval) {
    u64 deadline = current->alarm.deadline, now = machine_time();
    u64 left = !deadline ? 0 : deadline > now ? deadline - now : 1;
    current->alarm_interval = interval;
    current->alarm.fire = ring;
    current->alarm.owner = current;
    if (delay) timer_start(&current->alarm, now + delay);
    else timer_stop(&current->alarm);
    return left;
}

i64 sys_alarm(u32 seconds) { return (i64)((set_alarm(seconds * SECOND, 0) + SECOND - 1) / SECOND); }

static i64 put_alarm(u64 at, u64 left, u64 interval) {
    struct linux_itimerval value = {
        {(i64)(interval / SECOND), (i64)(interval / 1000 % 1000000)},
        {(i64)(left / SECOND), (i64)((left + 999) / 1000 % 1000000)},
    };
    return copy_out(at, &value, sizeof value);
}

i64 sys_getitimer(u32 which, u64 at) {
    if (which > 2) return -EINVAL;
    u64 now = machine_time(), deadline = which ? 0 : current->alarm.deadline;
    return put_alarm(at, deadline > now ? deadline - now : 0, which ? 0 : current->alarm_interval);
}

i64 sys_setitimer(u32 which, u64 new, u64 old) {
    if (which) return -EINVAL; /* only ITIMER_REAL */
    struct linux_itimerval value = {{0, 0}, {0, 0}};
    if (new && copy_in(&value, new, sizeof value)) return -EFAULT;
    const struct linux_timeval *times[2] = {&value.value, &value.interval};
    u64 lengths[2];
    for (int i = 0; i < 2; i++) {
        if (times[i]->seconds < 0 || times[i]->microseconds < 0 || times[i]->microseconds >= 1000000) return -EINVAL;
        lengths[i] = MIN((u64)times[i]->seconds, SECOND) * SECOND + (u64)times[i]->microseconds * 1000;
    }
    u64 interval = current->alarm_interval, left = set_alarm(lengths[0], lengths[1]);
    return old ? put_alarm(old, left, interval) : 0;
}
