/* timer.c: the single-shot timer, on the clock of the shared page. */
#include "xen_selftest.h"

#define MILLISECOND 1000000ull

static u32 port, fired;
static u64 fired_at;

static bool on_upcall(struct frame *frame) {
    (void)frame;
    shared->vcpu_info[0].evtchn_upcall_pending = 0;
    (void)__atomic_exchange_n(&shared->vcpu_info[0].evtchn_pending_sel, 0, __ATOMIC_SEQ_CST);
    u64 bit = 1ull << port % 64;
    if (__atomic_fetch_and(&shared->evtchn_pending[port / 64], ~bit, __ATOMIC_SEQ_CST) & bit) {
        fired++;
        fired_at = read_time();
    }
    return true;
}

static u64 arm(u64 deadline, u32 flags) {
    struct vcpu_set_singleshot_timer timer = {deadline, flags};
    return (u64)hypercall3(HYPERVISOR_vcpu_op, VCPUOP_set_singleshot_timer, 0, (u64)&timer);
}

/* Events are masked again as soon as it returns. */
static void block(void) {
    must("block", hypercall2(HYPERVISOR_sched_op, SCHEDOP_block, 0));
    shared->vcpu_info[0].evtchn_upcall_mask = 1;
}

void test_timer(void) {
    struct evtchn_bind_virq bind = {VIRQ_TIMER, 0, 0};
    u64 start = read_time(), deadline;
    shared->vcpu_info[0].evtchn_upcall_mask = 1;
    hooks[VECTOR_UPCALL] = on_upcall;
    must("bind_virq", hypercall2(HYPERVISOR_event_channel_op, EVTCHNOP_bind_virq, (u64)&bind));
    port = bind.port;
    check("virq-binds-once", (u64)hypercall2(HYPERVISOR_event_channel_op, EVTCHNOP_bind_virq, (u64)&bind), wanted_error(EEXIST));
    must("unmask", hypercall2(HYPERVISOR_event_channel_op, EVTCHNOP_unmask, (u64)&port));
    check("time-goes-on", read_time() >= start, true);

    fired = 0;
    deadline = read_time() + 2 * MILLISECOND;
    check("arm", arm(deadline, 0), 0);
    check("timer-waits", fired, 0);
    block();
    check("timer-fires", fired, 1);
    check("timer-is-not-early", fired_at >= deadline, true);

    check("arm-for-the-past", arm(start, 0), 0);
    block();
    check("past-deadline-fires", fired, 2);

    deadline = read_time() + MILLISECOND;
    must("arm", (i64)arm(deadline, 0));
    check("disarm", (u64)hypercall3(HYPERVISOR_vcpu_op, VCPUOP_stop_singleshot_timer, 0, 0), 0);
    while (read_time() < deadline + MILLISECOND) (void)hypercall2(HYPERVISOR_sched_op, SCHEDOP_yield, 0);
    shared->vcpu_info[0].evtchn_upcall_mask = 0;
    must("yield", hypercall2(HYPERVISOR_sched_op, SCHEDOP_yield, 0));
    shared->vcpu_info[0].evtchn_upcall_mask = 1;
    check("disarmed-timer-is-silent", fired, 2);
    must("close", hypercall2(HYPERVISOR_event_channel_op, EVTCHNOP_close, (u64)&port));
    hooks[VECTOR_UPCALL] = NULL;
}
