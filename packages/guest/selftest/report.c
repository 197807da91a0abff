/*
 * report.c: one line per check, `ok NAME` or `bad NAME got .. want ..`, and at the end the number of bad ones.
 *
 * Command line: `only=GROUP` runs one group, `skip=GROUP` all but one.
 */
#include "report.h"

struct event last;
u64 try_at, try_resume, try_stack;
u32 failures;

static char line[128];
static usize length;

/* Gathered up to the end of a line, because a hypervisor may want to be asked for each piece. */
void put(const char *text) {
    for (; *text; text++) {
        line[length++] = *text;
        if (*text != '\n' && length < sizeof line) continue;
        write_line(line, length);
        length = 0;
    }
}

void put_hex(u64 value) {
    char digits[17];
    usize count = 0;
    int shift = 60;
    while (shift && !(value >> shift & 15)) shift -= 4;
    for (; shift >= 0; shift -= 4) digits[count++] = "0123456789abcdef"[value >> shift & 15];
    digits[count] = 0;
    put(digits);
}

void forget(void) {
    last = (struct event){.frame.vector = ~0ull};
    try_resume = 0;
}

void check(const char *name, u64 got, u64 want) {
    if (got == want) {
        put("ok ");
        put(name);
    } else {
        failures++;
        put("bad ");
        put(name);
        put(" got ");
        put_hex(got);
        put(" want ");
        put_hex(want);
    }
    put("\n");
}

void check_range(const char *name, u64 got, u64 low, u64 high) {
    check(name, got < low ? 1 : got > high ? 2 : 0, 0);
}

/* Vector, error code and place in one number, so that one line says everything. */
static u64 describe(u64 vector, u64 error, u64 offset) {
    return (vector & 0xff) << 48 | (error & 0xffff) << 32 | (offset & 0xffffffff);
}

void check_event(const char *name, u64 vector, u64 error, u64 offset) {
    const struct frame *f = &last.frame;
    check(name, describe(f->vector, f->error, f->rip - try_at), describe(vector, error, offset));
}

void report_unexpected(const struct frame *frame, u64 cr2) {
    failures++;
    put("bad unexpected-event got ");
    put_hex(frame->vector);
    put(" ");
    put_hex(frame->error);
    put(" ");
    put_hex(frame->rip);
    put(" ");
    put_hex(cr2);
    put(" want none\n");
}

/* What follows `key` on the command line, or NULL. */
static const char *option(const char *text, const char *key) {
    for (; *text; text++) {
        usize i = 0;
        while (key[i] && text[i] == key[i]) i++;
        if (!key[i]) return text + i;
    }
    return NULL;
}

static bool is_named(const char *wanted, const char *name) {
    while (*name && *name == *wanted) name++, wanted++;
    return !*name && (!*wanted || *wanted == ' ');
}

void run_groups(const struct group *groups, usize count, const char *command_line) {
    const char *only = option(command_line, "only="), *skip = option(command_line, "skip=");
    for (usize i = 0; i < count; i++) {
        if (only && !is_named(only, groups[i].name)) continue;
        if (skip && is_named(skip, groups[i].name)) continue;
        groups[i].run();
    }
    put(failures ? "failed " : "passed ");
    put_hex(failures);
    put("\n");
}
