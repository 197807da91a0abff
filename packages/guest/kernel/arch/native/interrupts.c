/*
 * interrupts.c: the IDT, the 8259 pair, and what each vector leads to.
 */
#include "native.h"

#define MASTER 0x20
#define SLAVE 0xa0
#define END_OF_INTERRUPT 0x20

extern char entry_stubs[], entry_debug[], entry_nmi[], entry_double_fault[], entry_machine_check[];

static struct {
    u64 low, high;
} idt[64] __attribute__((aligned(16)));

static u16 masked = 0xffff;

static void set_gate(int vector, const void *entry, u64 privilege, u64 stack) {
    u64 at = (u64)entry;
    idt[vector].low = (at & 0xffff) | (u64)KERNEL_CS << 16 | stack << 32 | (0x8e | privilege << 5) << 40 |
                      (at >> 16 & 0xffff) << 48;
    idt[vector].high = at >> 32;
}

static void start_8259s(void) {
    out8(MASTER, 0x11), out8(SLAVE, 0x11); /* edge-triggered, a pair, four words */
    out8(MASTER + 1, INTERRUPTS), out8(SLAVE + 1, INTERRUPTS + 8);
    out8(MASTER + 1, 4), out8(SLAVE + 1, 2); /* the second hangs on line 2 */
    out8(MASTER + 1, 1), out8(SLAVE + 1, 1); /* 8086 mode */
    out8(MASTER + 1, 0xff), out8(SLAVE + 1, 0xff);
}

void interrupts_init(void) {
    for (int vector = 0; vector < 64; vector++) set_gate(vector, entry_stubs + 16 * vector, 0, 0);
    set_gate(FAULT_BREAKPOINT, entry_stubs + 16 * FAULT_BREAKPOINT, 3, 0);
    set_gate(FAULT_OVERFLOW, entry_stubs + 16 * FAULT_OVERFLOW, 3, 0);
    set_gate(FAULT_DEBUG, entry_debug, 0, 1);
    set_gate(FAULT_NMI, entry_nmi, 0, 2);
    set_gate(FAULT_DOUBLE, entry_double_fault, 0, 3);
    set_gate(FAULT_MACHINE, entry_machine_check, 0, 3);
    struct table_register idtr = {sizeof idt - 1, (u64)idt};
    load_idt(&idtr);
    start_8259s();
}

void interrupt_line_enable(int line, bool on) {
    u16 bit = (u16)(1 << line);
    masked = (u16)(on ? masked & ~bit : masked | bit);
    out8(line < 8 ? MASTER + 1 : SLAVE + 1, (u8)(line < 8 ? masked : masked >> 8));
}

static void line_interrupt(int line) {
    /* Line 7 without its in-service bit is a spurious interrupt and wants no end. */
    if (line == 7) {
        out8(MASTER, 0x0b);
        if (!(in8(MASTER) & 0x80)) return;
    }
    if (line >= 8) out8(SLAVE, END_OF_INTERRUPT);
    out8(MASTER, END_OF_INTERRUPT);
    if (line == LINE_CONSOLE) kernel_console();
    else if (line == LINE_TIMER) clock_interrupt();
}

void event(struct registers *r) {
    if (r->vector < INTERRUPTS) kernel_fault(r, r->vector == FAULT_PAGE ? read_cr2() : r->rip);
    else if (r->vector < INTERRUPTS + 16) line_interrupt((int)r->vector - INTERRUPTS);
    else if (r->vector == VECTOR_APIC_TIMER) clock_interrupt();
    if (r->cs & 3) kernel_return(r);
}

_Noreturn void event_fatal(struct registers *r) {
    panic_at(r, r->vector == FAULT_DOUBLE ? "double fault" : "machine check", read_cr2());
}

void machine_idle(void) { __asm__ volatile("sti; hlt; cli" ::: "memory"); }
