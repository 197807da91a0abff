/*
 * tlb.c: when a change of an entry has to be seen (Intel SDM Vol. 3A §4.10.4, "Invalidation of TLBs and
 * Paging-Structure Caches"). What a processor may still remember is not tested.
 */
#include "selftest.h"

extern u64 boot_level4[512];

static u8 read_page(int page) { return *(volatile u8 *)(page_address(page) + 16); }

static void point_at(int page, int frame, u64 flags) { level1[page] = physical(frames[frame]) | PRESENT | flags; }

void test_tlb(void) {
    frames[0][16] = 0xa0, frames[1][16] = 0xa1;
    map_page(0, 0);
    TRY("mov (%[p]), %%al", [p] "S"(page_address(0)));
    check("not-present", last.frame.vector, PF);
    point_at(0, 0, WRITABLE);
    check("present-needs-no-flush", read_page(0), 0xa0);

    point_at(0, 1, WRITABLE);
    invalidate_page(page_address(0) + 0x123);
    check("invlpg", read_page(0), 0xa1);
    point_at(0, 0, WRITABLE);
    write_cr3(read_cr3());
    check("cr3", read_page(0), 0xa0);

    point_at(0, 0, WRITABLE | GLOBAL);
    invalidate_page(page_address(0));
    check("global", read_page(0), 0xa0);
    point_at(0, 1, WRITABLE | GLOBAL);
    invalidate_page(page_address(0));
    check("invlpg-of-global", read_page(0), 0xa1);
    point_at(0, 0, WRITABLE | GLOBAL);
    write_cr4(read_cr4() & ~(u64)CR4_PGE);
    write_cr4(read_cr4() | CR4_PGE);
    check("pge-flushes-global", read_page(0), 0xa0);

    /* INVLPG also forgets directories on the way: another level-1 table under the same address. */
    static u64 other[512] __attribute__((aligned(PAGE_SIZE)));
    for (int i = 0; i < 512; i++) other[i] = level1[i];
    other[0] = physical(frames[1]) | PRESENT | WRITABLE;
    level1[0] = physical(frames[0]) | PRESENT | WRITABLE;
    invalidate_page(page_address(0));
    check("first-directory", read_page(0), 0xa0);
    u64 saved = level2[0];
    level2[0] = physical(other) | PRESENT | WRITABLE | USER;
    invalidate_page(page_address(0));
    check("invlpg-forgets-directory", read_page(0), 0xa1);
    level2[0] = saved;
    write_cr3(read_cr3());
    check("cr3-forgets-directory", read_page(0), 0xa0);

    /* Less permission counts after the flush. */
    point_at(0, 0, WRITABLE);
    invalidate_page(page_address(0));
    TRY("movb $1, (%[p])", [p] "S"(page_address(0)));
    point_at(0, 0, 0);
    invalidate_page(page_address(0));
    TRY("movb $1, (%[p])", [p] "S"(page_address(0)));
    check_event("write-after-protection", PF, 3, 0);
    map_page(0, 0);
    TRY("mov (%[p]), %%al", [p] "S"(page_address(0)));
    check_event("read-after-removal", PF, 0, 0);

    /* A faulting access flushes its address itself. */
    point_at(0, 0, 0);
    TRY("movb $1, (%[p])", [p] "S"(page_address(0)));
    check_event("write-before-permission", PF, 3, 0);
    point_at(0, 0, WRITABLE);
    TRY("movb $1, (%[p])", [p] "S"(page_address(0)));
    check("write-after-permission", last.count, 0);

    /* Two names of one frame. */
    point_at(1, 0, WRITABLE);
    invalidate_page(page_address(1));
    *(volatile u8 *)(page_address(1) + 16) = 0x5c;
    check("alias", read_page(0), 0x5c);

    /* A table of its own, entered and left. */
    static u64 root[512] __attribute__((aligned(PAGE_SIZE)));
    for (int i = 0; i < 512; i++) root[i] = boot_level4[i];
    root[1] = 0;
    u64 own = read_cr3();
    write_cr3(physical(root));
    TRY("mov (%[p]), %%al", [p] "S"(page_address(0)));
    check_event("other-root", PF, 0, 0);
    write_cr3(own);
    check("own-root", read_page(0), 0x5c);
}
