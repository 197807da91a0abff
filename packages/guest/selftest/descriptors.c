/*
 * descriptors.c: GDT, LDT and IDT rewritten while they are in use. What a segment register holds was
 * read when it was loaded; gates are read at each event.
 */
#include "selftest.h"

static u64 data_segment(u64 base) {
    return 0x00cf93000000ffffull | (base & 0xffffff) << 16 | (base >> 24 & 0xff) << 56;
}

static u8 bytes[3] = {0x11, 0x22, 0x33};

static u8 read_fs(u64 offset) {
    u8 value;
    __asm__ volatile("mov %%fs:(%1), %0" : "=q"(value) : "r"(offset) : "memory");
    return value;
}

static void load_fs(u16 selector) { __asm__ volatile("mov %0, %%fs" ::"r"((u32)selector) : "memory"); }

void other_handler(void);
__asm__(".globl other_handler\nother_handler: movb $1, other_handler_flag(%rip)\n iretq");
u8 other_handler_flag;

static void segments(void) {
    u64 start = (u64)bytes - 8; /* the base has 32 bits: addresses wrap at KERNEL_BASE's lower half */
    u64 low = start & 0xffffffff, rest = start - low;
    gdt[SELECTOR_SPARE / 8] = data_segment(low);
    load_fs(SELECTOR_SPARE);
    check("segment-base", read_fs(rest + 8), 0x11);
    gdt[SELECTOR_SPARE / 8] = data_segment(low + 1);
    check("segment-base-is-held", read_fs(rest + 8), 0x11);
    load_fs(SELECTOR_SPARE);
    check("segment-base-reloaded", read_fs(rest + 8), 0x22);
    check("segment-base-msr", read_msr(MSR_FS_BASE), low + 1);
    write_msr(MSR_FS_BASE, start + 2);
    check("segment-base-by-msr", read_fs(8), 0x33);
    load_fs(0);

    gdt[SELECTOR_SPARE / 8] = 0x00cf92000000ffff; /* not accessed */
    __asm__ volatile("mov %0, %%ds" ::"r"(SELECTOR_SPARE) : "memory");
    check("load-sets-accessed", gdt[SELECTOR_SPARE / 8] >> 40 & 1, 1);
    __asm__ volatile("mov %0, %%ds" ::"r"(0));
}

static void other_gdt(void) {
    static u64 second[32];
    for (int i = 0; i < 32; i++) second[i] = gdt[i];
    second[SELECTOR_SPARE / 8] = 0x00cffb000000ffff; /* 32-bit code of DPL 3, there only */
    gdt[SELECTOR_SPARE / 8] = 0;
    struct table_register now = {sizeof second - 1, (u64)second}, before = {sizeof gdt - 1, (u64)gdt}, seen;
    u32 rights = 0;
    load_gdt(&now);
    __asm__ volatile("sgdt %0" : "=m"(seen));
    check("second-gdt", seen.base, (u64)second);
    __asm__ volatile("lar %1, %0" : "+r"(rights) : "r"(SELECTOR_SPARE) : "cc", "memory");
    check("second-gdt-is-used", rights & 0xf000, 0xf000);
    load_gdt(&before);
    u8 valid;
    __asm__ volatile("lar %2, %0\n setz %1" : "+r"(rights), "=q"(valid) : "r"(SELECTOR_SPARE) : "cc");
    check("first-gdt-again", valid, 0);
    struct table_register small = {KERNEL_SS + 7, (u64)gdt};
    load_gdt(&small);
    TRY("mov %[s], %%ds", [s] "S"(USER_SS));
    check_event("gdt-limit", GP, USER_SS & ~3, 0);
    load_gdt(&before);
}

