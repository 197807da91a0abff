/*
 * exceptions.c: every exception that 64-bit mode has, with its error code and the RIP it saves
 * (Intel SDM Vol. 3A §6.15, "Exception and Interrupt Reference").
 */
#include "selftest.h"

#define NON_CANONICAL 0x0000900000000000ull

static void traps(void) {
    TRY("int $5");
    check_event("int-5", BR, 0, 2);
    TRY(".byte 0xf1");
    check_event("int1", DB, 0, 1);
}

static void fpu(void) {
    write_cr0(read_cr0() | CR0_TS);
    TRY("fninit");
    check_event("x87-with-ts", NM, 0, 0);
    TRY("movaps %%xmm0, %%xmm1");
    check_event("sse-with-ts", NM, 0, 0);
    TRY("fwait");
    check_event("fwait-with-ts", NM, 0, 0);
    __asm__ volatile("clts");
    check("clts", read_cr0() & CR0_TS, 0);
    write_cr0(read_cr0() | CR0_EM);
    TRY("fninit");
    check_event("x87-with-em", NM, 0, 0);
    TRY("movaps %%xmm0, %%xmm1");
    check_event("sse-with-em", UD, 0, 0);
    write_cr0(read_cr0() & ~(u64)CR0_EM);

    u32 mxcsr = 0x1d80; /* division by zero is not masked */
    u32 usual = 0x1f80;
    __asm__ volatile("ldmxcsr %0" ::"m"(mxcsr));
    write_cr4(read_cr4() & ~(u64)CR4_OSXMMEXCPT);
    TRY("mov $0x3f800000, %%eax\n movd %%eax, %%xmm0\n xorps %%xmm1, %%xmm1\n divss %%xmm1, %%xmm0");
    check_event("sse-divide-by-zero-without-osxmmexcpt", UD, 0, 12);
    write_cr4(read_cr4() | CR4_OSXMMEXCPT);
    __asm__ volatile("ldmxcsr %0" ::"m"(usual));
}

static void protection(void) {
    set_gate(SS, stubs + 16 * SS, 0, 3);
    TRY("mov %[p], %%rsp\n push %%rax", [p] "S"(NON_CANONICAL));
    check_event("non-canonical-stack", SS, 0, 3);
    set_gate(SS, stubs + 16 * SS, 0, 0);
    TRY("jmp *%[p]", [p] "S"(NON_CANONICAL));
    check_event("non-canonical-jump", GP, 0, 0);
    TRY("call *%[p]", [p] "S"(NON_CANONICAL));
    check_event("non-canonical-call", GP, 0, 0);
    TRY("mov $0x12345, %%ecx\n rdmsr");
    check_event("unknown-msr", GP, 0, 5);
    TRY("mov $0x1fb, %%eax\n mov %%eax, %%ds");
    check_event("selector-beyond-gdt", GP, 0x1f8, 5);
    TRY("mov %[s], %%ds", [s] "S"(TSS_SELECTOR));
    check_event("data-segment-is-a-tss", GP, TSS_SELECTOR, 0);
    TRY("xor %%eax, %%eax\n mov %%eax, %%ss");
    check("null-stack-segment", last.count, 0); /* allowed at CPL 0 in 64-bit mode */
    __asm__ volatile("mov %0, %%ss" ::"r"(KERNEL_SS));
    TRY("mov %[s], %%ss", [s] "S"(KERNEL_CS));
    check_event("stack-segment-is-code", GP, KERNEL_CS, 0);
    TRY("mov %[s], %%ss", [s] "S"(USER_SS));
    check_event("stack-segment-of-another-level", GP, USER_SS & ~3, 0);
    gdt[SELECTOR_SPARE / 8] = 0x00cf13000000ffff; /* data, not present */
    TRY("mov %[s], %%ds", [s] "S"(SELECTOR_SPARE));
    check_event("segment-not-present", NP, SELECTOR_SPARE, 0);
    TRY("mov %[s], %%ss", [s] "S"(SELECTOR_SPARE));
    check_event("stack-segment-not-present", SS, SELECTOR_SPARE, 0);
    __asm__ volatile("mov %0, %%ds" ::"r"(0));
}

static void gates(void) {
    TRY("int $0x70"); /* beyond the IDT's limit */
    check_event("int-beyond-idt", GP, 0x70 * 8 + 2, 0);
    set_gate_present(VECTOR_SPARE, false);
    TRY("int $0x33");
    check_event("int-gate-not-present", NP, VECTOR_SPARE * 8 + 2, 0);
    set_gate_present(VECTOR_SPARE, true);
    u64 low = idt[2 * VECTOR_SPARE];
    idt[2 * VECTOR_SPARE] = (low & ~0xffff0000ull) | (u64)KERNEL_SS << 16;
    TRY("int $0x33");
    check_event("int-gate-to-data", GP, KERNEL_SS, 0);
    idt[2 * VECTOR_SPARE] = (low & ~0xffff0000ull);
    TRY("int $0x33");
    check_event("int-gate-to-null", GP, 0, 0);
    idt[2 * VECTOR_SPARE] = (low & ~(0xfull << 40)) | 5ull << 40; /* a task gate */
    TRY("int $0x33");
    check_event("int-task-gate", GP, VECTOR_SPARE * 8 + 2, 0);
    idt[2 * VECTOR_SPARE] = low;
    TRY("int $0x33");
    check_event("int-again", VECTOR_SPARE, 0, 2);
}

static bool note_flags(struct frame *frame) {
    (void)frame;
    last.cr2 = read_flags();
    return true;
}

/* Interrupt gates switch IF off, trap gates leave it. */
static void gate_types(void) {
    hooks[VECTOR_SPARE] = note_flags;
    interrupts_on();
    __asm__ volatile("int $0x33" ::: "memory");
    check("interrupt-gate-clears-if", last.cr2 & (IF | TF), 0);
    check("interrupt-gate-saves-if", last.frame.rflags & IF, IF);
    idt[2 * VECTOR_SPARE] |= 1ull << 40; /* a trap gate */
    __asm__ volatile("int $0x33" ::: "memory");
    check("trap-gate-keeps-if", last.cr2 & IF, IF);
    interrupts_off();
    idt[2 * VECTOR_SPARE] &= ~(1ull << 40);
    hooks[VECTOR_SPARE] = NULL;
}

static bool note_stack(struct frame *frame) {
    last.cr2 = (u64)frame;
    return true;
}

/* RSP is aligned to 16 before the frame is pushed; an IST slot is loaded even from the same level. */
static void stacks(void) {
    u64 before, top = tss[11] | (u64)tss[12] << 32;
    hooks[VECTOR_SPARE] = note_stack;
    __asm__ volatile("mov %%rsp, %%rbx\n and $-16, %%rsp\n sub $24, %%rsp\n mov %%rsp, %0\n int $0x33\n mov %%rbx, %%rsp"
                     : "=&a"(before)::"rbx", "memory");
    check("frame-saves-rsp", last.frame.rsp, before);
    check("frame-is-aligned", last.cr2 + sizeof(struct frame), before & ~15ull);
    set_gate(VECTOR_SPARE, stubs + 16 * VECTOR_SPARE, 0, 2);
    __asm__ volatile("int $0x33" ::: "memory");
    check("ist-switches-stack", last.cr2 + sizeof(struct frame), top);
    set_gate(VECTOR_SPARE, stubs + 16 * VECTOR_SPARE, 0, 0);
    hooks[VECTOR_SPARE] = NULL;
}

void test_exceptions(void) {
    test_plain_exceptions(frames[0]);
    traps();
    fpu();
    protection();
    gates();
    gate_types();
    stacks();
}
