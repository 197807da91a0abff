/*
 * sys_poll.c: waiting for one of several files: poll, ppoll, select, pselect6.
 *
 * Whoever polls is woken by every change of a pipe or of the console, and looks again.
 */
#include "defs.h"

static u32 events_of(i32 descriptor) {
    struct file *file = descriptor_file(descriptor);
    if (!file) return POLLNVAL;
    return file->kind->poll ? file->kind->poll(file) : 0;
}

static i64 scan(struct linux_pollfd *set, u64 count) {
    i64 ready = 0;
    for (u64 i = 0; i < count; i++) {
        set[i].revents = 0;
        if (set[i].fd < 0) continue;
        u32 interest = ((u32)set[i].events & 0xffffu) | POLLERR | POLLHUP | POLLNVAL;
        set[i].revents = (i16)(events_of(set[i].fd) & interest);
        ready += set[i].revents != 0;
    }
    return ready;
}

/* `deadline` ~0: none. A deadline in the past looks once. */
static i64 poll(u64 at, u64 count, u64 deadline) {
    if (count > FILES) return -EINVAL;
    struct linux_pollfd *set = allocate(MAX(count, 1) * sizeof *set);
    if (!set) return -ENOMEM;
    i64 result = copy_in(set, at, count * sizeof *set);
    if (!result) {
        while (!(result = scan(set, count))) {
            i64 error = sleep_poll(deadline);
            if (error == -ETIMEDOUT) break;
            if (error) result = -ERESTARTNOHAND;
            if (error) break;
        }
        if (copy_out(at, set, count * sizeof *set)) result = -EFAULT;
    }
    release(set);
    return result;
}

i64 sys_poll(u64 at, u64 count, i32 milliseconds) {
    u64 deadline = milliseconds < 0 ? ~0ull : machine_time() + (u64)milliseconds * 1000000;
    return poll(at, count, milliseconds ? deadline : 0);
}

/* The deadline of a timeout that the program gave, or an error. */
static i64 read_timeout(u64 at, u64 *deadline, u64 unit) {
    *deadline = ~0ull;
    if (!at) return 0;
    struct linux_timespec time;
    if (copy_in(&time, at, sizeof time)) return -EFAULT;
    u64 part = (u64)time.nanoseconds * unit;
    if (time.seconds < 0 || time.nanoseconds < 0 || part >= 1000000000ull) return -EINVAL;
    u64 seconds = MIN((u64)time.seconds, 1000000000ull);
    *deadline = seconds || part ? machine_time() + seconds * 1000000000 + part : 0;
    return 0;
}

static i64 read_mask(u64 at, u64 size) {
    if (!at) return 0;
    u64 mask;
    if (size != sizeof mask) return -EINVAL;
    if (copy_in(&mask, at, sizeof mask)) return -EFAULT;
    signal_set_temporary_mask(mask);
    return 0;
}

i64 sys_ppoll(u64 at, u64 count, u64 timeout, u64 mask, u64 mask_size) {
    u64 deadline;
    i64 error = read_timeout(timeout, &deadline, 1);
    if (!error) error = read_mask(mask, mask_size);
    return error ? error : poll(at, count, deadline);
}

#define SETS 3 /* readable, writable, exceptional */

static i64 scan_sets(i32 count, u64 (*wanted)[FILES / 64], u64 (*found)[FILES / 64]) {
    static const u32 events[SETS] = {POLLIN | POLLHUP | POLLERR, POLLOUT | POLLERR, POLLPRI};
    i64 ready = 0;
    memzero(found, SETS * sizeof *found);
    for (i32 d = 0; d < count; d++) {
        u64 bit = 1ull << d % 64;
        for (int set = 0; set < SETS; set++) {
            if (!(wanted[set][d / 64] & bit)) continue;
            u32 now = events_of(d);
            if (now == POLLNVAL) return -EBADF;
            if (!(now & events[set])) continue;
            found[set][d / 64] |= bit;
            ready++;
        }
    }
    return ready;
}

static i64 select(i32 count, const u64 *sets, u64 deadline) {
    if (count < 0) return -EINVAL;
    count = MIN(count, FILES);
    u64 wanted[SETS][FILES / 64] = {{0}}, found[SETS][FILES / 64];
    usize size = ((usize)count + 63) / 64 * 8;
    for (int set = 0; set < SETS; set++)
        if (sets[set] && copy_in(wanted[set], sets[set], size)) return -EFAULT;
    i64 result;
    while (!(result = scan_sets(count, wanted, found))) {
        i64 error = sleep_poll(deadline);
        if (error == -ETIMEDOUT) break;
        if (error) return -ERESTARTNOHAND;
    }
    if (result < 0) return result;
    for (int set = 0; set < SETS; set++)
        if (sets[set] && copy_out(sets[set], found[set], size)) return -EFAULT;
    return result;
}

i64 sys_select(i32 count, u64 readable, u64 writable, u64 exceptional, u64 timeout) {
    u64 deadline, sets[SETS] = {readable, writable, exceptional};
    i64 error = read_timeout(timeout, &deadline, 1000);
    return error ? error : select(count, sets, deadline);
}

i64 sys_pselect6(i32 count, u64 readable, u64 writable, u64 exceptional, u64 timeout, u64 mask) {
    u64 deadline, sets[SETS] = {readable, writable, exceptional}, pair[2] = {0, 0};
    i64 error = read_timeout(timeout, &deadline, 1);
    if (!error && mask && copy_in(pair, mask, sizeof pair)) error = -EFAULT;
    if (!error) error = read_mask(pair[0], pair[1]);
    return error ? error : select(count, sets, deadline);
}
