/*
 * main.c: the self-test of a processor of one's own: lines go to the debug console, the number of bad ones ends the
 * machine.
 */
#include "selftest.h"
#include "start_info.h"

hook hooks[VECTORS];
u64 idt[2 * VECTORS] __attribute__((aligned(16)));

void write_line(const char *text, usize count) {
    for (usize i = 0; i < count; i++) out8(RINGSIDE_PORT_DEBUG_CONSOLE, (u8)text[i]);
}

static _Noreturn void stop(u32 value) {
    out32(RINGSIDE_PORT_EXIT, value);
    for (;;) __asm__ volatile("cli; hlt");
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
        report_unexpected(frame, last.cr2);
        stop(failures);
    }
    frame->rip = try_resume;
    frame->rsp = try_stack;
    frame->cs = KERNEL_CS;
    frame->ss = KERNEL_SS;
    frame->rflags &= ~(TF | NT | AC | DF);
}

static const struct group groups[] = {
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

    run_groups(groups, ARRAY_LENGTH(groups), line);
    stop(failures);
}
