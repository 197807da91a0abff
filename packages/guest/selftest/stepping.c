/*
 * stepping.c: single-step traps, in the kernel and across the borders to it, and breakpoints of the
 * debug registers (Intel SDM Vol. 3B §18.3.1.4, "Single-Step Exception Condition"; §18.2, "Debug Registers").
 */
#include "selftest.h"

extern char user_step[], user_step_syscall[], user_step_popf[];

static u64 steps[32];
static u32 step_count;
static u64 step_base, debug_status;

static u64 read_dr6(void) {
    u64 value;
    __asm__ volatile("mov %%dr6, %0" : "=r"(value));
    return value;
}

static void write_dr6(u64 value) { __asm__ volatile("mov %0, %%dr6" ::"r"(value)); }
static void write_dr7(u64 value) { __asm__ volatile("mov %0, %%dr7" ::"r"(value)); }
static void write_dr0(u64 value) { __asm__ volatile("mov %0, %%dr0" ::"r"(value)); }

/* Notes where each trap came, and lets the program go on. */
static bool note_step(struct frame *frame) {
    if (step_count < ARRAY_LENGTH(steps)) steps[step_count] = frame->rip - step_base;
    step_count++;
    debug_status |= read_dr6();
    write_dr6(0xffff0ff0);
    if (debug_status & 1 && !(debug_status & 0x4000)) frame->rflags |= 0x10000; /* RF: past an instruction breakpoint */
    return true;
}

/* The places as one number, a byte each. */
static u64 trail(void) {
    u64 result = step_count;
    for (u32 i = 0; i < step_count && i < 7; i++) result |= (steps[i] & 0xff) << (8 + 8 * i);
    return result;
}

static void start(u64 base) {
    step_count = 0;
    debug_status = 0;
    step_base = base;
    write_dr6(0xffff0ff0);
    hooks[DB] = note_step;
}

#define TRAIL(count, a, b, c, d, e) \
    ((count) | (u64)(a) << 8 | (u64)(b) << 16 | (u64)(c) << 24 | (u64)(d) << 32 | (u64)(e) << 40)

/* Steps through kernel code that begins at label 1 of the text. TF is set by the POPF before it. */
#define STEP(code)                                                                                 \
    do {                                                                                           \
        start(0);                                                                                  \
        __asm__ volatile("lea 1f(%%rip), %%rax\n mov %%rax, step_base_place(%%rip)\n"              \
                         "pushf\n orq $0x100, (%%rsp)\n popf\n 1: " code                           \
                         "\n pushf\n andq $~0x100, (%%rsp)\n popf"                                 \
                         ::: "rax", "rcx", "rdx", "rsi", "rdi", "memory", "cc");              \
    } while (0)

u64 step_base_place;
u8 step_from[4] = {1, 2, 3, 4}, step_to[4];

/* Of the kernel's trail only what lies in its first bytes: the code that switches TF off is stepped, too. */
static u64 kernel_trail(u32 keep) {
    u64 result = keep;
    for (u32 i = 0; i < keep; i++) result |= ((steps[i] - step_base_place) & 0xff) << (8 + 8 * i);
    return result;
}

static void kernel_steps(void) {
    STEP("nop\n nop\n nop");
    check("kernel-steps", kernel_trail(3), TRAIL(3, 1, 2, 3, 0, 0));
    check("kernel-steps-count", step_count, 6);
    check("step-status", debug_status & 0x400f, 0x4000);
    STEP("lea step_from(%%rip), %%rsi\n lea step_to(%%rip), %%rdi\n mov $3, %%ecx\n rep movsb");
    check("step-repeated", kernel_trail(6), TRAIL(6, 7, 14, 19, 19, 19) | 21ull << 48);
}

static bool note_handler_flags(struct frame *frame) {
    last.cr2 = read_flags();
    (void)frame;
    return true;
}

static void step_into_interrupt(void) {
    hooks[VECTOR_SPARE] = note_handler_flags;
    STEP("int $0x33\n nop");
    hooks[VECTOR_SPARE] = NULL;
    check("step-off-in-handler", last.cr2 & TF, 0);
    check("step-over-interrupt", kernel_trail(1), TRAIL(1, 3, 0, 0, 0, 0));
}

static void step_stack_segment(void) {
    STEP("mov %%ss, %%ecx\n mov %%ecx, %%ss\n nop\n nop");
    check("step-after-mov-ss", kernel_trail(3), TRAIL(3, 2, 5, 6, 0, 0));
}

static void user_steps(void) {
    start(user_at(user_step));
    run_user(user_step, 0, TF);
    check("user-steps", trail(), TRAIL(2, 1, 2, 0, 0, 0));
    check("user-steps-saved-flag", last.frame.rflags & TF, TF);
    start(user_at(user_step_popf));
    run_user(user_step_popf, 0, 0);
    /* PUSHF 1, OR 8, POPF 1: the first trap comes after the instruction behind POPF. */
    check("user-popf-steps", trail(), TRAIL(2, 11, 12, 0, 0, 0));
    start(user_at(user_step_syscall));
    run_user(user_step_syscall, 0, TF);
    /* Both look at TF when they are done: SYSCALL masks it, so nothing is seen of the kernel; SYSRET sets it. */
    check("user-syscall-steps", trail(), TRAIL(3, 2, 3, 4, 0, 0));
}

static u64 watched;

static void breakpoints(void) {
    start(0);
    u64 place;
    __asm__ volatile("lea 1f(%%rip), %0\n mov %0, %%dr0\n mov $0x401, %%eax\n mov %%rax, %%dr7\n nop\n 1: nop\n nop\n"
                     "xor %%eax, %%eax\n mov %%rax, %%dr7"
                     : "=&r"(place)::"rax", "memory", "cc");
    check("instruction-breakpoint", step_count == 1 && steps[0] == place, 1);
    check("instruction-breakpoint-status", debug_status & 0x400f, 1);
    start(0);
    write_dr0((u64)&watched);
    __asm__ volatile("mov $0xd0401, %%eax\n mov %%rax, %%dr7\n mov watched_pointer(%%rip), %%rcx\n"
                     "mov (%%rcx), %%rdx\n lea 1f(%%rip), %0\n movq $5, (%%rcx)\n 1: nop\n xor %%eax, %%eax\n mov %%rax, %%dr7"
                     : "=&r"(place)::"rax", "rcx", "rdx", "memory", "cc");
    check("write-breakpoint", step_count == 1 && steps[0] == place, 1);
    check("write-breakpoint-status", debug_status & 0x400f, 1);
    write_dr7(0x400);
}

u64 *watched_pointer = &watched;

void test_stepping(void) {
    kernel_steps();
    step_into_interrupt();
    step_stack_segment();
    user_steps();
    hooks[DB] = NULL;
}

void test_breakpoints(void) {
    breakpoints();
    hooks[DB] = NULL;
}
