/* events.c: event channels: pending, masked, inside of each other; and the mask, whoever changes it. */
#include "xen_selftest.h"

static volatile struct vcpu_info *vcpu;
static u32 first, second;
static u32 upcalls, depth, deepest, seen_first, seen_second;
static bool nest;
static u64 upcall_flags;
static u8 upcall_mask;

static bool bit(volatile u64 *words, u32 port) { return words[port / 64] >> port % 64 & 1; }
static bool pending(u32 port) { return bit(shared->evtchn_pending, port); }
static void clear(volatile u64 *words, u32 port) { __atomic_and_fetch(&words[port / 64], ~(1ull << port % 64), __ATOMIC_SEQ_CST); }
static void mask(u32 port) { __atomic_or_fetch(&shared->evtchn_mask[port / 64], 1ull << port % 64, __ATOMIC_SEQ_CST); }
static u64 send(u32 port) { return (u64)hypercall2(HYPERVISOR_event_channel_op, EVTCHNOP_send, (u64)&port); }
static void unmask(u32 port) { must("unmask", hypercall2(HYPERVISOR_event_channel_op, EVTCHNOP_unmask, (u64)&port)); }

/* Any hypercall brings what is pending. */
static void allow_upcalls(bool allow) {
    vcpu->evtchn_upcall_mask = !allow;
    if (allow) must("yield", hypercall2(HYPERVISOR_sched_op, SCHEDOP_yield, 0));
}

static void take(u32 port, u32 *count) {
    if (!pending(port) || bit(shared->evtchn_mask, port)) return;
    clear(shared->evtchn_pending, port);
    ++*count;
}

static bool on_upcall(struct frame *frame) {
    upcalls++;
    depth++;
    if (depth > deepest) deepest = depth;
    if (depth == 1) {
        upcall_flags = frame->rflags;
        upcall_mask = mask_inside;
    }
    vcpu->evtchn_upcall_pending = 0;
    (void)__atomic_exchange_n(&vcpu->evtchn_pending_sel, 0, __ATOMIC_SEQ_CST);
    take(first, &seen_first);
    if (nest) {
        nest = false;
        vcpu->evtchn_upcall_mask = 0;
        must("send", (i64)send(second));
    }
    take(second, &seen_second);
    depth--;
    return true;
}

static u32 bind_ipi(void) {
    struct evtchn_bind_ipi bind = {0, 0};
    must("bind_ipi", hypercall2(HYPERVISOR_event_channel_op, EVTCHNOP_bind_ipi, (u64)&bind));
    return bind.port;
}

static void restart(void) { upcalls = deepest = seen_first = seen_second = 0; }

static void masks(void) {
    allow_upcalls(false);
    unmask(first);
    restart();
    check("send", send(first), 0);
    check("masked-upcall-waits", upcalls, 0);
    check("event-is-pending", pending(first), true);
    check("upcall-is-pending", vcpu->evtchn_upcall_pending, 1);
    check("selector-is-set", vcpu->evtchn_pending_sel, 1ull << first / 64);
    allow_upcalls(true);
    check("upcall-comes", upcalls << 8 | seen_first, 0x101);
    check("upcall-masks-others", upcall_mask, 1);
    check("upcall-saves-interrupt-flag", upcall_flags & IF, IF);
    check("iret-unmasks", vcpu->evtchn_upcall_mask, 0);

    mask(first);
    restart();
    check("send-to-masked-port", send(first), 0);
    check("masked-port-waits", upcalls, 0);
    check("masked-port-is-pending", pending(first), true);
    unmask(first);
    check("unmasked-port-comes", upcalls << 8 | seen_first, 0x101);
}

static void nesting(void) {
    unmask(second);
    restart();
    nest = true;
    check("send-for-nesting", send(first), 0);
    check("events-nest", deepest, 2);
    check("nested-events-come-once", seen_first << 8 | seen_second, 0x101);
    allow_upcalls(false);
    restart();
    must("send", (i64)send(second));
    must("send", (i64)send(second));
    must("send", (i64)send(first));
    allow_upcalls(true);
    check("events-merge", upcalls << 16 | seen_first << 8 | seen_second, 0x10101);
}

static bool on_trap(struct frame *frame) {
    if (frame->vector == UD) frame->rip += 2;
    return true;
}

static void traps(void) {
    hooks[BP] = hooks[UD] = on_trap;
    allow_upcalls(true);
    __asm__ volatile("int3" ::: "memory");
    check("trap-leaves-mask", mask_inside, 0);
    __asm__ volatile("ud2" ::: "memory");
    check("trap-masks-events", mask_inside, 1);
    check("trap-return-unmasks", vcpu->evtchn_upcall_mask, 0);
    allow_upcalls(false);
    __asm__ volatile("ud2" ::: "memory");
    check("trap-saves-masked-as-if-clear", last.frame.rflags & IF, 0);
    check("trap-return-keeps-mask", vcpu->evtchn_upcall_mask, 1);
    hooks[BP] = hooks[UD] = NULL;
}

static void programs(void) {
    allow_upcalls(false);
    restart();
    must("send", (i64)send(first));
    run_user(user_nothing, 0);
    check("event-before-program", upcalls << 8 | seen_first, 0x101);
    check("program-runs-then", last.frame.vector, BP);
    allow_upcalls(false);
}

void test_events(void) {
    vcpu = &shared->vcpu_info[0];
    hooks[VECTOR_UPCALL] = on_upcall;
    first = bind_ipi();
    second = bind_ipi();
    check("ports-differ", first == second, false);
    masks();
    nesting();
    traps();
    programs();
    mask(first);
    mask(second);
    must("close", hypercall2(HYPERVISOR_event_channel_op, EVTCHNOP_close, (u64)&first));
    must("close", hypercall2(HYPERVISOR_event_channel_op, EVTCHNOP_close, (u64)&second));
    check("send-to-closed-port", send(first), wanted_error(EINVAL));
    hooks[VECTOR_UPCALL] = NULL;
}
