/*
 * timer.c: three clocks agree: the 8254, the TSC and the APIC's timer; and an interrupt comes when it
 * was asked for, never before.
 */
#include "selftest.h"

#define LVT_TIMER 0x320
#define INITIAL 0x380
#define CURRENT 0x390
#define DIVIDE 0x3e0
#define TICKS 11932u /* of the 8254: 10 ms */

static u64 fired_at;
static u32 fires;

static bool fire(struct frame *frame) {
    (void)frame;
    fired_at = read_tsc();
    fires++;
    end_of_interrupt();
    return true;
}

/* What the TSC and the APIC count while the 8254 counts `ticks`. */
static void measure(u32 ticks, u64 *tsc, u64 *bus) {
    u8 gate = in8(0x61);
    out8(0x61, (u8)((gate & ~2) | 1));
    out8(0x43, 0xb0);
    out8(0x42, (u8)ticks);
    out8(0x42, (u8)(ticks >> 8));
    apic_write(INITIAL, 0xffffffff);
    u64 start = read_tsc();
    while (!(in8(0x61) & 0x20)) {
        for (int i = 0; i < 100; i++) __asm__ volatile("pause");
    }
    *tsc = read_tsc() - start;
    *bus = 0xffffffff - apic_read(CURRENT);
    out8(0x61, gate);
}

void test_timer(void) {
    apic_write(DIVIDE, 0xb);
    apic_write(LVT_TIMER, 0x10000 | VECTOR_TIMER);
    u64 tsc, bus, half_tsc, half_bus;
    measure(TICKS, &tsc, &bus);
    measure(TICKS / 2, &half_tsc, &half_bus);
    check("tsc-counts", tsc > 1000, 1);
    /* Within a quarter, so that an emulator may be interrupted by its host. */
    check_range("tsc-follows-8254", half_tsc * 100 / tsc, 38, 65);
    check_range("apic-follows-8254", half_bus * 100 / bus, 38, 65);

    hooks[VECTOR_TIMER] = fire;
    apic_write(LVT_TIMER, VECTOR_TIMER);
    for (u32 part = 1; part <= 4; part *= 2) {
        fires = 0;
        u64 start = read_tsc();
        apic_write(INITIAL, (u32)(bus / part));
        while (!fires) __asm__ volatile("sti\n hlt\n cli" ::: "memory");
        check_range(part == 1 ? "timer-10-ms" : part == 2 ? "timer-5-ms" : "timer-2.5-ms",
                    (fired_at - start) * 100 / (tsc / part), 97, 200);
    }
    check("one-shot-stops", apic_read(CURRENT), 0);

    /* Periodic: five times the period, at least. */
    apic_write(LVT_TIMER, 0x20000 | VECTOR_TIMER);
    fires = 0;
    u64 start = read_tsc();
    apic_write(INITIAL, (u32)(bus / 10));
    while (fires < 5) __asm__ volatile("sti\n hlt\n cli" ::: "memory");
    check_range("timer-periodic", (fired_at - start) * 100 / (tsc / 2), 90, 200);
    apic_write(LVT_TIMER, 0x10000 | VECTOR_TIMER);
    apic_write(INITIAL, 0);
    hooks[VECTOR_TIMER] = NULL;
}
