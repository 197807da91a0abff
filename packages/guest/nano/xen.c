/*
 * xen.c: the same on Xen's paravirtual interface: tables by hypercall, handlers by trap table.
 */
#include "nano.h"
#include "paravirt.h"

extern char stray_stubs[];

static const struct xen_start_info *info;

static u64 level3[512] __attribute__((aligned(PAGE_SIZE)));
static u64 level2[512] __attribute__((aligned(PAGE_SIZE)));
static u64 level1[512] __attribute__((aligned(PAGE_SIZE)));
static u64 user_root[512] __attribute__((aligned(PAGE_SIZE)));
static u8 user_stack[PAGE_SIZE] __attribute__((aligned(PAGE_SIZE)));
static u64 live_page[512] __attribute__((aligned(PAGE_SIZE)));
static u8 kernel_stack[PAGE_SIZE] __attribute__((aligned(16)));

void machine_print(const char *text, usize count) {
    (void)hypercall3(HYPERVISOR_console_io, CONSOLEIO_write, count, (u64)text);
}

_Noreturn void machine_stop(u32 value) { machine_power_off(value); }

static void must(const char *what, i64 result) {
    if (result < 0) fail("refused: ", what);
}

static u64 machine_frame(const void *symbol) {
    return ((const u64 *)info->mfn_list)[((u64)symbol - KERNEL_BASE) / PAGE_SIZE];
}

static u64 entry(const void *symbol, u64 flags) { return machine_frame(symbol) << PAGE_SHIFT | flags | PRESENT; }

static void make_read_only(const void *table) {
    must("update_va_mapping", hypercall3(HYPERVISOR_update_va_mapping, (u64)table, entry(table, 0), UVMF_INVLPG));
}

static void operation(u32 command, u64 argument) {
    struct mmuext_op op = {command, argument, 0};
    must("mmuext_op", hypercall4(HYPERVISOR_mmuext_op, (u64)&op, 1, 0, DOMID_SELF));
}

static void update(u64 address, u64 value) {
    struct mmu_update one = {address, value};
    must("mmu_update", hypercall4(HYPERVISOR_mmu_update, (u64)&one, 1, 0, DOMID_SELF));
}

static void map_pages(void) {
    level1[0] = entry(user_page, USER);
    level1[1] = entry(user_stack, WRITABLE | USER);
    level1[2] = entry(live_page, WRITABLE);
    level2[0] = entry(level1, WRITABLE | USER);
    level3[0] = entry(level2, WRITABLE | USER);
    user_root[1] = entry(level3, WRITABLE | USER);
    make_read_only(level1);
    make_read_only(level2);
    make_read_only(level3);
    make_read_only(user_root);
    operation(MMUEXT_PIN_L1_TABLE + 3, machine_frame(user_root));
    update((machine_frame((void *)info->pt_base) << PAGE_SHIFT) + 8, entry(level3, WRITABLE | USER));
    operation(MMUEXT_NEW_USER_BASEPTR, machine_frame(user_root));
}

static void set_traps(void) {
    static struct trap_info traps[21];
    u16 cs;
    usize count = 0;
    __asm__("mov %%cs, %0" : "=r"(cs));
    for (u8 vector = 0; vector < 20; vector++) {
        if (vector == 3) continue;
        const void *at = vector == 0 ? (void *)handle_divzero : vector == 14 ? (void *)handle_pgfault : stray_stubs + 16 * vector;
        traps[count++] = (struct trap_info){vector, 0, cs, (u64)at};
    }
    traps[count++] = (struct trap_info){3, TRAP_DPL3, cs, (u64)handle_user_done};
    must("set_trap_table", hypercall2(HYPERVISOR_set_trap_table, (u64)traps, 0));
    struct callback_register callback = {CALLBACKTYPE_syscall, 0, (u64)handle_syscall};
    must("callback_op", hypercall2(HYPERVISOR_callback_op, CALLBACKOP_register, (u64)&callback));
    must("stack_switch", hypercall2(HYPERVISOR_stack_switch, FLAT_KERNEL_SS, (u64)kernel_stack + sizeof kernel_stack));
}

void machine_prepare(void) {
    map_pages();
    set_traps();
}

static u64 page_faults(u64 n) { return loop_pgfault(n, MISSING_PAGE); }

static volatile u64 *live(void) { return (volatile u64 *)LIVE_PAGE; }

/* What it adds up to is what it is on a machine of one's own: loop_ptemod of native.S. */
static u64 total(u64 n) { return (level1[2] >> 9 & 1) + *live() + n; }

/* A hypercall for each entry. */
static u64 entry_updates(u64 n) {
    struct mmu_update one = {(machine_frame(level1) << PAGE_SHIFT) + 16, 0};
    *live() += 1;
    one.val = entry(live_page, WRITABLE | (level1[2] & 0x200));
    for (u64 i = 0; i < n; i++) {
        one.val ^= 0x200;
        must("mmu_update", hypercall4(HYPERVISOR_mmu_update, (u64)&one, 1, 0, DOMID_SELF));
    }
    *live() += 1;
    return total(n);
}

/* A hypercall for each list of entries. */
static u64 entry_lists(u64 n) {
    static struct mmu_update list[1024];
    u64 address = (machine_frame(level1) << PAGE_SHIFT) + 16;
    *live() += 1;
    u64 value = entry(live_page, WRITABLE | (level1[2] & 0x200));
    for (u64 done = 0; done < n;) {
        u64 count = MIN(n - done, ARRAY_LENGTH(list));
        for (u64 i = 0; i < count; i++) list[i] = (struct mmu_update){address, value ^= 0x200};
        must("mmu_update", hypercall4(HYPERVISOR_mmu_update, (u64)list, count, 0, DOMID_SELF));
        done += count;
    }
    *live() += 1;
    return total(n);
}

const struct benchmark benchmarks[] = {
    {"syscall", 0, 0},
    {"in", 0, "a paravirtual kernel has no ports of its own"},
    {"cr8wr", 0, "a paravirtual kernel has no task priority: it masks events in shared memory"},
    {"call-ret", loop_call_ret, 0},
    {"pgfault", page_faults, 0},
    {"divzero", loop_divzero, 0},
    {"ptemod", entry_updates, 0},
    {"ptemod-batched", entry_lists, 0},
    {0, 0, 0},
};

_Noreturn void kernel_start(const struct xen_start_info *start) {
    info = start;
    nano_main(info->cmd_line);
}
