/*
 * user.c: what happens at CPL 3: privileges, the stack switch, the way back, and the kernel's ways in.
 */
#include "selftest.h"

extern char user_start[];
extern u64 boot_level4[512];
u64 user_stack_top = page_address(USER_STACK_PAGE + 1) - 64;

bool user_runs;

void enter_user(u64 rip, u64 rsp, u64 rflags, u64 argument, u64 cs);

void user_init(void) {
    boot_level4[1] = physical(level3) | PRESENT | WRITABLE | USER;
    level3[0] = physical(level2) | PRESENT | WRITABLE | USER;
    level2[0] = physical(level1) | PRESENT | WRITABLE | USER;
    map_page(USER_CODE_PAGE, physical(user_start) | PRESENT | USER);
    map_page(USER_CODE_PAGE + 1, (physical(user_start) + PAGE_SIZE) | PRESENT | USER);
    map_page(USER_STACK_PAGE, physical(frames[USER_STACK_PAGE]) | PRESENT | WRITABLE | USER | NO_EXECUTE);
}

u64 user_at(const char *code) { return page_address(USER_CODE_PAGE) + (u64)(code - user_start); }

void run_user(const char *code, u64 argument, u64 rflags) {
    forget();
    try_at = user_at(code);
    user_runs = true;
    enter_user(try_at, user_stack_top, rflags | 2, argument, USER_CS);
    user_runs = false;
}

u64 user_result(void) { return last.frame.rax; }

extern char user_int_kernel[], user_int3[], user_int4[], user_cli[], user_sti[], user_hlt[], user_in[], user_in_wide[],
    user_mov_cr0[], user_wrmsr[], user_lgdt[], user_invlpg[], user_popf[], user_unaligned[], user_aligned[],
    user_syscall[], user_divide[], user_kernel_jump[], user_far_call[], user_selectors[], user_iret[], user_rdpmc[],
    user_swapgs[], user_sysret[], user_compatibility[], user_read[];
extern u64 syscall_rcx, syscall_r11, syscall_rsp, syscall_flags;
extern u32 syscall_cs, syscall_ss, syscall_count;

static void privileged(void) {
    static const struct {
        const char *name;
        const char *code;
    } rows[] = {
        {"user-cli", user_cli}, {"user-sti", user_sti}, {"user-hlt", user_hlt}, {"user-mov-cr0", user_mov_cr0},
        {"user-wrmsr", user_wrmsr}, {"user-lgdt", user_lgdt}, {"user-invlpg", user_invlpg}, {"user-rdpmc", user_rdpmc},
        {"user-swapgs", user_swapgs}, {"user-sysret", user_sysret},
    };
    for (usize i = 0; i < ARRAY_LENGTH(rows); i++) {
        run_user(rows[i].code, 0, 0);
        check_event(rows[i].name, GP, 0, 0);
    }
    run_user(user_cli, 0, IOPL3 | IF);
    check("user-cli-with-iopl", last.frame.rflags & IF, 0);
    run_user(user_sti, 0, IOPL3);
    check("user-sti-with-iopl", last.frame.rflags & IF, IF);
    run_user(user_in, 0, 0);
    check_event("user-port-by-map", GP, 0, 2); /* 0x80 is open, 0x81 is not */
    run_user(user_in_wide, 0, 0);
    check_event("user-wide-port-by-map", GP, 0, 0);
    run_user(user_in, 0, IOPL3);
    check_event("user-port-with-iopl", VECTOR_USER, 0, 6);
}

