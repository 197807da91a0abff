/*
 * selftest.h: a kernel that tests the processor under it, one line per check.
 *
 * A check does something whose outcome the manuals define, and compares. What the processor raised is
 * in `last`; TRY() runs code that may raise and goes on behind it.
 */
#ifndef SELFTEST_H
#define SELFTEST_H

#include "../abi/ringside.h"
#include "io.h"
#include "layout.h"
#include "report.h"
#include "types.h"

enum {
    VECTOR_USER = 0x30,  /* DPL 3: how user code comes back */
    VECTOR_KERNEL = 0x31, /* DPL 0 */
    VECTOR_LOW = 0x41, VECTOR_HIGH = 0x51, /* interrupts of two priorities */
    VECTOR_TIMER = 0x42,
    VECTOR_SPARE = 0x33,
    VECTORS = 0x60,
};

/* Called for a vector in place of what TRY() does; true: return to where it was. */
typedef bool (*hook)(struct frame *frame);
extern hook hooks[VECTORS];

/* main.c */
void set_gate(int vector, const void *handler, u64 privilege, u64 stack);
void set_gate_present(int vector, bool present);
extern u64 idt[2 * VECTORS];
extern char stubs[];

/* paging.c: pages for tests, in a level-4 slot of their own; page 0 to 15 */
#define PAGES 0x0000008000000000ull
#define TEST_PAGES 16
#define page_address(page) (PAGES + (u64)(page) * PAGE_SIZE)
extern u8 frames[TEST_PAGES][PAGE_SIZE];
u64 physical(const void *symbol);
void map_page(int page, u64 entry); /* flushes */
u64 page_entry(int page);
extern u64 level1[512], level2[512], level3[512];

/* user.S, user.c: code at CPL 3. `last` says how it ended. */
void user_init(void);
void run_user(const char *code, u64 argument, u64 rflags);
u64 user_result(void); /* RAX at the end */
u64 user_at(const char *code);
extern bool user_runs; /* else an event at CPL 3 comes from a bad return that TRY() tried */
extern u64 user_stack_top;
#define USER_CODE_PAGE 12 /* and 13 */
#define USER_STACK_PAGE 14

/* apic.c */
void apic_init(void);
u32 apic_read(u32 at);
void apic_write(u32 at, u32 value);
void send_self(u32 vector);
void send_nmi(void);
void end_of_interrupt(void);

/* segments.c */
extern u64 gdt[32];
extern u32 tss[26 + 9];
void segments_init(void);
#define SELECTOR_SPARE 0x50
#define SELECTOR_LDT 0x60
#define SELECTOR_GATE 0x70

/* The groups. */
void test_exceptions(void);
void test_contributory(void);
void test_paging(void);
void test_tlb(void);
void test_flags(void);
void test_stepping(void);
void test_breakpoints(void);
void test_sensitive(void);
void test_descriptors(void);
void test_code(void);
void test_interrupts(void);
void test_nmi(void);
void test_strings(void);
void test_user(void);
void test_registers(void);
void test_timer(void);
void test_refusals(void);

static inline u64 read_flags(void) {
    u64 value;
    __asm__ volatile("pushf\n pop %0" : "=r"(value)::"memory");
    return value;
}

static inline void write_flags(u64 value) { __asm__ volatile("push %0\n popf" ::"r"(value) : "memory", "cc"); }

static inline void interrupts_on(void) { __asm__ volatile("sti\n nop" ::: "memory"); }
static inline void interrupts_off(void) { __asm__ volatile("cli" ::: "memory"); }

#endif
