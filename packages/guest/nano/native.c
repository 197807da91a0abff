/*
 * native.c: the pages, gates and segments that the benchmarks need, on a machine of one's own.
 */
#include "io.h"
#include "nano.h"
#include "start_info.h"

u64 loop_in(u64 n);
u64 loop_cr8wr(u64 n);
u64 loop_ptemod(u64 n, u64 *entry, u64 address);
extern char stray_stubs[];
extern u64 boot_level4[512];

static u64 level3[512] __attribute__((aligned(PAGE_SIZE)));
static u64 level2[512] __attribute__((aligned(PAGE_SIZE)));
static u64 level1[512] __attribute__((aligned(PAGE_SIZE)));
static u8 user_stack[PAGE_SIZE] __attribute__((aligned(PAGE_SIZE)));
static u8 live_page[PAGE_SIZE] __attribute__((aligned(PAGE_SIZE)));
static u8 interrupt_stack[PAGE_SIZE] __attribute__((aligned(16)));

void machine_print(const char *text, usize count) { out_string(RINGSIDE_PORT_DEBUG_CONSOLE, text, count); }

_Noreturn void machine_stop(u32 value) {
    out32(RINGSIDE_PORT_EXIT, value);
    for (;;) __asm__ volatile("cli; hlt");
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
static struct gate idt[32] __attribute__((aligned(16)));

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
    set_gate(3, handle_user_done, 3);
    struct table_register idtr = {sizeof idt - 1, (u64)idt};
    load_idt(&idtr);

    write_msr(MSR_EFER, read_msr(MSR_EFER) | EFER_SCE);
    write_msr(MSR_STAR, (u64)USER_CS32 << 48 | (u64)KERNEL_CS << 32);
    write_msr(MSR_LSTAR, (u64)handle_syscall);
    write_msr(MSR_SFMASK, 0x700); /* IF, TF, DF */
}

void machine_prepare(void) {
    map_pages();
    load_tables();
}

static u64 page_faults(u64 n) { return loop_pgfault(n, MISSING_PAGE); }
static u64 entry_stores(u64 n) { return loop_ptemod(n, &level1[2], LIVE_PAGE); }

const struct benchmark benchmarks[] = {
    {"syscall", 0, 0},
    {"in", loop_in, 0},
    {"cr8wr", loop_cr8wr, 0},
    {"call-ret", loop_call_ret, 0},
    {"pgfault", page_faults, 0},
    {"divzero", loop_divzero, 0},
    {"ptemod", entry_stores, 0},
    {0, 0, 0},
};

_Noreturn void kernel_start(u64 info_address);

_Noreturn void kernel_start(u64 info_address) {
    const struct start_info *info = (const struct start_info *)(DIRECT_MAP + info_address);
    if (info_address >= PHYSICAL_MAX - PAGE_SIZE || info->magic != START_INFO_MAGIC)
        fail("no start info", "");
    if (!info->command_line || info->command_line >= PHYSICAL_MAX - PAGE_SIZE)
        fail("no command line; expected bench=NAME n=N", "");
    nano_main((const char *)(DIRECT_MAP + info->command_line));
}
