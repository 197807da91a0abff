/* paravirt.h: what the files of the paravirtual build share. */
#ifndef PARAVIRT_H
#define PARAVIRT_H

#include "x86.h"
#include "xen.h"

/* start.c */
extern const struct xen_start_info *start_info; /* as the domain builder left it */
_Noreturn void kernel_start(const struct xen_start_info *info);

/* batch.c: hypercalls that wait until they count. */
extern bool batch_off;    /* each is made at once, so that batching can be measured */
extern u32 batch_waiting; /* entry.S looks at it before it returns to a program */
void batch_update(u64 machine_address, u64 entry);
void batch_operation(u32 command, u64 argument);
void batch_call(u64 number, u64 a, u64 b);
void batch_flush(void);

/* boot_tables.c: the kernel's own tables, built before anything else. */
struct kernel_tables {
    frame root, direct_level1; /* the level-1 tables of the direct map are one run of frames */
    frame gdt;
    frame first, end; /* all of them, and the GDT: mapped read-only */
    frame states;     /* room for what tables.c knows of each frame */
};
extern struct kernel_tables kernel_tables;
extern const u64 *physical_to_machine; /* machine frame by frame */
void boot_tables(struct boot_info *info);
#define TABLE_STATE 8 /* bytes per frame */
u64 frame_entry(frame target, u64 flags);

/* tables.c */
void tables_init(void);
volatile void *map_machine(u64 machine_address);

/* segments.c */
void segments_init(void);

/* events.c */
extern struct shared_info *shared;
void events_init(void);
u32 bind_virq(u32 virq);
void listen(u32 port, void (*handler)(void));
void event_mask(u32 port);
void event_unmask(u32 port);
void event_repeat(u32 port); /* as if another one had come */
void event(struct registers *registers);
void upcall(struct registers *registers);
_Noreturn void failsafe(void);

/* clock.c */
void clock_init(void);

/* ring.c */
void console_start(void);

#endif
