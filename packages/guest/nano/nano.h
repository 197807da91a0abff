/* nano.h: what is measured, and what the machine has to do for it: native.c and native.S, or xen.c and xen.S. */
#ifndef NANO_H
#define NANO_H

#include "../abi/ringside.h"
#include "layout.h"

#define PRESENT 1ull
#define WRITABLE 2ull
#define USER 4ull

/* The pages below live in a level-4 slot of their own. */
#define PAGES ADDRESS(0x0000008000000000)
#define USER_CODE (PAGES + 0x0000)
#define USER_STACK (PAGES + 0x1000)
#define LIVE_PAGE (PAGES + 0x2000)
#define MISSING_PAGE (PAGES + 0x3000)

#ifndef __ASSEMBLER__
#include "types.h"

/* The list ends without a name. `loop` is null where it runs at CPL 3 and sets the marks there. */
struct benchmark {
    const char *name;
    u64 (*loop)(u64 n);
    const char *reason; /* why this machine has no such operation */
};
extern const struct benchmark benchmarks[];

/* nano.c */
_Noreturn void nano_main(const char *options);
void print(const char *text);
void print_hex(u64 value);
_Noreturn void fail(const char *why, const char *what);
_Noreturn void stray_event(u64 vector, const u64 *stack);

/* native.c, xen.c */
void machine_print(const char *text, usize count);
_Noreturn void machine_stop(u32 value);
void machine_prepare(void);

/* loops.S */
u64 loop_call_ret(u64 n);
u64 loop_pgfault(u64 n, u64 address);
u64 loop_divzero(u64 n);
extern char user_page[];

/* native.S, xen.S */
u64 user_round_trips(u64 n, u64 code, u64 stack);
void handle_pgfault(void);
void handle_divzero(void);
void handle_syscall(void);
void handle_user_done(void);
#endif

#endif
