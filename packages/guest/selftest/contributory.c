/*
 * contributory.c: an exception while another is delivered (Intel SDM Vol. 3A §6.15, "Interrupt 8—Double
 * Fault Exception"): two contributory ones, or one after a page fault, make a double fault; others are
 * delivered one after the other.
 */
#include "selftest.h"

void test_contributory(void) {
    map_page(0, 0);
    set_gate_present(PF, false);
    TRY("mov (%[p]), %%al", [p] "S"(page_address(0)));
    check_event("page-fault-then-not-present", DOUBLE, 0, 0);
    set_gate_present(PF, true);

    set_gate_present(GP, false);
    TRY("mov (%[p]), %%al", [p] "S"(0x800000000000));
    check_event("protection-then-not-present", DOUBLE, 0, 0);
    set_gate_present(DE, false);
    TRY("xor %%ecx, %%ecx\n div %%ecx");
    check_event("divide-then-not-present", DOUBLE, 0, 2);
    set_gate_present(DE, true);
    set_gate_present(GP, true);

    set_gate_present(UD, false); /* benign: the second is delivered alone; it is external to the program */
    TRY("ud2");
    check_event("undefined-then-not-present", NP, UD * 8 + 3, 0);
    set_gate_present(UD, true);

    /* The handler's stack is not there: a page fault while a benign exception is delivered. */
    set_gate(UD, stubs + 16 * UD, 0, 3);
    u32 low = tss[13], high = tss[14];
    u64 hole = page_address(1);
    tss[13] = (u32)hole;
    tss[14] = (u32)(hole >> 32);
    map_page(0, 0);
    TRY("ud2");
    check_event("undefined-then-page-fault", PF, 2, 0);
    check("undefined-then-page-fault-address", last.cr2, hole - 8);
    set_gate(PF, stubs + 16 * PF, 0, 3);
    TRY("mov (%[p]), %%al", [p] "S"(page_address(2)));
    check_event("page-fault-then-page-fault", DOUBLE, 0, 0);
    set_gate(PF, stubs + 16 * PF, 0, 0);
    tss[13] = 0;
    tss[14] = 0x8000; /* not canonical */
    TRY("ud2");
    check_event("undefined-then-stack-fault", SS, 1, 0); /* external to the program, as above */
    tss[13] = low;
    tss[14] = high;
    set_gate(UD, stubs + 16 * UD, 0, 0);
}
