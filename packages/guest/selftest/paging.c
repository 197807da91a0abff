/*
 * paging.c: what a page-table entry permits, to whom, and what the processor writes into it (Intel SDM
 * Vol. 3A §4.6, "Access Rights"; §4.7, "Page-Fault Exceptions"; §4.8, "Accessed and Dirty Flags").
 */
#include "selftest.h"

extern u64 boot_level4[512];
u64 level1[512] __attribute__((aligned(PAGE_SIZE)));
u64 level2[512] __attribute__((aligned(PAGE_SIZE)));
u64 level3[512] __attribute__((aligned(PAGE_SIZE)));
u8 frames[TEST_PAGES][PAGE_SIZE] __attribute__((aligned(PAGE_SIZE)));

#define ALLOWED 0xee /* in place of an error code: no fault */

u64 physical(const void *symbol) { return (u64)symbol - KERNEL_BASE; }

void map_page(int page, u64 entry) {
    level1[page] = entry;
    invalidate_page(page_address(page));
}

u64 page_entry(int page) { return level1[page]; }

extern char user_read[], user_write[], user_fetch[];

enum access { READ, WRITE, FETCH };

static u64 try_access(bool user, enum access access, u64 address) {
    if (user) {
        run_user(access == READ ? user_read : access == WRITE ? user_write : user_fetch, address, 0);
    } else if (access == READ) {
        TRY("mov 8(%[p]), %%al", [p] "S"(address));
    } else if (access == WRITE) {
        TRY("movb $0, 8(%[p])", [p] "S"(address));
    } else {
        TRY("call *%[p]", [p] "S"(address));
    }
    u64 vector = last.frame.vector;
    if (vector == ~0ull || vector == VECTOR_USER) return ALLOWED;
    if (vector != PF) return 0xf00 | vector;
    u64 at = access == FETCH ? address : address + 8;
    if (last.cr2 != at) return 0xd00;
    return last.frame.error;
}

static u64 rule(bool user, enum access access, u64 entry, bool protect) {
    u64 error = (user ? 4 : 0) | (access == WRITE ? 2 : 0) | (access == FETCH ? 16 : 0);
    if (!(entry & PRESENT)) return error;
    bool bad = user && !(entry & USER);
    bad |= access == WRITE && !(entry & WRITABLE) && (user || protect);
    bad |= access == FETCH && entry & NO_EXECUTE;
    return bad ? error | 1 : ALLOWED;
}

static u64 combination(int number) {
    return (number & 1 ? PRESENT : 0) | (number & 2 ? WRITABLE : 0) | (number & 4 ? USER : 0) |
           (number & 8 ? NO_EXECUTE : 0);
}

/* One line per kind of access: all 16 entries at level 1, then at level 2 above a generous level 1. */
static void matrix(const char *name, bool user, enum access access, bool protect, u64 *slot) {
    u64 rest = slot == level1 ? physical(frames[0]) : physical(level1);
    u64 generous = physical(frames[0]) | PRESENT | WRITABLE | USER;
    u64 saved = *slot, got = 0, want = 0;
    if (protect) write_cr0(read_cr0() | CR0_WP);
    else write_cr0(read_cr0() & ~(u64)CR0_WP);
    for (int i = 0; i < 16; i++) {
        level1[0] = generous;
        *slot = rest | combination(i);
        write_cr3(read_cr3());
        u64 result = try_access(user, access, page_address(0)), right = rule(user, access, combination(i), protect);
        if (result != right && !got) got = result | (u64)i << 16 | 1ull << 32, want = right | (u64)i << 16 | 1ull << 32;
        *slot = saved;
        write_cr3(read_cr3());
    }
    write_cr0(read_cr0() | CR0_WP);
    check(name, got, want);
}

static void matrices(void) {
    frames[0][0] = 0xc3; /* ret, for fetches */
    static const struct {
        const char *name;
        bool user;
        enum access access;
        bool protect;
    } rows[] = {
        {"kernel-read", false, READ, true},    {"kernel-write", false, WRITE, true},
        {"kernel-fetch", false, FETCH, true},  {"user-read", true, READ, true},
        {"user-write", true, WRITE, true},     {"user-fetch", true, FETCH, true},
        {"kernel-read-wp0", false, READ, false}, {"kernel-write-wp0", false, WRITE, false},
        {"user-write-wp0", true, WRITE, false},
    };
    for (usize i = 0; i < ARRAY_LENGTH(rows); i++) matrix(rows[i].name, rows[i].user, rows[i].access, rows[i].protect, level1);
}

/* The same with the restriction in a directory. User code lives below the same one, so the kernel only. */
static void directories(void) {
    matrix("kernel-read-level2", false, READ, true, level2);
    matrix("kernel-write-level2", false, WRITE, true, level2);
    matrix("kernel-fetch-level2", false, FETCH, true, level2);
    matrix("kernel-write-level2-wp0", false, WRITE, false, level2);
}

