/*
 * nano.c: a bare kernel that measures one processor operation at a time.
 *
 * Command line: `bench=NAME n=N`. It runs N operations, then N again, with marks around both, prints
 * `checksum <16 hex digits>` on the debug console and ends the machine with 0. Anything it does not
 * understand ends the machine with 1, after a line that says why.
 */
#include "../abi/ringside.h"
#include "io.h"
#include "layout.h"
#include "start_info.h"
#include "types.h"

#define PRESENT 1ull
#define WRITABLE 2ull
#define USER 4ull

/* The pages below live in a level-4 slot of their own. */
#define PAGES 0x0000008000000000ull
#define USER_CODE (PAGES + 0x0000)
#define USER_STACK (PAGES + 0x1000)
#define LIVE_PAGE (PAGES + 0x2000)
#define MISSING_PAGE (PAGES + 0x3000)

u64 loop_in(u64 n);
u64 loop_cr8wr(u64 n);
u64 loop_call_ret(u64 n);
u64 loop_pgfault(u64 n, u64 address);
u64 loop_divzero(u64 n);
u64 loop_ptemod(u64 n, u64 *entry, u64 address);
u64 user_round_trips(u64 n, u64 code, u64 stack);
void handle_pgfault(void);
void handle_divzero(void);
void handle_syscall(void);
void handle_user_done(void);
extern char user_page[], stray_stubs[], boot_stack_top[];
extern u64 boot_level4[512];

static u64 level3[512] __attribute__((aligned(PAGE_SIZE)));
static u64 level2[512] __attribute__((aligned(PAGE_SIZE)));
static u64 level1[512] __attribute__((aligned(PAGE_SIZE)));
static u8 user_stack[PAGE_SIZE] __attribute__((aligned(PAGE_SIZE)));
static u8 live_page[PAGE_SIZE] __attribute__((aligned(PAGE_SIZE)));
static u8 interrupt_stack[PAGE_SIZE] __attribute__((aligned(16)));

static void print(const char *text) {
    for (; *text; text++) out8(RINGSIDE_PORT_DEBUG_CONSOLE, (u8)*text);
}

static void print_hex(u64 value) {
    for (int shift = 60; shift >= 0; shift -= 4)
        out8(RINGSIDE_PORT_DEBUG_CONSOLE, (u8)"0123456789abcdef"[value >> shift & 15]);
}

static _Noreturn void stop(u32 value) {
    out32(RINGSIDE_PORT_EXIT, value);
    for (;;) __asm__ volatile("cli; hlt");
}

static _Noreturn void fail(const char *why, const char *what) {
    print("nano: ");
    print(why);
    print(what);
    print("\n");
    stop(RINGSIDE_EXIT_PANIC);
}

_Noreturn void stray_event(u64 vector, const u64 *stack);

_Noreturn void stray_event(u64 vector, const u64 *stack) {
    print("nano: unexpected exception ");
    print_hex(vector);
    for (int i = 0; i < 4; i++) {
        print(" ");
        print_hex(stack[i]);
    }
    print("\n");
    stop(RINGSIDE_EXIT_PANIC);
}

static u64 physical(const void *symbol) { return (u64)symbol - KERNEL_BASE; }

static void map_pages(void) {
    boot_level4[1] = physical(level3) | PRESENT | WRITABLE | USER;
    level3[0] = physical(level2) | PRESENT | WRITABLE | USER;
    level2[0] = physical(level1) | PRESENT | WRITABLE | USER;
    level1[0] = physical(user_page) | PRESENT | USER;
    level1[1] = physical(user_stack) | PRESENT | WRITABLE | USER;
    level1[2] = physical(live_page) | PRESENT | WRITABLE;
}

struct gate {
    u64 low, high;
};
static struct gate idt[0x31] __attribute__((aligned(16)));

static void set_gate(int vector, const void *handler, u64 privilege) {
    u64 at = (u64)handler;
    idt[vector].low = (at & 0xffff) | (u64)KERNEL_CS << 16 | (0x8e00 | privilege << 13) << 32 |
                      (at >> 16 & 0xffff) << 48;
    idt[vector].high = at >> 32;
}

static u32 tss[26];
static u64 gdt[10];

