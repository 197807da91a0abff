/*
 * clock.c: time from the TSC, one deadline from the local APIC's timer (or, without one, from the
 * 8254), the date from the CMOS clock. The 8254, whose rate is known, tells how fast the others are.
 */
#include "native.h"

#define RATE_8254 1193182ull
#define CALIBRATION 2386ull /* ticks of the 8254: 2 ms */
#define SECOND 1000000000ull

#define APIC_BASE 0xfee00000ull
#define APIC_SPURIOUS 0xf0
#define APIC_EOI 0xb0
#define APIC_LVT_TIMER 0x320
#define APIC_LVT_LINT0 0x350
#define APIC_INITIAL 0x380
#define APIC_CURRENT 0x390
#define APIC_DIVIDE 0x3e0

static volatile u32 *apic; /* NULL: no APIC, the 8254 gives the deadline */
static u64 tsc_at_boot, tsc_rate, apic_rate; /* per second */
static u64 boot_time;
static u64 deadline_8254; /* beyond what the 8254 can count in one go; 0: none */

static u32 apic_read(int at) { return apic[at / 4]; }
static void apic_write(int at, u32 value) { apic[at / 4] = value; }

/* Counts of the TSC and of the APIC timer in 2 ms, with the 8254's channel 2 as the watch. */
static void calibrate(u64 *tsc, u64 *bus) {
    u8 gate = in8(0x61);
    out8(0x61, (u8)((gate & ~2) | 1)); /* gate on, speaker off */
    out8(0x43, 0xb0);                  /* channel 2, both bytes, mode 0: OUT rises at the end */
    out8(0x42, (u8)(CALIBRATION & 0xff));
    out8(0x42, (u8)(CALIBRATION >> 8));
    if (apic) apic_write(APIC_INITIAL, 0xffffffff);
    u64 start = read_tsc();
    for (u32 tries = 0; !(in8(0x61) & 0x20); tries++) {
        if (tries == 10000000) panic("the 8254 does not count");
        /* Under a hypervisor each look at the port is an exit. */
        for (u32 wait = 0; wait < 100; wait++) __asm__ volatile("pause");
    }
    *tsc = read_tsc() - start;
    *bus = apic ? 0xffffffff - apic_read(APIC_CURRENT) : 0;
    if (apic) apic_write(APIC_INITIAL, 0);
    out8(0x61, gate);
}

static u8 cmos(u8 at) {
    out8(0x70, at);
    return in8(0x71);
}

static u64 from_bcd(u64 value) { return (value >> 4) * 10 + (value & 15); }

/* Days from 1970-01-01 to a date of the Gregorian calendar. */
static u64 days_to(u64 year, u64 month, u64 day) {
    u64 y = month <= 2 ? year - 1 : year, m = month <= 2 ? month + 9 : month - 3;
    return y * 365 + y / 4 - y / 100 + y / 400 + (m * 153 + 2) / 5 + day - 1 - 719468;
}

static u64 read_date(void) {
    for (int tries = 0; tries < 100000 && cmos(0x0a) & 0x80; tries++) continue; /* being updated */
    u64 fields[6]; /* second, minute, hour, day, month, year */
    static const u8 places[6] = {0, 2, 4, 7, 8, 9};
    u8 mode = cmos(0x0b);
    for (int i = 0; i < 6; i++) fields[i] = cmos(places[i]);
    bool afternoon = !(mode & 2) && fields[2] & 0x80;
    fields[2] &= 0x7f;
    if (!(mode & 4))
        for (int i = 0; i < 6; i++) fields[i] = from_bcd(fields[i]);
    if (!(mode & 2)) fields[2] = fields[2] % 12 + (afternoon ? 12 : 0);
    if (!fields[4] || fields[4] > 12 || !fields[3] || fields[3] > 31) return 0; /* no clock there */
    return days_to(2000 + fields[5], fields[4], fields[3]) * 86400 + fields[2] * 3600 + fields[1] * 60 + fields[0];
}

void clock_init(void) {
    u32 a, b, c, d;
    cpuid(1, &a, &b, &c, &d);
    if (d & 1u << 9) {
        write_msr(MSR_APIC_BASE, read_msr(MSR_APIC_BASE) | 1u << 11);
        apic = map_device(APIC_BASE);
        apic_write(APIC_SPURIOUS, 0x100 | VECTOR_APIC_SPURIOUS);
        apic_write(APIC_LVT_LINT0, 0x700); /* the 8259s come through here (ExtINT) */
        apic_write(APIC_DIVIDE, 0xb);      /* by 1 */
        apic_write(APIC_LVT_TIMER, 0x10000 | VECTOR_APIC_TIMER);
    }
    u64 tsc, bus;
    calibrate(&tsc, &bus);
    tsc_rate = tsc * RATE_8254 / CALIBRATION;
    apic_rate = bus * RATE_8254 / CALIBRATION;
    if (!tsc_rate || (apic && !apic_rate)) panic("the clocks do not run");
    if (apic) apic_write(APIC_LVT_TIMER, VECTOR_APIC_TIMER);
    else interrupt_line_enable(LINE_TIMER, true);
    boot_time = read_date() * SECOND;
    tsc_at_boot = read_tsc();
}

/* value * factor / divisor without overflow in between (the quotient fits). */
static u64 scale(u64 value, u64 factor, u64 divisor) {
    return value / divisor * factor + value % divisor * factor / divisor;
}

u64 machine_time(void) { return scale(read_tsc() - tsc_at_boot, SECOND, tsc_rate); }
u64 machine_boot_time(void) { return boot_time; }

void machine_arm_timer(u64 deadline) {
    u64 now = machine_time(), wait = deadline > now ? deadline - now : 0;
    if (apic) {
        u64 count = scale(MIN(wait, 3600 * SECOND), apic_rate, SECOND) + 1;
        apic_write(APIC_INITIAL, (u32)MIN(count, 0xffffffff)); /* too far: fires early, is set again */
        return;
    }
    deadline_8254 = deadline;
    u64 count = scale(MIN(wait, SECOND), RATE_8254, SECOND) + 1;
    count = MIN(count, 0xffff);
    out8(0x43, 0x30); /* channel 0, both bytes, mode 0: once */
    out8(0x40, (u8)count);
    out8(0x40, (u8)(count >> 8));
}

void machine_disarm_timer(void) {
    if (apic) {
        apic_write(APIC_INITIAL, 0);
    } else {
        deadline_8254 = 0;
        out8(0x43, 0x30); /* a mode without a count does not run */
    }
}

void clock_interrupt(void) {
    if (apic) {
        apic_write(APIC_EOI, 0);
    } else if (deadline_8254 > machine_time()) {
        machine_arm_timer(deadline_8254);
        return;
    }
    kernel_timer();
}
