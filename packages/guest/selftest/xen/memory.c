/* memory.c: the pages that tests map, read and break. */
#include "xen_selftest.h"

u64 level1[512] __attribute__((aligned(PAGE_SIZE)));
u64 level2[512] __attribute__((aligned(PAGE_SIZE)));
u64 level3[512] __attribute__((aligned(PAGE_SIZE)));
u8 frames[TEST_PAGES][PAGE_SIZE] __attribute__((aligned(PAGE_SIZE)));
static u64 user_root[512] __attribute__((aligned(PAGE_SIZE)));
static u8 user_stack[PAGE_SIZE] __attribute__((aligned(PAGE_SIZE)));

u64 machine_frame(const void *symbol) {
    return ((const u64 *)info->mfn_list)[((u64)symbol - KERNEL_BASE) / PAGE_SIZE];
}

u64 entry(const void *symbol, u64 flags) { return machine_frame(symbol) << PAGE_SHIFT | flags | PRESENT; }

i64 map_at(u64 address, u64 value) {
    return hypercall3(HYPERVISOR_update_va_mapping, address, value, UVMF_INVLPG);
}

i64 update(u64 machine_address, u64 value) {
    struct mmu_update one = {machine_address, value};
    return hypercall4(HYPERVISOR_mmu_update, (u64)&one, 1, 0, DOMID_SELF);
}

i64 operate(u32 command, u64 argument) {
    struct mmuext_op op = {command, argument, 0};
    return hypercall4(HYPERVISOR_mmuext_op, (u64)&op, 1, 0, DOMID_SELF);
}

void map_page(int page, u64 value) { must("update_va_mapping", map_at(page_address(page), value)); }

void memory_init(void) {
    static u64 *const tables[] = {level1, level2, level3, user_root};
    for (int i = 0; i < TEST_PAGES; i++) level1[i] = entry(frames[i], WRITABLE | USER);
    level1[USER_CODE_PAGE] = entry(user_text, USER);
    level1[USER_STACK_PAGE] = entry(user_stack, WRITABLE | USER);
    level1[SHARED_PAGE] = info->shared_info | PRESENT | WRITABLE;
    level2[0] = entry(level1, WRITABLE | USER);
    level3[0] = entry(level2, WRITABLE | USER);
    user_root[1] = entry(level3, WRITABLE | USER);
    for (usize i = 0; i < ARRAY_LENGTH(tables); i++) must("read-only-table", map_at((u64)tables[i], entry(tables[i], 0)));
    must("pin", operate(MMUEXT_PIN_L1_TABLE + 3, machine_frame(user_root)));
    must("root-entry", update((machine_frame((void *)info->pt_base) << PAGE_SHIFT) + 8, entry(level3, WRITABLE | USER)));
    must("user-root", operate(MMUEXT_NEW_USER_BASEPTR, machine_frame(user_root)));
}