static void load_tables(void) {
    u64 base = (u64)tss, top = (u64)(interrupt_stack + sizeof interrupt_stack);
    tss[1] = (u32)top; /* RSP0 */
    tss[2] = (u32)(top >> 32);
    tss[25] = sizeof tss << 16; /* no I/O bitmap */
    gdt[KERNEL_CS / 8] = 0x00af9b000000ffff;
    gdt[KERNEL_SS / 8] = 0x00cf93000000ffff;
    gdt[USER_SS / 8] = 0x00cff3000000ffff;
    gdt[USER_CS / 8] = 0x00affb000000ffff;
    gdt[TSS_SELECTOR / 8] = (sizeof tss - 1) | (base & 0xffffff) << 16 | 0x89ull << 40 |
                            (base >> 24 & 0xff) << 56;
    gdt[TSS_SELECTOR / 8 + 1] = base >> 32;
    struct table_register gdtr = {sizeof gdt - 1, (u64)gdt};
    load_gdt(&gdtr);
    load_task_register(TSS_SELECTOR);

    for (int vector = 0; vector < 32; vector++) set_gate(vector, stray_stubs + 16 * vector, 0);
    set_gate(0, handle_divzero, 0);
    set_gate(14, handle_pgfault, 0);
    set_gate(0x30, handle_user_done, 3);
    struct table_register idtr = {sizeof idt - 1, (u64)idt};
    load_idt(&idtr);

    write_msr(MSR_EFER, read_msr(MSR_EFER) | EFER_SCE);
    write_msr(MSR_STAR, (u64)USER_CS32 << 48 | (u64)KERNEL_CS << 32);
    write_msr(MSR_LSTAR, (u64)handle_syscall);
    write_msr(MSR_SFMASK, 0x700); /* IF, TF, DF */
}

static u64 page_faults(u64 n) { return loop_pgfault(n, MISSING_PAGE); }
static u64 entry_stores(u64 n) { return loop_ptemod(n, &level1[2], LIVE_PAGE); }

/* `loop` is null for the benchmark whose loop runs at CPL 3 and sets the marks there. */
static const struct benchmark {
    const char *name;
    u64 (*loop)(u64 n);
} benchmarks[] = {
    {"syscall", 0},          {"in", loop_in},           {"cr8wr", loop_cr8wr},
    {"call-ret", loop_call_ret}, {"pgfault", page_faults}, {"divzero", loop_divzero},
    {"ptemod", entry_stores},
};

/* Returns what follows `key` at the start of a word of the command line, or null. */
static const char *option(const char *line, const char *key) {
    while (*line) {
        const char *a = line, *b = key;
        while (*b && *a == *b) a++, b++;
        if (!*b) return a;
        while (*line && *line != ' ') line++;
        while (*line == ' ') line++;
    }
    return 0;
}

static bool word_is(const char *text, const char *word) {
    while (*word && *text == *word) text++, word++;
    return !*word && (!*text || *text == ' ');
}

static u64 mix(u64 hash, u64 value) {
    hash = (hash ^ value) * 0xff51afd7ed558ccdull;
    return hash ^ hash >> 32;
}

_Noreturn void kernel_start(u64 info_address);

_Noreturn void kernel_start(u64 info_address) {
    const struct start_info *info = (const struct start_info *)(DIRECT_MAP + info_address);
    if (info_address >= PHYSICAL_MAX - PAGE_SIZE || info->magic != START_INFO_MAGIC)
        fail("no start info", "");
    if (!info->command_line || info->command_line >= PHYSICAL_MAX - PAGE_SIZE)
        fail("no command line; expected bench=NAME n=N", "");
    const char *line = (const char *)(DIRECT_MAP + info->command_line);
    const char *name = option(line, "bench="), *digits = option(line, "n=");
    if (!name || !digits) fail("expected bench=NAME n=N, not ", line);

    u64 n = 0;
    for (; *digits >= '0' && *digits <= '9' && n < 1u << 31; digits++)
        n = n * 10 + (u64)(*digits - '0');
    if (!n || (*digits && *digits != ' ')) fail("n must be from 1 to 2147483647: ", line);

    const struct benchmark *benchmark = 0;
    u64 hash = n;
    for (usize i = 0; i < ARRAY_LENGTH(benchmarks); i++)
        if (word_is(name, benchmarks[i].name)) benchmark = &benchmarks[i];
    if (!benchmark) fail("no such benchmark: ", name);
    for (const char *c = benchmark->name; *c; c++) hash = mix(hash, (u64)*c);

    map_pages();
    load_tables();
    if (benchmark->loop) {
        RINGSIDE_MARK(RINGSIDE_MARK_BENCHMARK_START);
        u64 cold = benchmark->loop(n);
        RINGSIDE_MARK(RINGSIDE_MARK_BENCHMARK_COLD_END);
        u64 warm = benchmark->loop(n);
        RINGSIDE_MARK(RINGSIDE_MARK_BENCHMARK_END);
        hash = mix(mix(hash, cold), warm);
    } else {
        hash = mix(hash, user_round_trips(n, USER_CODE, USER_STACK + PAGE_SIZE));
    }
    print("checksum ");
    print_hex(hash);
    print("\n");
    stop(RINGSIDE_EXIT_POWER_OFF);
}
