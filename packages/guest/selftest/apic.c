/* apic.c: the local APIC, source of interrupts and NMIs to oneself. */
#include "selftest.h"

#define APIC_BASE 0xfee00000ull
#define ID 0x20
#define EOI 0xb0
#define SPURIOUS 0xf0
#define COMMAND 0x300
#define COMMAND_HIGH 0x310

static volatile u32 *const apic = (volatile u32 *)(DIRECT_MAP + APIC_BASE);

u32 apic_read(u32 at) { return apic[at / 4]; }
void apic_write(u32 at, u32 value) { apic[at / 4] = value; }

void apic_init(void) {
    write_msr(MSR_APIC_BASE, read_msr(MSR_APIC_BASE) | 1u << 11);
    apic_write(SPURIOUS, 0x15f);
    apic_write(0x80, 0); /* TPR */
    out8(0x21, 0xff); /* nothing from the 8259s */
    out8(0xa1, 0xff);
}

void end_of_interrupt(void) { apic_write(EOI, 0); }
static void wait_idle(void) { while (apic_read(COMMAND) & 0x1000) continue; }

void send_self(u32 vector) {
    apic_write(COMMAND, 0x44000 | vector);
    wait_idle();
}

/* The shorthand for oneself is for fixed interrupts only, so by number. */
void send_nmi(void) {
    apic_write(COMMAND_HIGH, apic_read(ID) & 0xff000000);
    apic_write(COMMAND, 0x4400);
    wait_idle();
}
