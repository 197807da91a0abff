/*
 * tables.c: page tables as the processor wants them.
 *
 * The kernel half (level-4 slots 272 and 511) is built once and copied into every level-4 table; all
 * its tables exist before the first copy, except those of kernel stacks, which hang below slot 511.
 */
#include "native.h"

#define LARGE 0x80ull
#define GLOBAL 0x100ull
#define UNCACHED 0x10ull
#define ADDRESS_MASK 0x000ffffffffff000ull
#define LARGE_SIZE (2ull << 20)

extern char image_start[], text_end[], rodata_end[], image_end[];

static frame kernel_root;

u64 machine_entry(frame target, u64 flags) { return (u64)target << PAGE_SHIFT | flags; }
frame machine_entry_frame(u64 entry) { return (frame)((entry & ADDRESS_MASK) >> PAGE_SHIFT); }

frame machine_take_table(int level) {
    frame table = frame_take_zero();
    if (!table || level < 4) return table;
    u64 *to = frame_pointer(table), *from = frame_pointer(kernel_root);
    to[DIRECT_SLOT] = from[DIRECT_SLOT];
    to[KERNEL_SLOT] = from[KERNEL_SLOT];
    return table;
}

void machine_give_table(frame table, int level) {
    if (frame_put(table)) panic("a level-%d table still counts entries", level);
}

void machine_write_entry(u64 *slot, u64 entry) { *(volatile u64 *)slot = entry; }
void machine_commit(void) {}
void machine_flush_page(u64 address) { invalidate_page(address); }
void machine_flush_all(void) { write_cr3(read_cr3()); }

void machine_load_tables(frame root) { write_cr3((u64)(root ? root : kernel_root) << PAGE_SHIFT); }

/* The slot of a kernel address at `level`, with tables made on the way; NULL when memory is out. */
static u64 *kernel_slot(u64 address, int level) {
    frame table = kernel_root;
    for (int at = 4;; at--) {
        u64 *slot = (u64 *)frame_pointer(table) + (address >> (PAGE_SHIFT + 9 * (at - 1)) & 511);
        if (at == level) return slot;
        if (!*slot) {
            frame next = frame_take_zero();
            if (!next) return NULL;
            *slot = machine_entry(next, ENTRY_PRESENT | ENTRY_WRITABLE);
        }
        table = machine_entry_frame(*slot);
    }
}

static void map_kernel(u64 address, u64 physical, u64 flags, int level) {
    u64 *slot = kernel_slot(address, level);
    if (!slot) panic("no memory for the kernel's page tables");
    *slot = physical | flags | ENTRY_PRESENT | GLOBAL;
}

static void map_image(u64 from, u64 to, u64 flags) {
    for (u64 at = from; at < to; at += PAGE_SIZE) map_kernel(at, at - KERNEL_BASE, flags, 1);
}

void tables_init(const struct boot_info *info) {
    kernel_root = frame_take_zero();
    if (!kernel_root) panic("no memory for the kernel's page tables");
    for (u64 at = 0; at < info->top; at += LARGE_SIZE)
        map_kernel(DIRECT_MAP + at, at, ENTRY_WRITABLE | ENTRY_NO_EXECUTE | LARGE, 2);
    map_image((u64)image_start, (u64)text_end, 0);
    map_image((u64)text_end, (u64)rodata_end, ENTRY_NO_EXECUTE);
    map_image((u64)rodata_end, (u64)image_end, ENTRY_WRITABLE | ENTRY_NO_EXECUTE);
    write_msr(MSR_EFER, read_msr(MSR_EFER) | EFER_NXE);
    write_cr0((read_cr0() | CR0_WP | CR0_MP | CR0_NE) & ~(u64)(CR0_EM | CR0_TS | CR0_AM));
    machine_load_tables(0);
    write_cr4(read_cr4() | CR4_PGE | CR4_OSFXSR | CR4_OSXMMEXCPT);
}

/* Registers of a device, uncached. */
volatile void *map_device(u64 physical) {
    static u64 next = DEVICE_MAP;
    u64 at = next;
    next += PAGE_SIZE;
    map_kernel(at, physical, ENTRY_WRITABLE | ENTRY_NO_EXECUTE | UNCACHED, 1);
    return (volatile void *)at;
}

#define STACK_SPACING (4 * PAGE_SIZE) /* the lower half stays unmapped: a stack that overflows hits it */

u64 machine_stack_top(int slot) { return KERNEL_STACKS + (u64)(slot + 1) * STACK_SPACING; }

bool machine_map_stack(int slot, frame low, frame high) {
    u64 top = machine_stack_top(slot);
    u64 *low_slot = kernel_slot(top - 2 * PAGE_SIZE, 1), *high_slot = kernel_slot(top - PAGE_SIZE, 1);
    if (!low_slot || !high_slot) return false;
    u64 flags = ENTRY_PRESENT | ENTRY_WRITABLE | ENTRY_NO_EXECUTE | GLOBAL;
    *low_slot = machine_entry(low, flags);
    *high_slot = machine_entry(high, flags);
    return true;
}
