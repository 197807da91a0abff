/*
 * nmi.c: NMIs come whatever IF says, one at a time: the next waits for IRET (Intel SDM Vol. 3A §6.7,
 * "Nonmaskable Interrupt (NMI)").
 */
#include "selftest.h"

static u64 order;
static u32 nmis;

static bool count_nmi(struct frame *frame) {
    (void)frame;
    nmis++;
    order = order << 4 | 1;
    return true;
}

/* During a fault: the NMI comes in the handler of the page fault, and its IRET goes back there. */
static bool fault(struct frame *frame) {
    order = order << 4 | 2;
    send_nmi();
    order = order << 4 | 3;
    check("nmi-in-fault-keeps-cr2", read_cr2(), page_address(0));
    frame->rip += 2;
    return true;
}

/* In the handler of an NMI: a second one waits, a fault inside is handled, its IRET lets the second in. */
static bool nmi_with_nmi(struct frame *frame) {
    nmis++;
    order = order << 4 | 1;
    if (nmis > 1) return true;
    send_nmi();
    order = order << 4 | 4;
    (void)frame;
    return true;
}

static bool skip_ud(struct frame *frame) {
    frame->rip += 2;
    return true;
}

static bool nmi_with_fault(struct frame *frame) {
    (void)frame;
    nmis++;
    order = order << 4 | 1;
    if (nmis > 1) return true;
    send_nmi();
    order = order << 4 | 4;
    __asm__ volatile("ud2"); /* its IRET ends the blocking */
    order = order << 4 | 5;
    return true;
}

void test_nmi(void) {
    order = nmis = 0;
    hooks[NMI] = count_nmi;
    interrupts_off();
    send_nmi();
    check("nmi-despite-cli", nmis, 1);

    order = nmis = 0;
    hooks[PF] = fault;
    map_page(0, 0);
    __asm__ volatile("mov (%%rsi), %%al" ::"S"(page_address(0)) : "rax", "memory"); /* 2 bytes */
    check("nmi-in-fault", order, 0x213);
    hooks[PF] = NULL;

    order = nmis = 0;
    hooks[NMI] = nmi_with_nmi;
    send_nmi();
    check("nmi-in-nmi-waits", order, 0x141);

    order = nmis = 0;
    hooks[NMI] = nmi_with_fault;
    hooks[UD] = skip_ud;
    send_nmi();
    check("iret-of-fault-unblocks", order, 0x1415);
    hooks[UD] = hooks[NMI] = NULL;
}
