/* registers.c: control registers, MSRs and SWAPGS: what is written is what is read, or a fault. */
#include "selftest.h"

void test_registers(void) {
    u64 cr0 = read_cr0(), cr4 = read_cr4();
    check("cr0-bits", cr0 & 0x80010021, 0x80010021); /* PG WP NE PE */
    write_cr0(cr0 | CR0_TS);
    check("cr0-ts", read_cr0() & CR0_TS, CR0_TS);
    write_cr0(cr0);
    check("cr0-again", read_cr0(), cr0);
    check("cr4-again", read_cr4(), cr4);
    __asm__ volatile("mov %0, %%cr2" ::"r"(0x123456789abcull));
    check("cr2", read_cr2(), 0x123456789abc);
    TRY("mov %[v], %%cr8", [v] "S"(16ull));
    check_event("cr8-reserved", GP, 0, 0);
    TRY(".byte 0x0f, 0x20, 0xc8"); /* mov %cr1, %rax */
    check_event("cr1", UD, 0, 0);

    write_msr(MSR_KERNEL_GS_BASE, 0x1111);
    write_msr(MSR_GS_BASE, 0xffffffff80002222);
    __asm__ volatile("swapgs");
    check("swapgs", read_msr(MSR_GS_BASE), 0x1111);
    check("swapgs-other", read_msr(MSR_KERNEL_GS_BASE), 0xffffffff80002222);
    __asm__ volatile("swapgs");
    check("swapgs-back", read_msr(MSR_GS_BASE), 0xffffffff80002222);
    TRY("mov $0xc0000101, %%ecx\n xor %%eax, %%eax\n mov $0x8000, %%edx\n wrmsr");
    check_event("gs-base-not-canonical", GP, 0, 12);
    TRY("mov $0xc0000080, %%ecx\n rdmsr\n and $~0x100, %%eax\n wrmsr"); /* EFER.LME while paging is on */
    check_event("efer-lme-off", GP, 0, 12);
    check("efer", read_msr(MSR_EFER) & 0xd01, 0xd01); /* NXE LMA LME SCE */
    write_msr(MSR_LSTAR, read_msr(MSR_LSTAR));
    u64 first = read_tsc(), second = read_tsc();
    check("tsc-goes-on", second >= first, 1);
    u32 a, b, c, d;
    cpuid(1, &a, &b, &c, &d);
    check("cpuid-apic", d >> 9 & 1, 1);
    check("cpuid-fxsr-sse-sse2", d >> 24 & 7, 7);
}

/* A group of its own, because QEMU's translator takes these and is then lost. */
void test_refusals(void) {
    u64 cr0 = read_cr0(), cr4 = read_cr4();
    TRY("mov %[v], %%cr4", [v] "S"(cr4 | 1ull << 15));
    check_event("cr4-reserved", GP, 0, 0);
    TRY("mov %[v], %%cr4", [v] "S"(cr4 & ~0x20ull));
    check_event("cr4-pae-off", GP, 0, 0);
    TRY("mov %[v], %%cr0", [v] "S"(cr0 & ~1ull));
    check_event("cr0-pg-without-pe", GP, 0, 0);
    TRY("mov %[v], %%cr0", [v] "S"((cr0 | 1ull << 29) & ~(1ull << 30)));
    check_event("cr0-nw-without-cd", GP, 0, 0);
    TRY("mov %[v], %%cr0", [v] "S"(cr0 | 1ull << 32));
    check_event("cr0-upper-half", GP, 0, 0);
    TRY("mov %[v], %%cr0", [v] "S"(cr0 & ~(1ull << 31)));
    check_event("cr0-paging-off-in-64-bit", GP, 0, 0);
}
