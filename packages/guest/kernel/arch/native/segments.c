/*
 * segments.c: GDT, task-state segment, and the registers that SYSCALL uses.
 */
#include "native.h"

extern char entry_syscall[], entry_syscall32[];

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
    [KERNEL_CS / 8] = FLAT_CODE,
    [KERNEL_SS / 8] = FLAT_DATA,
    [USER_CS32 / 8] = FLAT_USER_CODE32,
    [USER_SS / 8] = FLAT_USER_DATA,
    [USER_CS / 8] = FLAT_USER_CODE,
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

u32 machine_features(void) {
    u32 a, b, c, d;
    cpuid(1, &a, &b, &c, &d);
    return d;
}
