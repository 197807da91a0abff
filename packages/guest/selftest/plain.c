/*
 * plain.c: exceptions that need nothing but an instruction, so that a kernel sees them alike on a processor of its own
 * and on a hypervisor's interface (Intel SDM Vol. 3A §6.15, "Exception and Interrupt Reference").
 */
#include "report.h"

#define NON_CANONICAL 0x0000900000000000ull

static void divide(void) {
    TRY("xor %%eax, %%eax\n xor %%edx, %%edx\n 87: div %%eax");
    check_event("divide-by-zero", DE, 0, 4);
    TRY("mov $1, %%ecx\n mov $2, %%edx\n div %%ecx");
    check_event("divide-overflow", DE, 0, 10);
    TRY("mov $0x80000000, %%eax\n cltd\n mov $-1, %%ecx\n idiv %%ecx");
    check_event("signed-divide-overflow", DE, 0, 11);
}

static void traps(void) {
    TRY("int3");
    check_event("int3", BP, 0, 1);
    TRY(".byte 0xcd, 0x03"); /* the assembler would make it int3 */
    check_event("int-3", BP, 0, 2);
    TRY("int $4");
    check_event("int-4", OF, 0, 2);
}

static void undefined(void) {
    TRY("ud2");
    check_event("ud2", UD, 0, 0);
    TRY(".byte 0x06"); /* push %es */
    check_event("invalid-in-64-bit", UD, 0, 0);
    TRY(".byte 0xf0, 0x90"); /* lock nop */
    check_event("lock-without-memory", UD, 0, 0);
    TRY("nop\n nop\n .byte 0x0f, 0xff, 0xc0");
    check_event("ud0", UD, 0, 2);
}

static void floating_point(void) {
    u16 control = 0x37b; /* division by zero is not masked */
    TRY("fninit\n fldcw (%[c])\n fld1\n fldz\n fdivrp\n 87: fwait", [c] "S"(&control));
    check_event("x87-divide-by-zero", MF, 0, 10);
    __asm__ volatile("fnclex\n fninit");
    u32 mxcsr = 0x1d80; /* division by zero is not masked */
    u32 usual = 0x1f80;
    TRY("ldmxcsr (%[m])\n mov $0x3f800000, %%eax\n movd %%eax, %%xmm0\n xorps %%xmm1, %%xmm1\n divss %%xmm1, %%xmm0", [m] "S"(&mxcsr));
    check_event("sse-divide-by-zero", XM, 0, 15);
    __asm__ volatile("ldmxcsr %0" ::"m"(usual));
}

void test_plain_exceptions(u8 *aligned) {
    divide();
    traps();
    undefined();
    floating_point();
    u8 *odd = aligned + 1;
    TRY("movaps (%[p]), %%xmm0", [p] "S"(odd));
    check_event("unaligned-movaps", GP, 0, 0);
    TRY("mov (%[p]), %%al", [p] "S"(NON_CANONICAL));
    check_event("non-canonical-read", GP, 0, 0);
}
