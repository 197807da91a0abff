/*
 * paging.c: what entries permit, in the kernel and in programs. Both run at ring 3: bit 2 of an error code is Xen's
 * word for which of the two it was, and CR2 is in the shared page.
 */
#include "xen_selftest.h"

#define PAGE 1

enum { READ, WRITE, FETCH, ACCESSES };

static const char *const access_names[] = {"read", "write", "fetch"};

/* Whether an access to the page faults is what the entry says; the error code adds who and what. */
static const struct {
    const char *name;
    u64 flags;
    bool allowed[ACCESSES];
} kinds[] = {
    {"missing", 0, {false, false, false}},
    {"read-only", PRESENT | USER, {true, false, true}},
    {"data", PRESENT | USER | WRITABLE | NO_EXECUTE, {true, true, false}},
    {"constant", PRESENT | USER | NO_EXECUTE, {true, false, false}},
    {"open", PRESENT | USER | WRITABLE, {true, true, true}},
};

static const char *joined(const char *a, const char *b, const char *c) {
    static char name[64];
    const char *const parts[] = {a, "-", b, "-", c};
    usize length = 0;
    for (usize i = 0; i < ARRAY_LENGTH(parts); i++)
        for (const char *from = parts[i]; *from && length < sizeof name - 1; from++) name[length++] = *from;
    name[length] = 0;
    return name;
}

static void by_kernel(int access) {
    u64 at = page_address(PAGE);
    if (access == READ) TRY("mov (%[p]), %%al", [p] "S"(at));
    if (access == WRITE) TRY("movb $0xc3, (%[p])", [p] "S"(at));
    if (access == FETCH) TRY("call *%[p]", [p] "S"(at));
}

static void by_user(int access) {
    run_user(access == READ ? user_read : access == WRITE ? user_write : user_fetch, page_address(PAGE));
}

/* Error code and, above it, whether CR2 is right; all ones without a page fault. */
static u64 outcome(void) {
    if (last.frame.vector != PF) return ~0ull;
    return last.frame.error | (last.cr2 == page_address(PAGE) ? 1ull << 32 : 0);
}

static void permissions(void) {
    for (usize kind = 0; kind < ARRAY_LENGTH(kinds); kind++) {
        u64 flags = kinds[kind].flags;
        frames[PAGE][0] = 0xc3; /* ret */
        map_page(PAGE, flags ? entry(frames[PAGE], flags) : 0);
        for (int access = READ; access < ACCESSES; access++) {
            u64 error = (flags & PRESENT) | (access == WRITE ? 2 : access == FETCH ? 16 : 0) | 1ull << 32;
            bool allowed = kinds[kind].allowed[access];
            by_kernel(access);
            check(joined("kernel", access_names[access], kinds[kind].name), outcome(), allowed ? ~0ull : error);
            by_user(access);
            check(joined("user", access_names[access], kinds[kind].name), outcome(), allowed ? ~0ull : error | 4);
        }
    }
}

/* The processor writes there, too. */
static u64 used(void) { return *(volatile u64 *)&level1[PAGE] & (ACCESSED | DIRTY); }

static void flags_and_updates(void) {
    u64 at = (machine_frame(level1) << PAGE_SHIFT) + 8 * PAGE, open = entry(frames[PAGE], WRITABLE | USER);
    volatile u8 *page = (volatile u8 *)page_address(PAGE);
    map_page(PAGE, open);
    check("entry-starts-clean", used(), 0);
    (void)*page;
    check("read-sets-accessed", used(), ACCESSED);
    *page = 1;
    check("write-sets-dirty", used(), ACCESSED | DIRTY);
    frames[PAGE + 1][0] = 0x77;
    check("mmu-update", (u64)update(at, entry(frames[PAGE + 1], USER)), 0);
    must("invlpg", operate(MMUEXT_INVLPG_LOCAL, (u64)page));
    check("mmu-update-is-seen", *page, 0x77);
    run_user(user_write, page_address(PAGE));
    check("mmu-update-protects", outcome(), 1ull << 32 | 7);
    must("vm_assist", hypercall2(HYPERVISOR_vm_assist, VMASST_CMD_enable, VMASST_TYPE_writable_pagetables));
    *(volatile u64 *)&level1[PAGE] = open; /* Xen makes it in the kernel's place */
    must("invlpg", operate(MMUEXT_INVLPG_LOCAL, (u64)page));
    check("written-entry-is-seen", *page, 1);
}

void test_paging(void) {
    permissions();
    flags_and_updates();
}
