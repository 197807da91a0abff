/*
 * ring.c: the console: two rings in a page that is shared with whoever shows it, and an event channel
 * to tell. Xen's first domain has no such page and asks Xen itself.
 */
#include "paravirt.h"

static struct xencons_interface *ring; /* NULL: by console_io */
static u32 port;

static char early[64]; /* for console_io, which gives more than one byte */
static usize early_start, early_end;

void console_start(void) {
    if (start_info->flags & SIF_INITDOMAIN) {
        port = bind_virq(VIRQ_CONSOLE);
    } else {
        port = start_info->console_evtchn;
        ring = frame_pointer(machine_entry_frame(start_info->console_mfn << PAGE_SHIFT));
    }
    listen(port, kernel_console);
}

static void notify(void) {
    i64 error = hypercall2(HYPERVISOR_event_channel_op, EVTCHNOP_send, (u64)&port);
    if (error) panic("cannot tell the console: error %d", (int)-error);
}

void machine_log(const char *bytes, usize count) {
    (void)hypercall3(HYPERVISOR_console_io, CONSOLEIO_write, count, (u64)bytes); /* nobody to tell */
}

static u32 load(const u32 *index) { return __atomic_load_n(index, __ATOMIC_ACQUIRE); }
static void store(u32 *index, u32 value) { __atomic_store_n(index, value, __ATOMIC_RELEASE); }

void machine_console_write(const u8 *bytes, usize count) {
    if (!ring) {
        machine_log((const char *)bytes, count);
        return;
    }
    while (count) {
        u32 end = ring->out_prod, free = sizeof ring->out - (end - load(&ring->out_cons));
        usize part = MIN(count, free);
        for (usize i = 0; i < part; i++) ring->out[(end + i) % sizeof ring->out] = (char)bytes[i];
        store(&ring->out_prod, end + (u32)part);
        bytes += part;
        count -= part;
        if (part || !count) notify();
        else (void)hypercall2(HYPERVISOR_sched_op, SCHEDOP_yield, 0);
    }
}

static int read_from_xen(void) {
    if (early_start == early_end) {
        i64 count = hypercall3(HYPERVISOR_console_io, CONSOLEIO_read, sizeof early, (u64)early);
        early_start = 0;
        early_end = count > 0 ? (usize)count : 0;
    }
    return early_start < early_end ? (u8)early[early_start++] : -1;
}

int machine_console_read(void) {
    if (!ring) return read_from_xen();
    u32 at = ring->in_cons, end = load(&ring->in_prod);
    if (at == end) return -1;
    u8 byte = (u8)ring->in[at % sizeof ring->in];
    store(&ring->in_cons, at + 1);
    if (at + 1 == end) notify(); /* there is room again */
    return byte;
}

void machine_console_listen(bool on) {
    if (!on) {
        event_mask(port);
        return;
    }
    /* What is left in the ring has had its event. */
    if (ring ? ring->in_cons != load(&ring->in_prod) : early_start < early_end) event_repeat(port);
    event_unmask(port);
}
