/* segments.c: a GDT with room for tests, a TSS with an I/O bitmap, and what SYSCALL needs. */
#include "selftest.h"

void entry_syscall(void);

u64 gdt[32] __attribute__((aligned(16)));
/* The map of ports 0 to 255 follows, and the byte of ones that ends it. */
u32 tss[26 + 9] __attribute__((aligned(16)));

static u8 stacks[4][2 * PAGE_SIZE] __attribute__((aligned(16)));

static void set_stack(int word, const u8 *stack) {
    u64 top = (u64)stack + sizeof stacks[0];
    tss[word] = (u32)top;
    tss[word + 1] = (u32)(top >> 32);
}

void segments_init(void) {
    gdt[KERNEL_CS / 8] = 0x00af9b000000ffff;
    gdt[KERNEL_SS / 8] = 0x00cf93000000ffff;
    gdt[USER_CS32 / 8] = 0x00cffb000000ffff;
    gdt[USER_SS / 8] = 0x00cff3000000ffff;
    gdt[USER_CS / 8] = 0x00affb000000ffff;
    u64 base = (u64)tss;
    gdt[TSS_SELECTOR / 8] = (sizeof tss - 1) | (base & 0xffffff) << 16 | 0x89ull << 40 | (base >> 24 & 0xff) << 56;
    gdt[TSS_SELECTOR / 8 + 1] = base >> 32;
    set_stack(1, stacks[0]);  /* RSP0 */
    set_stack(9, stacks[1]);  /* IST1: #DF */
    set_stack(11, stacks[2]); /* IST2 */
    set_stack(13, stacks[3]); /* IST3 */
    tss[25] = 104u << 16; /* the map's place */
    u8 *ports = (u8 *)&tss[26];
    for (int i = 0; i <= 256 / 8; i++) ports[i] = 0xff;
    ports[0x80 / 8] = 0xfe; /* port 0x80 is open */
    struct table_register gdtr = {sizeof gdt - 1, (u64)gdt};
    load_gdt(&gdtr);
    load_task_register(TSS_SELECTOR);
    __asm__ volatile("lldt %w0" ::"r"(0));
    write_msr(MSR_STAR, (u64)USER_CS32 << 48 | (u64)KERNEL_CS << 32);
    write_msr(MSR_LSTAR, (u64)entry_syscall);
    write_msr(MSR_SFMASK, 0x47700);
}
