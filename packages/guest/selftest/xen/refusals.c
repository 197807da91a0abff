/* refusals.c: what Xen must not do for a domain, because the domain would be its master: the codes it answers. */
#include "xen_selftest.h"

#define PAGE 2
#define TOO_FAR 0xfffffff000ull /* a machine frame beyond all memory */

static u64 own_entry(int page) { return (machine_frame(level1) << PAGE_SHIFT) + 8 * (u64)page; }

static void entries(void) {
    u64 before = level1[PAGE];
    check("table-mapped-writable", (u64)map_at(page_address(PAGE), entry(level1, WRITABLE | USER)), wanted_error(EBUSY));
    check("root-mapped-writable", (u64)update(own_entry(PAGE), entry((void *)info->pt_base, WRITABLE)), wanted_error(EBUSY));
    check("frame-beyond-memory", (u64)map_at(page_address(PAGE), TOO_FAR << PAGE_SHIFT | PRESENT), wanted_error(EPERM));
    check("large-page", (u64)update((machine_frame(level2) << PAGE_SHIFT) + 8, entry(frames[PAGE], WRITABLE | LARGE)),
          wanted_error(EINVAL));
    check("data-as-table", (u64)update((machine_frame(level2) << PAGE_SHIFT) + 8, entry(frames[PAGE], WRITABLE | USER)),
          wanted_error(EINVAL));
    check("update-of-xen's-slot", (u64)update((machine_frame((void *)info->pt_base) << PAGE_SHIFT) + 8 * 256, 0),
          wanted_error(EINVAL));
    check("address-of-xen's", (u64)map_at(MACHINE_TO_PHYSICAL, before), wanted_error(EINVAL));
    check("refused-entry-stays", level1[PAGE] & ~(ACCESSED | DIRTY), before & ~(ACCESSED | DIRTY));
    check("table-mapped-read-only", (u64)map_at(page_address(PAGE), entry(level1, USER)), 0);
    check("table-can-be-read", *(volatile u64 *)(page_address(PAGE) + 8 * SHARED_PAGE), level1[SHARED_PAGE]);
    map_page(PAGE, before);
}

static void writes(void) {
    TRY("movq $0, (%[p])", [p] "S"(&level2[1]));
    check("write-to-level-2", last.frame.vector << 8 | last.frame.error, PF << 8 | 3);
    TRY("mov (%[p]), %%rax", [p] "S"(MACHINE_TO_PHYSICAL));
    check("machine-to-physical-is-readable", last.count, 0);
    TRY("mov %%rax, (%[p])", [p] "S"(MACHINE_TO_PHYSICAL));
    check("machine-to-physical-is-read-only", last.frame.vector, PF);
}

static void operations(void) {
    check("root-that-is-data", (u64)operate(MMUEXT_NEW_BASEPTR, machine_frame(frames[PAGE])), wanted_error(EINVAL));
    check("pin-data", (u64)operate(MMUEXT_PIN_L1_TABLE + 1, machine_frame(frames[PAGE])), wanted_error(EINVAL));
    check("unpin-unpinned", (u64)operate(MMUEXT_UNPIN_TABLE, machine_frame(frames[PAGE])), wanted_error(EINVAL));
    check("unknown-operation", (u64)operate(99, 0), wanted_error(ENOSYS));
    check("unknown-hypercall", (u64)hypercall2(63, 0, 0), wanted_error(ENOSYS));
}

void test_refusals(void) {
    entries();
    writes();
    operations();
}
