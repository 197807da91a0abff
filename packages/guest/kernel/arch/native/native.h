/* native.h: what the files of the native build share. */
#ifndef NATIVE_H
#define NATIVE_H

#include "io.h"
#include "x86.h"

#define INTERRUPTS 0x20 /* vectors from here on: the 16 lines of the 8259s */
#define LINE_TIMER 0
#define LINE_CONSOLE 4
#define VECTOR_APIC_TIMER 0x30
#define VECTOR_APIC_SPURIOUS 0x3f

/* What the entry code finds through GS. The offsets are in entry.S. */
struct processor {
    u64 kernel_stack;
    u64 scratch;
};
extern struct processor processor;

/* start.c */
_Noreturn void kernel_start(u64 info_address);

/* segments.c */
void segments_init(void);

/* interrupts.c */
void interrupts_init(void);
void interrupt_line_enable(int line, bool on);
void event(struct registers *registers);
_Noreturn void event_fatal(struct registers *registers);

/* tables.c */
void tables_init(const struct boot_info *info);
volatile void *map_device(u64 physical);

/* clock.c */
void clock_init(void);
void clock_interrupt(void);

/* uart.c */
void uart_init(void);
void uart_drain(void);

#endif
