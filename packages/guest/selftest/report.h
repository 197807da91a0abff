/*
 * report.h: what every self-test kernel has: checks and their lines, groups, and code that may raise.
 *
 * The kernel under it gives write_line(), the handler that fills in `last`, and the end of the machine.
 */
#ifndef REPORT_H
#define REPORT_H

#include "layout.h"
#include "types.h"

#define PRESENT 1ull
#define WRITABLE 2ull
#define USER 4ull
#define ACCESSED 0x20ull
#define DIRTY 0x40ull
#define LARGE 0x80ull
#define GLOBAL 0x100ull
#define NO_EXECUTE (1ull << 63)

#define CF 1ull
#define TF 0x100ull
#define IF 0x200ull
#define DF 0x400ull
#define IOPL3 0x3000ull
#define NT 0x4000ull
#define AC 0x40000ull

enum {
    DE = 0, DB = 1, NMI = 2, BP = 3, OF = 4, BR = 5, UD = 6, NM = 7, DOUBLE = 8, TS = 10, NP = 11, SS = 12,
    GP = 13, PF = 14, MF = 16, AL = 17, XM = 19,
};

/* What entry.S pushes. */
struct frame {
    u64 r15, r14, r13, r12, r11, r10, r9, r8, rbp, rdi, rsi, rdx, rcx, rbx, rax;
    u64 vector, error, rip, cs, rflags, rsp, ss;
};

/* The last event: registers and CR2 as the handler found them. */
struct event {
    struct frame frame;
    u64 cr2;
    u32 count; /* since forget() */
};
extern struct event last;
extern u64 try_at, try_resume, try_stack;

struct group {
    const char *name;
    void (*run)(void);
};

/* The kernel's: writes one line, with its end. */
void write_line(const char *text, usize count);

/* report.c */
extern u32 failures;
void put(const char *text); /* written at the end of the line */
void put_hex(u64 value);
void forget(void);
void check(const char *name, u64 got, u64 want);
void check_event(const char *name, u64 vector, u64 error, u64 offset); /* of RIP behind TRY's first byte */
void check_range(const char *name, u64 got, u64 low, u64 high);
void report_unexpected(const struct frame *frame, u64 cr2);
void run_groups(const struct group *groups, usize count, const char *command_line);

/* plain.c: exceptions that a kernel sees alike wherever it runs. `aligned` has 16 bytes at least. */
void test_plain_exceptions(u8 *aligned);

/* Runs code that may raise. An event ends it; `last` tells which and where. RAX, RCX, RDX are lost. */
#define TRY(code, ...)                                                                             \
    do {                                                                                           \
        forget();                                                                                  \
        u64 lost_a = 0, lost_c = 0, lost_d = 0;                                                    \
        __asm__ volatile("lea 88f(%%rip), %%r11\n mov %%r11, try_at(%%rip)\n"                      \
                         "lea 89f(%%rip), %%r11\n mov %%r11, try_resume(%%rip)\n"                  \
                         "mov %%rsp, try_stack(%%rip)\n"                                           \
                         "88: " code "\n 89: movq $0, try_resume(%%rip)\n cld"                     \
                         : "+a"(lost_a), "+c"(lost_c), "+d"(lost_d)                                \
                         : __VA_ARGS__                                                             \
                         : "r8", "r9", "r10", "r11", "memory", "cc");                              \
    } while (0)

#endif
