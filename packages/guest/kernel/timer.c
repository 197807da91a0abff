/*
 * timer.c: what happens at a moment: sleeps end, alarms ring, time slices are over.
 *
 * The machine has one deadline. It is set only when somebody waits for a moment or two processes
 * want to run; it is left set when that changes (it then fires for nothing, once), because setting
 * it costs more than an interrupt that is not needed. Only idling sets it exactly.
 */
#include "defs.h"

#define SLICE 10000000ull /* 10 ms */

static struct timer *timers;
static u64 armed;     /* 0: not */
static u64 slice_end; /* 0: nobody else wants to run */

static u64 wanted(void) {
    u64 first = timers ? timers->deadline : 0;
    if (!slice_end) return first;
    return first ? MIN(first, slice_end) : slice_end;
}

static void arm(u64 deadline) {
    armed = deadline;
    machine_arm_timer(deadline);
}

static void update(void) {
    u64 want = wanted();
    if (want && (!armed || want < armed)) arm(want);
}

void timer_stop(struct timer *timer) {
    if (!timer->deadline) return;
    struct timer **link = &timers;
    while (*link != timer) link = &(*link)->next;
    *link = timer->next;
    timer->deadline = 0;
}

void timer_start(struct timer *timer, u64 deadline) {
    timer_stop(timer);
    timer->deadline = MAX(deadline, 1);
    struct timer **link = &timers;
    while (*link && (*link)->deadline <= timer->deadline) link = &(*link)->next;
    timer->next = *link;
    *link = timer;
    update();
}

/* Called when a second process wants to run. */
void timer_start_slice(void) {
    if (slice_end) return;
    slice_end = machine_time() + SLICE;
    update();
}

void timer_before_idle(void) {
    slice_end = 0;
    u64 want = timers ? timers->deadline : 0;
    if (want == armed) return;
    if (want) {
        arm(want);
        return;
    }
    armed = 0;
    machine_disarm_timer();
}

void kernel_timer(void) {
    armed = 0;
    u64 now = machine_time();
    while (timers && timers->deadline <= now) {
        struct timer *timer = timers;
        timers = timer->next;
        timer->deadline = 0;
        timer->fire(timer->owner);
    }
    if (slice_end && slice_end <= now) {
        slice_end = 0;
        schedule_wanted = true;
    }
    update();
}

u64 time_now(void) { return machine_boot_time() + machine_time(); }