static void reserved_bits(void) {
    map_page(0, physical(frames[0]) | PRESENT | WRITABLE | 1ull << 51);
    check("reserved-bit-read", try_access(false, READ, page_address(0)), 9);
    check("reserved-bit-write", try_access(false, WRITE, page_address(0)), 11);
    level1[0] = 0;
    u64 saved = level3[0];
    level3[0] |= LARGE; /* a 1 GiB page with reserved bits below 30, or no such pages at all */
    write_cr3(read_cr3());
    check("reserved-size-bit", try_access(false, READ, page_address(0)), 9);
    level3[0] = saved;
    write_cr3(read_cr3());
}

static void accessed_and_dirty(void) {
    u64 leaf = physical(frames[0]) | PRESENT | WRITABLE;
    level2[0] &= ~ACCESSED, level3[0] &= ~ACCESSED;
    map_page(0, leaf);
    write_cr3(read_cr3());
    check("read-for-accessed", try_access(false, READ, page_address(0)), ALLOWED);
    check("read-sets-accessed", level1[0] & (ACCESSED | DIRTY), ACCESSED);
    check("read-sets-accessed-level2", level2[0] & ACCESSED, ACCESSED);
    check("read-sets-accessed-level3", level3[0] & ACCESSED, ACCESSED);
    check("write-for-dirty", try_access(false, WRITE, page_address(0)), ALLOWED);
    check("write-sets-dirty", level1[0] & (ACCESSED | DIRTY), ACCESSED | DIRTY);
    check("write-leaves-directories-clean", (level2[0] | level3[0]) & DIRTY, 0);
    map_page(0, leaf);
    check("first-write", try_access(false, WRITE, page_address(0)), ALLOWED);
    check("first-write-sets-both", level1[0] & (ACCESSED | DIRTY), ACCESSED | DIRTY);
    map_page(0, physical(frames[0]) | PRESENT);
    check("forbidden-write", try_access(false, WRITE, page_address(0)), 3);
    check("forbidden-write-leaves-dirty", level1[0] & DIRTY, 0);
    map_page(0, physical(frames[0]) | PRESENT | NO_EXECUTE);
    check("forbidden-fetch", try_access(false, FETCH, page_address(0)), 17);
    map_page(0, leaf);
    __asm__ volatile("lock incb (%0)" ::"r"(page_address(0) + 9) : "memory");
    check("read-modify-write-sets-dirty", level1[0] & DIRTY, DIRTY);
    map_page(0, leaf);
    __asm__ volatile("mov $1, %%eax\n lock cmpxchgb %%al, (%0)" ::"r"(page_address(0) + 8) : "rax", "memory");
    check("failed-compare-exchange-sets-dirty", level1[0] & DIRTY, DIRTY);
    map_page(0, leaf);
    run_user(user_read, page_address(0), 0);
    check("forbidden-user-read", last.frame.error, 5);
}

/* 2 MiB: permissions and A/D live in the directory's entry. */
static void large_pages(void) {
    u64 window = PAGES + (2ull << 20);
    level2[1] = 0x200000 | PRESENT | LARGE;
    check("large-page-read", try_access(false, READ, window), ALLOWED);
    check("large-page-accessed", level2[1] & (ACCESSED | DIRTY), ACCESSED);
    check("large-page-write", try_access(false, WRITE, window + 0x1234), 3);
    level2[1] |= NO_EXECUTE;
    write_cr3(read_cr3());
    check("large-page-fetch", try_access(false, FETCH, window), 17);
    level2[1] = 0;
    write_cr3(read_cr3());
}

/* An access that crosses into a page that is not there: the first byte there is what CR2 says. */
static void crossings(void) {
    map_page(0, physical(frames[0]) | PRESENT | WRITABLE);
    map_page(1, 0);
    TRY("mov %%rax, (%[p])", [p] "S"(page_address(1) - 3));
    check("crossing-write-address", last.cr2, page_address(1));
    check("crossing-write-error", last.frame.error, 2);
    frames[0][PAGE_SIZE - 1] = 0x90;
    TRY("call *%[p]", [p] "S"(page_address(1) - 1));
    check("crossing-fetch-rip", last.frame.rip, page_address(1));
    frames[0][PAGE_SIZE - 2] = 0x48, frames[0][PAGE_SIZE - 1] = 0xb8; /* movabs, whose immediate is beyond */
    TRY("call *%[p]", [p] "S"(page_address(1) - 2));
    check("crossing-instruction-rip", last.frame.rip, page_address(1) - 2);
    check("crossing-instruction-address", last.cr2, page_address(1));
    check("crossing-instruction-error", last.frame.error, 16);
}

void test_paging(void) {
    matrices();
    directories();
    reserved_bits();
    accessed_and_dirty();
    large_pages();
    crossings();
}
