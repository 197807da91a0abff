/*
 * futex.c: as much of futexes as programs without threads use: they wait until a value changes, or
 * until somebody who shares the page wakes them.
 */
#include "defs.h"

#define FUTEX_WAIT 0
#define FUTEX_WAKE 1
#define FUTEX_WAIT_BITSET 9
#define FUTEX_WAKE_BITSET 10
#define FUTEX_PRIVATE 128u
#define FUTEX_CLOCK_REALTIME 256u

struct waiter {
    struct waiter *next;
    u64 key; /* physical address: the same for all who share the page */
    bool woken;
    struct queue queue;
};

static struct waiter *waiters;

static i64 key_of(u64 address, u64 *key) {
    u32 value;
    if (address % 4) return -EINVAL;
    if (copy_in(&value, address, sizeof value)) return -EFAULT;
    u64 *slot = space_slot(current->space, address);
    *key = (u64)machine_entry_frame(*slot) * PAGE_SIZE + address % PAGE_SIZE;
    return 0;
}

i64 futex_wake(u64 address, i64 count) {
    u64 key;
    i64 error = key_of(address, &key), woken = 0;
    if (error) return error;
    for (struct waiter *w = waiters; w && woken < count; w = w->next) {
        if (w->key != key || w->woken) continue;
        w->woken = true;
        wake_all(&w->queue);
        woken++;
    }
    return woken;
}

static i64 wait(u64 address, u32 expected, u64 deadline) {
    u32 value;
    struct waiter waiter = {.woken = false};
    /* A write fault first, so that copy-on-write does not change the page under the waiter. */
    i64 error = fault_in(address, PROT_WRITE) == -EFAULT ? -EFAULT : key_of(address, &waiter.key);
    if (error) return error;
    if (copy_in(&value, address, sizeof value)) return -EFAULT;
    if (value != expected) return -EAGAIN;
    waiter.next = waiters;
    waiters = &waiter;
    while (!error && !waiter.woken)
        error = deadline == ~0ull ? sleep_on(&waiter.queue) : sleep_until(&waiter.queue, deadline);
    struct waiter **link = &waiters;
    while (*link != &waiter) link = &(*link)->next;
    *link = waiter.next;
    return waiter.woken ? 0 : error;
}

i64 sys_futex(u64 address, u32 operation, u32 value, u64 timeout) {
    u32 command = operation & ~(FUTEX_PRIVATE | FUTEX_CLOCK_REALTIME);
    u64 deadline = ~0ull;
    switch (command) {
    case FUTEX_WAIT:
    case FUTEX_WAIT_BITSET:
        if (timeout) {
            struct linux_timespec time;
            if (copy_in(&time, timeout, sizeof time)) return -EFAULT;
            if (time.seconds < 0 || time.nanoseconds < 0 || time.nanoseconds >= 1000000000) return -EINVAL;
            u64 length = MIN((u64)time.seconds, 4000000000ull) * 1000000000 + (u64)time.nanoseconds;
            u64 base = operation & FUTEX_CLOCK_REALTIME ? machine_boot_time() : 0;
            if (command == FUTEX_WAIT) deadline = machine_time() + length;
            else deadline = length > base ? length - base : 0;
        }
        return wait(address, value, deadline);
    case FUTEX_WAKE:
    case FUTEX_WAKE_BITSET:
        return futex_wake(address, value);
    default:
        return -ENOSYS;
    }
}
