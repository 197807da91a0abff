/*
 * main.c: the self-test on Xen's paravirtual interface: what a kernel at ring 3 finds must be what Xen's public
 * headers promise. Lines go to console_io; the number of bad ones is the code that the domain shuts down with.
 */
#include "xen_selftest.h"

hook hooks[VECTORS];
const struct xen_start_info *info;
volatile struct shared_info *shared = (volatile struct shared_info *)page_address(SHARED_PAGE);
u8 mask_inside;

static u8 kernel_stack[2 * PAGE_SIZE] __attribute__((aligned(16)));

void write_line(const char *text, usize count) {
    (void)hypercall3(HYPERVISOR_console_io, CONSOLEIO_write, count, (u64)text);
}

static _Noreturn void stop(void) { machine_power_off(MIN(failures, 255u)); }

/* For what the tests need in order to run at all. */
void must(const char *what, i64 result) {
    if (result >= 0) return;
    check(what, (u64)result, 0);
    stop();
}

u64 wanted_error(int number) { return (u64) - (i64)number; }

static u64 read_tsc(void) {
    u32 low, high;
    __asm__ volatile("rdtsc" : "=a"(low), "=d"(high));
    return low | (u64)high << 32;
}

u64 read_time(void) {
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

void event(struct frame *frame);

void event(struct frame *frame) {
    u32 count = last.count;
    mask_inside = shared->vcpu_info[0].evtchn_upcall_mask;
    frame->cs &= 0xffff; /* Xen keeps the old event mask above; RFLAGS.IF says the same */
    if (frame->vector == VECTOR_UPCALL) {
        if (hooks[VECTOR_UPCALL] && hooks[VECTOR_UPCALL](frame)) return;
    } else {
        last.frame = *frame;
        last.cr2 = shared->vcpu_info[0].cr2;
        last.count = count + 1;
        if (hooks[frame->vector] && hooks[frame->vector](frame)) return;
        if (frame->cs & 3 && user_runs) leave_user();
    }
    if (!try_resume) {
        report_unexpected(frame, shared->vcpu_info[0].cr2);
        stop();
    }
    frame->rip = try_resume;
    frame->rsp = try_stack;
    frame->rflags &= ~(TF | NT | AC | DF);
}

static void register_callback(u16 type, const void *at) {
    struct callback_register callback = {type, CALLBACKF_mask_events, (u64)at};
    must("callback_op", hypercall2(HYPERVISOR_callback_op, CALLBACKOP_register, (u64)&callback));
}

/* Events are masked inside of all handlers but the breakpoint's. */
static void set_traps(void) {
    static struct trap_info traps[STUBS + 1];
    u16 cs;
    usize count = 0;
    __asm__("mov %%cs, %0" : "=r"(cs));
    for (u8 vector = 0; vector < STUBS; vector++) {
        if (vector > XM && vector < VECTOR_OPEN) continue;
        u8 flags = vector == BP ? TRAP_DPL3 : vector == OF || vector == VECTOR_OPEN ? TRAP_DPL3 | TRAP_MASKS_EVENTS
                                                                                   : TRAP_MASKS_EVENTS;
        traps[count++] = (struct trap_info){vector, flags, cs, (u64)stubs + 16 * vector};
    }
    must("set_trap_table", hypercall2(HYPERVISOR_set_trap_table, (u64)traps, 0));
    register_callback(CALLBACKTYPE_event, entry_upcall);
    register_callback(CALLBACKTYPE_syscall, entry_syscall);
    must("stack_switch", hypercall2(HYPERVISOR_stack_switch, FLAT_KERNEL_SS, (u64)kernel_stack + sizeof kernel_stack));
}

static const struct group groups[] = {
    {"exceptions", test_exceptions}, {"user", test_user},     {"paging", test_paging}, {"refusals", test_refusals},
    {"descriptors", test_descriptors}, {"events", test_events}, {"timer", test_timer},   {"code", test_code},
};

_Noreturn void kernel_start(const struct xen_start_info *start);

_Noreturn void kernel_start(const struct xen_start_info *start) {
    info = start;
    memory_init();
    for (usize i = 0; i < ARRAY_LENGTH(shared->evtchn_mask); i++) shared->evtchn_mask[i] = ~0ull;
    set_traps();
    must("stop_periodic_timer", hypercall3(HYPERVISOR_vcpu_op, VCPUOP_stop_periodic_timer, 0, 0));
    run_groups(groups, ARRAY_LENGTH(groups), info->cmd_line);
    stop();
}
