/*
 * tables.c: page tables as Xen wants them: nobody maps one writable, each entry is checked.
 *
 * A frame becomes a table when it is made read-only in the direct map and pinned, which makes Xen look
 * at all its entries; from then on entries are written by hypercall. That costs, so tables that are
 * empty again stay what they are, in a pool for each level.
 *
 * A program must not see the kernel, which runs at its privilege level. So there are two level-4
 * tables: the one that the rest of the kernel knows, and its partner without a kernel half, which Xen
 * uses in user mode. They share everything below.
 */
#include "paravirt.h"

#define ADDRESS_MASK 0x000ffffffffff000ull

/* Bits of an entry that the kernel decides about; Xen adds others, which must not be written back. */
#define ENTRY_OWN (ENTRY_PRESENT | ENTRY_WRITABLE | ENTRY_USER | 0x60 | 0xe00 | ENTRY_NO_EXECUTE)

struct table {
    frame partner; /* of level 4 */
    frame next;    /* in the pool */
};
static struct table *tables; /* by frame */
_Static_assert(sizeof(struct table) == TABLE_STATE, "boot_tables.c leaves room for it");

/* So many empty tables of a level are kept. */
#define POOL_MAX 16

static struct {
    frame first;
    u32 count;
} pools[5];

u64 machine_entry(frame target, u64 flags) { return frame_entry(target, flags); }

frame machine_entry_frame(u64 entry) {
    return (frame)((const u64 *)MACHINE_TO_PHYSICAL)[(entry & ADDRESS_MASK) >> PAGE_SHIFT];
}

static u64 machine_address(const void *slot) {
    return physical_to_machine[pointer_frame(slot)] << PAGE_SHIFT | (u64)slot % PAGE_SIZE;
}

/* What the direct map says about a frame; it is Xen's own business when other processors would see it. */
static void map_direct(frame f, u64 flags) {
    u64 *slot = (u64 *)frame_pointer(kernel_tables.direct_level1) + f;
    batch_update(machine_address(slot), frame_entry(f, ENTRY_PRESENT | ENTRY_NO_EXECUTE | flags));
}

static void pin(frame f, int level) {
    map_direct(f, 0);
    batch_operation(MMUEXT_PIN_L1_TABLE + (u32)level - 1, physical_to_machine[f]);
}

/* Makes a frame memory again, and gives it back. */
static void unpin(frame f) {
    batch_operation(MMUEXT_UNPIN_TABLE, physical_to_machine[f]);
    map_direct(f, ENTRY_WRITABLE);
    machine_flush_page((u64)frame_pointer(f));
    machine_commit();
    if (frame_put(f)) panic("table %x still counts entries", f);
}

frame machine_take_table(int level) {
    frame f = pools[level].first, partner = 0;
    if (f) {
        pools[level].first = tables[f].next;
        pools[level].count--;
        return f;
    }
    f = frame_take_zero();
    if (!f) return 0;
    if (level == 4) {
        partner = frame_take_zero();
        if (!partner) {
            frame_put(f);
            return 0;
        }
        u64 *to = frame_pointer(f), *from = frame_pointer(kernel_tables.root);
        to[DIRECT_SLOT] = from[DIRECT_SLOT] & (ADDRESS_MASK | ENTRY_OWN);
        to[KERNEL_SLOT] = from[KERNEL_SLOT] & (ADDRESS_MASK | ENTRY_OWN);
        pin(partner, 4);
    }
    tables[f].partner = partner;
    pin(f, level);
    return f;
}

void machine_give_table(frame f, int level) {
    if (pools[level].count < POOL_MAX) {
        tables[f].next = pools[level].first;
        pools[level].first = f;
        pools[level].count++;
        return;
    }
    frame partner = tables[f].partner;
    tables[f].partner = 0;
    if (partner) unpin(partner);
    unpin(f);
}

void machine_write_entry(u64 *slot, u64 entry) {
    frame partner = tables[pointer_frame(slot)].partner;
    entry &= ADDRESS_MASK | ENTRY_OWN;
    batch_update(machine_address(slot), entry);
    if (partner) batch_update(physical_to_machine[partner] << PAGE_SHIFT | (u64)slot % PAGE_SIZE, entry);
}

/* To leave a space may wait for whatever comes next: the kernel's own half is the same everywhere. */
void machine_load_tables(frame root) {
    batch_operation(MMUEXT_NEW_BASEPTR, physical_to_machine[root ? root : kernel_tables.root]);
    batch_operation(MMUEXT_NEW_USER_BASEPTR, root ? physical_to_machine[tables[root].partner] : 0);
    if (root) machine_commit();
}

/* The slot of a kernel address at level 1, with tables made on the way; NULL when memory is out. */
static u64 *kernel_slot(u64 address) {
    frame table = kernel_tables.root;
    for (int level = 4;; level--) {
        u64 *slot = (u64 *)frame_pointer(table) + (address >> (PAGE_SHIFT + 9 * (level - 1)) & 511);
        if (level == 1) return slot;
        if (!(*slot & ENTRY_PRESENT)) {
            frame next = machine_take_table(level - 1);
            if (!next) return NULL;
            machine_write_entry(slot, machine_entry(next, ENTRY_PRESENT | ENTRY_WRITABLE));
            machine_commit();
        }
        table = machine_entry_frame(*slot);
    }
}

void tables_init(void) {
    tables = frame_pointer(kernel_tables.states);
    memzero(tables, start_info->nr_pages * sizeof *tables);
}

/* A page that is not the kernel's, by its machine address. */
volatile void *map_machine(u64 address) {
    static u64 next = DEVICE_MAP;
    u64 at = next, *slot = kernel_slot(at);
    if (!slot) panic("no memory for the kernel's page tables");
    next += PAGE_SIZE;
    machine_write_entry(slot, (address & ADDRESS_MASK) | ENTRY_PRESENT | ENTRY_WRITABLE | ENTRY_NO_EXECUTE);
    machine_commit();
    return (volatile void *)(at + address % PAGE_SIZE);
}

#define STACK_SPACING (4 * PAGE_SIZE) /* the lower half stays unmapped: a stack that overflows hits it */

u64 machine_stack_top(int slot) { return KERNEL_STACKS + (u64)(slot + 1) * STACK_SPACING; }

bool machine_map_stack(int slot, frame low, frame high) {
    u64 top = machine_stack_top(slot);
    u64 *low_slot = kernel_slot(top - 2 * PAGE_SIZE), *high_slot = kernel_slot(top - PAGE_SIZE);
    if (!low_slot || !high_slot) return false;
    u64 flags = ENTRY_PRESENT | ENTRY_WRITABLE | ENTRY_NO_EXECUTE;
    machine_write_entry(low_slot, machine_entry(low, flags));
    machine_write_entry(high_slot, machine_entry(high, flags));
    machine_commit();
    return true;
}
