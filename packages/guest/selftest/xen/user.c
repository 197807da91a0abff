/* user.c: programs: what they may not do, and the way in and out. */
#include "xen_selftest.h"

bool user_runs;

u64 user_at(const char *code) { return page_address(USER_CODE_PAGE) + (u64)(code - user_text); }

void run_user(const char *code, u64 argument) {
    forget();
    try_at = user_at(code);
    user_runs = true;
    enter_user(user_at(code), page_address(USER_STACK_PAGE + 1), IF, argument);
    user_runs = false;
}

static const struct {
    const char *name;
    const char *code;
    u64 vector, error, offset;
} faults[] = {
    {"user-int3", user_nothing, BP, 0, 1},
    {"user-divide", user_divide, DE, 0, 4},
    {"user-ud2", user_undefined, UD, 0, 0},
    {"user-hlt", user_halt, GP, 0, 0},
    {"user-cli", user_cli, GP, 0, 0},
    {"user-reads-cr0", user_cr0, GP, 0, 0},
    {"user-in", user_port, GP, 0, 0},
    {"user-open-gate", user_open_gate, VECTOR_OPEN, 0, 2},
    {"user-closed-gate", user_closed_gate, GP, VECTOR_CLOSED << 3 | 2, 0},
};

static struct frame entered;
static u32 calls;

static bool on_call(struct frame *frame) {
    entered = *frame;
    calls++;
    if (frame->rdi == 1) return_flags = VGCF_IN_SYSCALL;
    frame->rcx = 0x3333;
    frame->r11 = 0x4444;
    frame->rax += 5;
    return true;
}

static void calls_and_returns(void) {
    u64 behind = user_at(user_call_end);
    hooks[VECTOR_SYSCALL] = on_call;
    calls = 0;
    run_user(user_call, 0);
    check("syscall-reaches-callback", calls, 1);
    check("syscall-rip", entered.rip, behind);
    check("syscall-rcx", entered.rcx, behind);
    check("syscall-r11", entered.r11, entered.rflags);
    check("syscall-selector", entered.cs & 3, 3);
    check("syscall-stack", entered.rsp, page_address(USER_STACK_PAGE + 1));
    check("syscall-result", last.frame.rax, 5);
    check("iret-keeps-rcx", last.frame.rbx, 0x3333);
    check("iret-keeps-r11", last.frame.rbp, 0x4444);
    run_user(user_call, 1);
    return_flags = 0;
    check("sysret-rcx", last.frame.rbx, behind);
    check("sysret-r11", last.frame.rbp & (IF | CF), IF);
    hooks[VECTOR_SYSCALL] = NULL;
}

static void segment_bases(void) {
    u64 stored = 0x123456789abcdef0, got;
    *(volatile u64 *)page_address(0) = stored;
    check("fs-base", (u64)hypercall2(HYPERVISOR_set_segment_base, SEGBASE_FS, page_address(0)), 0);
    __asm__ volatile("mov %%fs:0, %0" : "=r"(got));
    check("kernel-uses-fs-base", got, stored);
    run_user(user_fs, 0);
    check("user-uses-fs-base", last.frame.rax, stored);
    check("non-canonical-base", (u64)hypercall2(HYPERVISOR_set_segment_base, SEGBASE_FS, 0x0000900000000000),
          wanted_error(EINVAL));
    check("unknown-base", (u64)hypercall2(HYPERVISOR_set_segment_base, 9, 0), wanted_error(EINVAL));
    must("set_segment_base", hypercall2(HYPERVISOR_set_segment_base, SEGBASE_FS, 0));
}

void test_user(void) {
    for (usize i = 0; i < ARRAY_LENGTH(faults); i++) {
        run_user(faults[i].code, 0);
        check_event(faults[i].name, faults[i].vector, faults[i].error, faults[i].offset);
    }
    calls_and_returns();
    segment_bases();
}