static void gates(void) {
    run_user(user_int_kernel, 0, 0);
    check_event("user-int-of-dpl-0", GP, VECTOR_KERNEL * 8 + 2, 0);
    run_user(user_int3, 0, 0);
    check_event("user-int3-of-dpl-0", GP, BP * 8 + 2, 0);
    set_gate(BP, stubs + 16 * BP, 3, 0);
    run_user(user_int3, 0, 0);
    check_event("user-int3-of-dpl-3", BP, 0, 1);
    set_gate(BP, stubs + 16 * BP, 0, 0);
    run_user(user_divide, 0, 0);
    check_event("user-divide", DE, 0, 2);
    check("user-frame-selectors", last.frame.cs << 16 | last.frame.ss, (u64)USER_CS << 16 | USER_SS);
    check("user-frame-rsp", last.frame.rsp, user_stack_top);
    run_user(user_kernel_jump, (u64)user_start, 0);
    check("user-jump-to-kernel-error", last.frame.vector << 8 | last.frame.error, PF << 8 | 0x15);
    run_user(user_kernel_jump, 0x0000800000000000, 0);
    check_event("user-jump-to-nowhere", GP, 0, 0);
    run_user(user_selectors, 0, 0);
    check("user-selectors", user_result(), USER_CS | (u64)USER_SS << 16);
    run_user(user_iret, 0, 0);
    check("user-iret", user_result(), 0x77);
}

/* The TSS ends before the IST slot that a gate wants. */
static void short_tss(void) {
    u64 descriptor = gdt[TSS_SELECTOR / 8];
    set_gate(VECTOR_USER, stubs + 16 * VECTOR_USER, 3, 1);
    gdt[TSS_SELECTOR / 8] = (descriptor & ~0xffffull & ~(2ull << 40)) | 0x23;
    load_task_register(TSS_SELECTOR);
    run_user(user_selectors, 0, 0);
    check("tss-too-short", last.frame.vector << 16 | last.frame.error, (u64)TS << 16 | TSS_SELECTOR);
    gdt[TSS_SELECTOR / 8] = descriptor & ~(2ull << 40);
    load_task_register(TSS_SELECTOR);
    set_gate(VECTOR_USER, stubs + 16 * VECTOR_USER, 3, 0);
}

static void alignment(void) {
    u64 at = user_stack_top - 256;
    run_user(user_unaligned, at, AC);
    check_event("alignment-check-without-am", VECTOR_USER, 0, 5);
    write_cr0(read_cr0() | CR0_AM);
    run_user(user_unaligned, at, AC);
    check_event("alignment-check", AL, 0, 0);
    run_user(user_aligned, at, AC);
    check_event("alignment-check-of-aligned", VECTOR_USER, 0, 5);
    run_user(user_unaligned, at, 0);
    check_event("alignment-check-without-ac", VECTOR_USER, 0, 5);
    write_cr0(read_cr0() & ~(u64)CR0_AM);
}

static void system_calls(void) {
    u64 flags = CF | AC | DF | IF;
    syscall_count = 0;
    run_user(user_syscall, 0, flags);
    check("syscall-arrives", syscall_count, 1);
    check("syscall-saves-rip", syscall_rcx, user_at(user_syscall) + 7);
    check("syscall-saves-flags", syscall_r11 & (flags | TF | IOPL3), flags);
    check("syscall-masks-flags", syscall_flags & (0x47700 | CF), CF);
    check("syscall-keeps-rsp", syscall_rsp, user_stack_top);
    check("syscall-selectors", (u64)syscall_cs << 16 | syscall_ss, (u64)KERNEL_CS << 16 | KERNEL_SS);
    check("sysret-restores-flags", user_result() & flags, flags);
    check("sysret-selectors", last.frame.cs << 16 | last.frame.ss, (u64)USER_CS << 16 | USER_SS);
    write_msr(MSR_EFER, read_msr(MSR_EFER) & ~(u64)EFER_SCE);
    run_user(user_syscall, 0, 0);
    check_event("syscall-switched-off", UD, 0, 5);
    write_msr(MSR_EFER, read_msr(MSR_EFER) | EFER_SCE);
}

