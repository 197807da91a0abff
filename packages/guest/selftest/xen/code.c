/* code.c: code that is overwritten, and a page mapped elsewhere under running code. */
#include "xen_selftest.h"

#define PAGE 5

typedef u64 (*function)(u64 address, u64 entry);

/* mov $value, %eax; ret */
static void write_constant(volatile u8 *at, u8 value) {
    const u8 code[] = {0xb8, value, 0, 0, 0, 0xc3};
    for (usize i = 0; i < sizeof code; i++) at[i] = code[i];
}

/* Maps RSI at RDI by update_va_mapping, then goes on on whatever page is there: it adds `value` to the result. */
static void write_remapping(volatile u8 *at, u8 value) {
    const u8 code[] = {
        0xb8, HYPERVISOR_update_va_mapping, 0, 0, 0, /* mov $14, %eax */
        0xba, UVMF_INVLPG, 0, 0, 0,                  /* mov $2, %edx */
        0x0f, 0x05,                                  /* syscall */
        0x83, 0xc0, value,                           /* add $value, %eax */
        0xc3,                                        /* ret */
    };
    for (usize i = 0; i < sizeof code; i++) at[i] = code[i];
}

static u64 call(u64 address, u64 value) {
    u64 result;
    __asm__ volatile("call *%1" : "=a"(result) : "r"((function)page_address(PAGE)), "D"(address), "S"(value)
                     : "rcx", "rdx", "r8", "r9", "r10", "r11", "memory", "cc");
    return result;
}

void test_code(void) {
    volatile u8 *page = (volatile u8 *)page_address(PAGE);
    map_page(PAGE, entry(frames[PAGE], WRITABLE | USER));
    write_constant(page, 1);
    check("written-code-runs", call(0, 0), 1);
    write_constant(page, 2);
    check("overwritten-code-runs", call(0, 0), 2);
    write_constant(frames[PAGE], 3);
    check("overwritten-by-another-address", call(0, 0), 3);
    write_constant(frames[PAGE + 1], 4);
    map_page(PAGE, entry(frames[PAGE + 1], USER));
    check("another-page-runs", call(0, 0), 4);
    map_page(PAGE, entry(frames[PAGE], USER));
    check("first-page-runs-again", call(0, 0), 3);
    write_remapping(frames[PAGE], 5);
    write_remapping(frames[PAGE + 1], 6);
    check("remapped-under-running-code", call(page_address(PAGE), entry(frames[PAGE + 1], USER)), 6);
    check("remapped-back", call(page_address(PAGE), entry(frames[PAGE], USER)), 5);
    run_user(user_fetch, page_address(PAGE));
    check("program-makes-no-hypercalls", last.frame.vector, VECTOR_SYSCALL);
}
