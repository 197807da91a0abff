/*
 * clock.c: time and the one deadline, as Xen gives them: a page that says how to make nanoseconds of
 * the TSC, and a single-shot timer on the same clock.
 */
#include "paravirt.h"

static u64 start, boot_time; /* of Xen's clock; of the calendar */

static u64 read_tsc(void) {
    u32 low, high;
    __asm__ volatile("rdtsc" : "=a"(low), "=d"(high));
    return low | (u64)high << 32;
}

/* Nanoseconds of Xen's clock. An odd version says that the numbers are being changed. */
static u64 xen_time(void) {
    const volatile struct vcpu_time_info *time = &shared->vcpu_info[0].time;
    for (;;) {
        u32 version = time->version;
        u64 delta = read_tsc() - time->tsc_timestamp, now = time->system_time;
        u32 factor = time->tsc_to_system_mul;
        i8 shift = time->tsc_shift;
        delta = shift < 0 ? delta >> -shift : delta << shift;
        now += (u64)((unsigned __int128)delta * factor >> 32);
        if (!(version & 1) && version == time->version) return now;
    }
}

void clock_init(void) {
    u32 version;
    u64 seconds, part;
    const volatile struct shared_info *wall = shared;
    do {
        version = wall->wc_version;
        seconds = wall->wc_sec | (u64)wall->wc_sec_hi << 32;
        part = wall->wc_nsec;
    } while (version & 1 || version != wall->wc_version);
    start = xen_time();
    boot_time = seconds * 1000000000 + part + start; /* the page has the calendar at Xen's own start */
    i64 error = hypercall3(HYPERVISOR_vcpu_op, VCPUOP_stop_periodic_timer, 0, 0);
    if (error) panic("cannot stop the periodic timer: error %d", (int)-error);
    listen(bind_virq(VIRQ_TIMER), kernel_timer);
}

u64 machine_time(void) { return xen_time() - start; }
u64 machine_boot_time(void) { return boot_time; }

void machine_arm_timer(u64 deadline) {
    u64 latest = ~0ull >> 2; /* hundreds of years: any later moment would overflow */
    struct vcpu_set_singleshot_timer timer = {MIN(deadline, latest) + start, 0};
    i64 error = hypercall3(HYPERVISOR_vcpu_op, VCPUOP_set_singleshot_timer, 0, (u64)&timer);
    if (error) panic("cannot set the timer: error %d", (int)-error);
}

void machine_disarm_timer(void) {
    i64 error = hypercall3(HYPERVISOR_vcpu_op, VCPUOP_stop_singleshot_timer, 0, 0);
    if (error) panic("cannot stop the timer: error %d", (int)-error);
}
