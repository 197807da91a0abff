/*
 * events.c: exceptions, by Xen's trap table, and event channels, its interrupts.
 */
#include "paravirt.h"

extern char entry_stubs[], entry_upcall[], entry_failsafe[], entry_syscall[], entry_syscall32[];

struct shared_info *shared;

static struct vcpu_info *vcpu;

static struct {
    u32 port;
    void (*handler)(void);
} listeners[4];
static usize listener_count;

static void register_callback(u16 type, const void *entry) {
    struct callback_register callback = {type, CALLBACKF_mask_events, (u64)entry};
    i64 error = hypercall2(HYPERVISOR_callback_op, CALLBACKOP_register, (u64)&callback);
    /* Not every processor has a SYSCALL for 32-bit code. */
    if (error && type != CALLBACKTYPE_syscall32) panic("callback %u failed: error %d", type, (int)-error);
}

static void set_traps(void) {
    static const u8 vectors[] = {
        FAULT_DIVIDE, FAULT_DEBUG, FAULT_BREAKPOINT, FAULT_OVERFLOW, FAULT_BOUND, FAULT_OPCODE, FAULT_NO_FPU,
        10, FAULT_SEGMENT, FAULT_STACK, FAULT_PROTECTION, FAULT_PAGE, FAULT_X87, FAULT_ALIGNMENT,
        FAULT_MACHINE, FAULT_SIMD,
    };
    static struct trap_info traps[ARRAY_LENGTH(vectors) + 1];
    u16 cs;
    __asm__("mov %%cs, %0" : "=r"(cs));
    for (usize i = 0; i < ARRAY_LENGTH(vectors); i++) {
        u8 vector = vectors[i], open = vector == FAULT_BREAKPOINT || vector == FAULT_OVERFLOW;
        traps[i] = (struct trap_info){vector, TRAP_MASKS_EVENTS | (open ? TRAP_DPL3 : 0), cs,
                                      (u64)entry_stubs + 16 * vector};
    }
    i64 error = hypercall2(HYPERVISOR_set_trap_table, (u64)traps, 0);
    if (error) panic("set_trap_table failed: error %d", (int)-error);
}

void events_init(void) {
    shared = (struct shared_info *)map_machine(start_info->shared_info);
    vcpu = &shared->vcpu_info[0];
    for (usize i = 0; i < ARRAY_LENGTH(shared->evtchn_mask); i++) shared->evtchn_mask[i] = ~0ull;
    set_traps();
    register_callback(CALLBACKTYPE_event, entry_upcall);
    register_callback(CALLBACKTYPE_failsafe, entry_failsafe);
    register_callback(CALLBACKTYPE_syscall, entry_syscall);
    register_callback(CALLBACKTYPE_syscall32, entry_syscall32);
}

u32 bind_virq(u32 virq) {
    struct evtchn_bind_virq bind = {virq, 0, 0};
    i64 error = hypercall2(HYPERVISOR_event_channel_op, EVTCHNOP_bind_virq, (u64)&bind);
    if (error) panic("no event channel for VIRQ %u: error %d", virq, (int)-error);
    return bind.port;
}

/* Calls `handler` for events of a port from now on. */
void listen(u32 port, void (*handler)(void)) {
    if (port >= 4096 || listener_count == ARRAY_LENGTH(listeners)) panic("no room for event channel %u", port);
    listeners[listener_count].port = port;
    listeners[listener_count++].handler = handler;
    event_unmask(port);
}

void event_mask(u32 port) { __atomic_or_fetch(&shared->evtchn_mask[port / 64], 1ull << port % 64, __ATOMIC_SEQ_CST); }

/* Only Xen can tell whether an event came meanwhile. */
void event_unmask(u32 port) {
    i64 error = hypercall2(HYPERVISOR_event_channel_op, EVTCHNOP_unmask, (u64)&port);
    if (error) panic("event channel %u: error %d", port, (int)-error);
}

void event_repeat(u32 port) { __atomic_or_fetch(&shared->evtchn_pending[port / 64], 1ull << port % 64, __ATOMIC_SEQ_CST); }

/* Clears the event of a port; whether there was one that is not masked. */
static bool take_event(u32 port) {
    u64 bit = 1ull << port % 64;
    if (shared->evtchn_mask[port / 64] & bit) return false;
    return __atomic_fetch_and(&shared->evtchn_pending[port / 64], ~bit, __ATOMIC_SEQ_CST) & bit;
}

void upcall(struct registers *r) {
    r->cs &= 0xffff; /* Xen keeps the old event mask above; RFLAGS.IF says the same */
    while (vcpu->evtchn_upcall_pending) {
        vcpu->evtchn_upcall_pending = 0;
        __atomic_exchange_n(&vcpu->evtchn_pending_sel, 0, __ATOMIC_SEQ_CST);
        for (usize i = 0; i < listener_count; i++)
            if (take_event(listeners[i].port)) listeners[i].handler();
    }
    if (r->cs & 3) kernel_return(r);
}

void event(struct registers *r) {
    r->cs &= 0xffff;
    kernel_fault(r, r->vector == FAULT_PAGE ? vcpu->cr2 : r->rip);
    if (r->cs & 3) kernel_return(r);
}

_Noreturn void failsafe(void) { panic("Xen could not load the segments of a program"); }

/* Events are masked but here: SCHEDOP_block unmasks them, and upcalls come before it returns. */
void machine_idle(void) {
    machine_commit();
    i64 error = hypercall2(HYPERVISOR_sched_op, SCHEDOP_block, 0);
    if (error) panic("cannot block: error %d", (int)-error);
    *(volatile u8 *)&vcpu->evtchn_upcall_mask = 1;
    __asm__ volatile("" ::: "memory");
}