/* 32-bit code cannot reach the pages for tests: it runs where the loader's tables map the image one to one. */
static void compatibility(void) {
    u64 *low3 = (u64 *)(DIRECT_MAP + (boot_level4[0] & ~0xfffull)), *low2 = (u64 *)(DIRECT_MAP + (low3[0] & ~0xfffull));
    boot_level4[0] |= USER, low3[0] |= USER;
    for (int i = 0; i < 8; i++) low2[i] |= USER;
    write_cr3(read_cr3());
    forget();
    try_at = physical(user_compatibility);
    user_runs = true;
    enter_user(try_at, physical(frames[USER_STACK_PAGE]) + 2048, 2, 0, USER_CS32);
    user_runs = false;
    check("compatibility-mode", last.frame.vector, VECTOR_USER);
    check("compatibility-push", user_result(), -4u);
    check("compatibility-selector", last.frame.cs, USER_CS32);
    boot_level4[0] &= ~USER, low3[0] &= ~USER;
    for (int i = 0; i < 8; i++) low2[i] &= ~USER;
    write_cr3(read_cr3());
}

/* Two words of a 64-bit call gate at SELECTOR_GATE, for CPL 3, to `gate_target`. */
extern char gate_target[];
__asm__(".globl gate_target\ngate_target: int $0x33\n ud2");

_Noreturn void leave_user(void);

static bool abandon(struct frame *frame) {
    (void)frame;
    leave_user();
}

static void call_gates(void) {
    hooks[VECTOR_SPARE] = abandon;
    u64 target = (u64)gate_target;
    gdt[SELECTOR_GATE / 8] = (target & 0xffff) | (u64)KERNEL_CS << 16 | 0xecull << 40 | (target >> 16 & 0xffff) << 48;
    gdt[SELECTOR_GATE / 8 + 1] = target >> 32;
    u64 *pointer = (u64 *)(frames[USER_STACK_PAGE] + 512);
    pointer[0] = (u64)(SELECTOR_GATE | 3) << 32;
    u64 at = page_address(USER_STACK_PAGE) + 512;
    run_user(user_far_call, at, 0);
    check("call-gate", last.frame.vector, VECTOR_SPARE); /* DPL 3 lets it through; INT 0x33 then comes from CPL 0 */
    check("call-gate-level", last.frame.cs, KERNEL_CS);
    hooks[VECTOR_SPARE] = NULL;
    gdt[SELECTOR_GATE / 8] &= ~(3ull << 45);
    run_user(user_far_call, at, 0);
    check_event("call-gate-of-dpl-0", GP, SELECTOR_GATE, 0);
    gdt[SELECTOR_GATE / 8] = gdt[SELECTOR_GATE / 8 + 1] = 0;
}

/* The fault is pushed below what IRET was to pop. */
static struct {
    u8 room[2048];
    u64 rip, cs, rflags, rsp, ss;
} frame __attribute__((aligned(16)));

#define TRY_IRET() TRY("mov %[f], %%rsp\n iretq", [f] "S"(&frame.rip))

static void bad_returns(void) {
    frame.rip = user_at(user_selectors), frame.rflags = 2, frame.rsp = user_stack_top, frame.ss = USER_SS;
    frame.cs = KERNEL_SS;
    TRY_IRET();
    check_event("iret-to-data", GP, KERNEL_SS, 3);
    frame.cs = 0;
    TRY_IRET();
    check_event("iret-to-null", GP, 0, 3);
    frame.cs = USER_CS, frame.ss = 0;
    TRY_IRET();
    check_event("iret-with-null-stack-to-user", GP, 0, 3);
    frame.ss = USER_SS, frame.rip = 0x0000800000000000;
    TRY_IRET();
    check("iret-to-nowhere", last.frame.vector << 16 | last.frame.error, (u64)GP << 16);
    frame.rip = user_at(user_selectors), frame.rflags = 2 | NT;
    TRY("pushq $0x4002\n popf\n mov %[f], %%rsp\n iretq", [f] "S"(&frame.rip));
    check_event("iret-with-nt", GP, 0, 9);
}

void test_user(void) {
    privileged();
    gates();
    short_tss();
    alignment();
    system_calls();
    compatibility();
    call_gates();
    bad_returns();
}