static void local_table(void) {
    static u64 local[4];
    u64 base = (u64)local;
    local[1] = 0x00cff3000000ffff;
    gdt[SELECTOR_LDT / 8] = (sizeof local - 1) | (base & 0xffffff) << 16 | 0x82ull << 40 | (base >> 24 & 0xff) << 56;
    gdt[SELECTOR_LDT / 8 + 1] = base >> 32;
    TRY("mov %[s], %%ds", [s] "S"(0x0c));
    check_event("no-ldt", GP, 0x0c, 0);
    __asm__ volatile("lldt %w0" ::"r"(SELECTOR_LDT));
    u32 selector;
    __asm__ volatile("sldt %0" : "=r"(selector));
    check("sldt-after-lldt", selector, SELECTOR_LDT);
    TRY("mov %[s], %%ds", [s] "S"(0x0c));
    check("segment-of-ldt", last.count, 0);
    TRY("mov %[s], %%ds", [s] "S"(0x14));
    check_event("empty-slot-of-ldt", GP, 0x14, 0);
    local[1] &= ~(1ull << 47);
    TRY("mov %[s], %%ds", [s] "S"(0x0c));
    check_event("not-present-in-ldt", NP, 0x0c, 0);
    TRY("lldt %w[s]", [s] "S"(KERNEL_SS));
    check_event("lldt-of-data", GP, KERNEL_SS, 0);
    TRY("ltr %w[s]", [s] "S"(TSS_SELECTOR));
    check_event("ltr-of-busy", GP, TSS_SELECTOR, 0);
    __asm__ volatile("lldt %w0\n mov %0, %%ds" ::"r"(0));
    gdt[SELECTOR_LDT / 8] = gdt[SELECTOR_LDT / 8 + 1] = 0;
}

static void gates(void) {
    u64 low = idt[2 * VECTOR_SPARE], high = idt[2 * VECTOR_SPARE + 1];
    set_gate(VECTOR_SPARE, other_handler, 0, 0);
    __asm__ volatile("int $0x33" ::: "memory");
    check("gate-rewritten", other_handler_flag, 1);
    static u64 second[2 * VECTORS] __attribute__((aligned(16)));
    for (int i = 0; i < 2 * VECTORS; i++) second[i] = idt[i];
    idt[2 * VECTOR_SPARE] = low, idt[2 * VECTOR_SPARE + 1] = high;
    struct table_register now = {sizeof second - 1, (u64)second}, before = {sizeof idt - 1, (u64)idt};
    other_handler_flag = 0;
    load_idt(&now);
    __asm__ volatile("int $0x33" ::: "memory");
    check("second-idt", other_handler_flag, 1);
    load_idt(&before);
    TRY("int $0x33");
    check_event("first-idt-again", VECTOR_SPARE, 0, 2);
    struct table_register small = {16 * (VECTOR_SPARE) - 1, (u64)idt};
    load_idt(&small);
    TRY("int $0x33");
    check_event("idt-limit", GP, VECTOR_SPARE * 8 + 2, 0);
    load_idt(&before);
}

/* Far control flow reads descriptors, too. */
static void far_transfers(void) {
    struct {
        u64 offset;
        u16 selector;
    } __attribute__((packed)) target;
    u64 value;
    __asm__ volatile("lea 1f(%%rip), %%rax\n mov %%rax, %1\n movw %3, 8+%1\n rex.w ljmp *%1\n mov $1, %%eax\n jmp 2f\n"
                     "1: mov $2, %%eax\n 2: mov %%rax, %0"
                     : "=r"(value), "+m"(target)
                     : "0"(0), "i"(KERNEL_CS)
                     : "rax", "memory");
    check("far-jump", value, 2);
    __asm__ volatile("mov %%cs, %%eax\n push %%rax\n lea 1f(%%rip), %%rax\n push %%rax\n lretq\n mov $1, %%eax\n jmp 2f\n"
                     "1: mov $3, %%eax\n 2: mov %%rax, %0"
                     : "=r"(value)::"rax", "memory");
    check("far-return", value, 3);
    TRY("pushq %[s]\n lea 87f(%%rip), %%rax\n push %%rax\n lretq\n 87:", [s] "S"((u64)KERNEL_SS));
    check("far-return-to-data", last.frame.vector << 16 | last.frame.error, (u64)GP << 16 | KERNEL_SS);
}

void test_descriptors(void) {
    segments();
    other_gdt();
    local_table();
    gates();
    far_transfers();
}
