/*
 * segments.c: GDT, task-state segment, and the registers that SYSCALL uses.
 */
#include "native.h"

extern char entry_syscall[], entry_syscall32[], usercopy_start[], usercopy_end[], usercopy_failed[];

struct processor processor;

static struct {
    u32 reserved;
    u64 rsp[3];
    u64 reserved2;
    u64 ist[7];
    u64 reserved3;
    u16 reserved4;
    u16 io_map;
} __attribute__((packed)) tss;

static u8 special_stacks[3][PAGE_SIZE] __attribute__((aligned(16)));

static u64 gdt[TSS_SELECTOR / 8 + 2] = {
    [KERNEL_CS / 8] = 0x00af9b000000ffff,
    [KERNEL_SS / 8] = 0x00cf93000000ffff,
    [USER_CS32 / 8] = 0x00cffb000000ffff,
    [USER_SS / 8] = 0x00cff3000000ffff,
    [USER_CS / 8] = 0x00affb000000ffff,
};

void segments_init(void) {
    u64 base = (u64)&tss;
    gdt[TSS_SELECTOR / 8] = (sizeof tss - 1) | (base & 0xffffff) << 16 | 0x89ull << 40 | (base >> 24 & 0xff) << 56;
    gdt[TSS_SELECTOR / 8 + 1] = base >> 32;
    for (int i = 0; i < 3; i++) tss.ist[i] = (u64)special_stacks[i] + PAGE_SIZE;
    tss.io_map = sizeof tss;
    struct table_register gdtr = {sizeof gdt - 1, (u64)gdt};
    load_gdt(&gdtr);
    load_task_register(TSS_SELECTOR);

    write_msr(MSR_GS_BASE, (u64)&processor);
    write_msr(MSR_KERNEL_GS_BASE, 0);
    write_msr(MSR_EFER, read_msr(MSR_EFER) | EFER_SCE);
    write_msr(MSR_STAR, (u64)USER_CS32 << 48 | (u64)KERNEL_CS << 32);
    write_msr(MSR_LSTAR, (u64)entry_syscall);
    write_msr(MSR_CSTAR, (u64)entry_syscall32);
    write_msr(MSR_SFMASK, 0x47700); /* AC, NT, IOPL, IF, TF, DF */
}

void machine_set_kernel_stack(u64 top) {
    processor.kernel_stack = top;
    tss.rsp[0] = top;
}

void machine_set_bases(u64 fs, u64 gs) {
    write_msr(MSR_FS_BASE, fs);
    write_msr(MSR_KERNEL_GS_BASE, gs); /* becomes GS at the SWAPGS on the way out */
}

extern char first_return[];

/* Registers at the top, below them what machine_switch() pops. */
u64 machine_first_stack(u64 stack_top) {
    u64 *stack = (u64 *)(stack_top - sizeof(struct registers));
    *--stack = (u64)first_return;
    for (int i = 0; i < 6; i++) *--stack = 0;
    return (u64)stack;
}

bool machine_user_registers(struct registers *r) {
    r->cs = USER_CS;
    r->ss = USER_SS;
    r->rflags = (r->rflags & RFLAGS_USER) | RFLAGS_IF | RFLAGS_FIXED;
    return r->rip < USER_TOP; /* IRET and SYSRET fault in the kernel on others */
}

u32 machine_features(void) {
    u32 a, b, c, d;
    cpuid(1, &a, &b, &c, &d);
    return d;
}

bool machine_recover(struct registers *r) {
    if (r->rip < (u64)usercopy_start || r->rip >= (u64)usercopy_end) return false;
    r->rip = (u64)usercopy_failed;
    return true;
}
