/*
 * main.c: runs the groups of checks, prints `ok NAME` or `bad NAME got .. want ..` for each on the
 * debug console, and ends the machine with the number of bad ones.
 *
 * Command line: `only=GROUP` runs one group, `skip=GROUP` all but one.
 */
#include "selftest.h"
#include "start_info.h"

struct event last;
u64 try_at, try_resume, try_stack;
hook hooks[VECTORS];
u64 idt[2 * VECTORS] __attribute__((aligned(16)));

static u32 failures;

static void put(const char *text) { for (; *text; text++) out8(RINGSIDE_PORT_DEBUG_CONSOLE, (u8)*text); }

static void put_hex(u64 value) {
    int shift = 60;
    while (shift && !(value >> shift & 15)) shift -= 4;
    for (; shift >= 0; shift -= 4) out8(RINGSIDE_PORT_DEBUG_CONSOLE, (u8)"0123456789abcdef"[value >> shift & 15]);
}

static _Noreturn void stop(u32 value) {
    out32(RINGSIDE_PORT_EXIT, value);
    for (;;) __asm__ volatile("cli; hlt");
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

void set_gate(int vector, const void *handler, u64 privilege, u64 stack) {
    u64 at = (u64)handler;
    idt[2 * vector] = (at & 0xffff) | (u64)KERNEL_CS << 16 | stack << 32 | (0x8e | privilege << 5) << 40 |
                      (at >> 16 & 0xffff) << 48;
    idt[2 * vector + 1] = at >> 32;
}

void set_gate_present(int vector, bool present) {
    u64 bit = 1ull << 47;
    idt[2 * vector] = present ? idt[2 * vector] | bit : idt[2 * vector] & ~bit;
}

_Noreturn void leave_user(void);
void event(struct frame *frame);

void event(struct frame *frame) {
    u32 count = last.count;
    last.frame = *frame;
    last.cr2 = read_cr2();
    last.count = count + 1;
    if (hooks[frame->vector] && hooks[frame->vector](frame)) return;
    if (frame->cs & 3 && user_runs) leave_user();
    if (!try_resume) {
        put("bad unexpected-event got ");
        put_hex(frame->vector);
        put(" ");
        put_hex(frame->error);
        put(" ");
        put_hex(frame->rip);
        put(" ");
        put_hex(last.cr2);
        put(" want none\n");
        stop(failures + 1);
    }
    frame->rip = try_resume;
    frame->rsp = try_stack;
    frame->cs = KERNEL_CS;
    frame->ss = KERNEL_SS;
    frame->rflags &= ~(TF | NT | AC | DF);
}

static const struct {
    const char *name;
    void (*run)(void);
} groups[] = {
    {"exceptions", test_exceptions},   {"contributory", test_contributory},
    {"paging", test_paging},           {"tlb", test_tlb},
    {"flags", test_flags},             {"stepping", test_stepping},
    {"breakpoints", test_breakpoints},
    {"sensitive", test_sensitive},     {"descriptors", test_descriptors},
    {"code", test_code},               {"interrupts", test_interrupts},
    {"nmi", test_nmi},                 {"strings", test_strings},
    {"user", test_user},               {"registers", test_registers},
    {"timer", test_timer},             {"refusals", test_refusals},
};

/* What follows `key` on the command line, or NULL. */
static const char *option(const char *line, const char *key) {
    for (; *line; line++) {
        usize i = 0;
        while (key[i] && line[i] == key[i]) i++;
        if (!key[i]) return line + i;
    }
    return NULL;
}

static bool is_named(const char *wanted, const char *name) {
    while (*name && *name == *wanted) name++, wanted++;
    return !*name && (!*wanted || *wanted == ' ');
}

_Noreturn void kernel_start(u64 info_address);

_Noreturn void kernel_start(u64 info_address) {
    const struct start_info *info = (const struct start_info *)(DIRECT_MAP + info_address);
    const char *line = "";
    if (info_address < PHYSICAL_MAX - PAGE_SIZE && info->magic == START_INFO_MAGIC && info->command_line &&
        info->command_line < PHYSICAL_MAX - PAGE_SIZE)
        line = (const char *)(DIRECT_MAP + info->command_line);
    for (int vector = 0; vector < VECTORS; vector++) set_gate(vector, stubs + 16 * vector, vector == VECTOR_USER ? 3 : 0, 0);
    set_gate(DOUBLE, stubs + 16 * DOUBLE, 0, 1);
    segments_init();
    struct table_register idtr = {sizeof idt - 1, (u64)idt};
    load_idt(&idtr);
    write_msr(MSR_EFER, read_msr(MSR_EFER) | EFER_NXE | EFER_SCE);
    write_cr0((read_cr0() | CR0_WP | CR0_MP | CR0_NE) & ~(u64)(CR0_EM | CR0_TS | CR0_AM));
    write_cr4(read_cr4() | CR4_PGE | CR4_OSFXSR | CR4_OSXMMEXCPT);
    user_init();
    apic_init();

    const char *only = option(line, "only="), *skip = option(line, "skip=");
    for (usize i = 0; i < ARRAY_LENGTH(groups); i++) {
        if (only && !is_named(only, groups[i].name)) continue;
        if (skip && is_named(skip, groups[i].name)) continue;
        groups[i].run();
    }
    put(failures ? "failed " : "passed ");
    put_hex(failures);
    put("\n");
    stop(failures);
}
