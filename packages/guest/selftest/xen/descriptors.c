/* descriptors.c: a GDT of the domain's own, which no one but Xen writes. */
#include "xen_selftest.h"

#define SLOT 2
#define SELECTOR (SLOT << 3 | 3)
#define READABLE_DATA 0x00cff2000000ffffull   /* 4 GiB, DPL 3 */
#define TSS_DESCRIPTOR 0x0000890000000067ull

static u64 gdt[512] __attribute__((aligned(PAGE_SIZE)));

static i64 set_gdt(u64 entries) {
    u64 frame = machine_frame(gdt);
    return hypercall2(HYPERVISOR_set_gdt, (u64)&frame, entries);
}

static u64 set(u64 descriptor) {
    return (u64)hypercall2(HYPERVISOR_update_descriptor, (machine_frame(gdt) << PAGE_SHIFT) + 8 * SLOT, descriptor);
}

void test_descriptors(void) {
    u64 limit = 0;
    check("writable-gdt", (u64)set_gdt(16), wanted_error(EINVAL));
    check("gdt-too-long", (u64)set_gdt(8192), wanted_error(EINVAL));
    must("gdt-read-only", map_at((u64)gdt, entry(gdt, 0)));
    check("set-gdt", (u64)set_gdt(16), 0);
    TRY("mov %[s], %%ds", [s] "S"(SELECTOR));
    check_event("empty-descriptor", GP, SELECTOR & ~7, 0);
    check("update-descriptor", set(READABLE_DATA), 0);
    check("descriptor-is-written", gdt[SLOT] & ~(1ull << 40), READABLE_DATA);
    TRY("mov %[s], %%ds\n xor %%eax, %%eax\n mov %%eax, %%ds", [s] "S"(SELECTOR));
    check("descriptor-loads", last.count, 0);
    __asm__ volatile("lsl %1, %0" : "+r"(limit) : "r"((u64)SELECTOR));
    check("descriptor-limit", limit, 0xffffffff);
    check("descriptor-of-a-tss", set(TSS_DESCRIPTOR), wanted_error(EINVAL));
    check("refused-descriptor-stays", gdt[SLOT] & ~(1ull << 40), READABLE_DATA);
    check("gdt-mapped-writable", (u64)map_at(page_address(3), entry(gdt, WRITABLE)), wanted_error(EBUSY));
    TRY("mov %%rax, (%[p])", [p] "S"(&gdt[SLOT]));
    check("write-to-gdt", last.frame.vector << 8 | last.frame.error, PF << 8 | 3);
    check("descriptor-elsewhere",
          (u64)hypercall2(HYPERVISOR_update_descriptor, 0xfffffff000ull << PAGE_SHIFT, READABLE_DATA), wanted_error(EINVAL));
    must("set_gdt", set_gdt(0));
}
