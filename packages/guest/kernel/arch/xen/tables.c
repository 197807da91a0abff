/*
 * tables.c: page tables as Xen wants them: nobody maps one writable, each entry is checked.
 *
 * Tables that no address space has been loaded with are plain memory. When one is loaded for the
 * first time, or hung below one that was, its tables are sealed: made read-only in the direct map,
 * and pinned. From then on entries are written by hypercall. A space that ends is unsealed first.
 *
 * A program must not see the kernel, which runs at its privilege level. So there are two level-4
 * tables: the one that the rest of the kernel knows, and its partner without a kernel half, which Xen
 * uses in user mode. They share everything below.
 */
#include "paravirt.h"

#define ADDRESS_MASK 0x000ffffffffff000ull

/* Bits of an entry that the kernel decides about; Xen adds others, which must not be written back. */
#define ENTRY_OWN (ENTRY_PRESENT | ENTRY_WRITABLE | ENTRY_USER | 0x60 | 0xe00 | ENTRY_NO_EXECUTE)

/* What is known of a frame that is a table. Its tables below are a list, so that nobody scans entries. */
struct table {
    u8 level; /* 0: no table */
    bool sealed;
    frame partner;      /* of level 4 */
    frame first, next;  /* table below; next one below the same table */
};
static struct table *tables; /* by frame */
_Static_assert(sizeof(struct table) == TABLE_STATE, "boot_tables.c leaves room for it");

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

static void seal_one(frame f, int level) {
    map_direct(f, 0);
    tables[f].sealed = true;
    /* A table is checked when its root is pinned; one by one only where batching is off. */
    if (level == 4 || batch_off) batch_operation(MMUEXT_PIN_L1_TABLE + (u32)level - 1, physical_to_machine[f]);
}

static void unseal_one(frame f, int level) {
    if (level == 4 || batch_off) batch_operation(MMUEXT_UNPIN_TABLE, physical_to_machine[f]);
    map_direct(f, ENTRY_WRITABLE);
    machine_flush_page((u64)frame_pointer(f));
    tables[f].sealed = false;
}

/* Lowest tables first: a table can be pinned when everything below is read-only. */
static void seal(frame f) {
    for (frame below = tables[f].first; below; below = tables[below].next)
        if (!tables[below].sealed) seal(below);
    frame partner = tables[f].partner;
    seal_one(f, tables[f].level);
    if (partner) seal_one(partner, 4);
}

static void unseal(frame f) {
    frame partner = tables[f].partner;
    if (partner) unseal_one(partner, 4);
    unseal_one(f, tables[f].level);
    for (frame below = tables[f].first; below; below = tables[below].next)
        if (tables[below].sealed) unseal(below);
}

bool machine_open_table(frame f, int level) {
    frame partner = 0;
    if (level == 4) {
        partner = frame_take_zero();
        if (!partner) return false;
        u64 *to = frame_pointer(f), *from = frame_pointer(kernel_tables.root);
        to[DIRECT_SLOT] = from[DIRECT_SLOT] & (ADDRESS_MASK | ENTRY_OWN);
        to[KERNEL_SLOT] = from[KERNEL_SLOT] & (ADDRESS_MASK | ENTRY_OWN);
    }
    tables[f] = (struct table){.level = (u8)level, .partner = partner};
    if (batch_off) seal(f);
    return true;
}

void machine_close_table(frame f, int level) {
    (void)level;
    frame partner = tables[f].partner;
    if (tables[f].sealed) unseal(f);
    tables[f].level = 0;
    machine_commit();
    if (partner) frame_put(partner);
}

void machine_retire_tables(frame root) {
    if (!batch_off && tables[root].sealed) unseal(root);
    machine_commit();
}

/* Keeps the list of tables below in step with an entry that is about to change. */
static void relink(struct table *table, u64 before, u64 after) {
    if (before & ENTRY_PRESENT) {
        frame *link = &table->first, gone = machine_entry_frame(before);
        while (*link != gone) link = &tables[*link].next;
        *link = tables[gone].next;
    }
    if (after & ENTRY_PRESENT) {
        frame below = machine_entry_frame(after);
        tables[below].next = table->first;
        table->first = below;
        if (table->sealed && !tables[below].sealed) seal(below);
    }
}

void machine_write_entry(u64 *slot, u64 entry) {
    struct table *table = &tables[pointer_frame(slot)];
    entry &= ADDRESS_MASK | ENTRY_OWN;
    u64 *twin = table->partner ? (u64 *)frame_pointer(table->partner) + (u64)slot % PAGE_SIZE / sizeof *slot : NULL;
    if (table->level > 1) relink(table, *slot, entry);
    if (!table->sealed) {
        *(volatile u64 *)slot = entry;
        if (twin) *(volatile u64 *)twin = entry;
        return;
    }
    batch_update(machine_address(slot), entry);
    if (twin) batch_update(machine_address(twin), entry);
}

/* To leave a space may wait for whatever comes next: the kernel's own half is the same everywhere. */
void machine_load_tables(frame root) {
    if (root && !tables[root].sealed) seal(root);
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
            frame next = frame_take_zero();
            if (!next || !machine_open_table(next, level - 1)) return NULL;
            machine_write_entry(slot, machine_entry(next, ENTRY_PRESENT | ENTRY_WRITABLE));
            machine_commit();
        }
        table = machine_entry_frame(*slot);
    }
}

void tables_init(void) {
    tables = frame_pointer(kernel_tables.states);
    memzero(tables, start_info->nr_pages * sizeof *tables);
    /* Stacks and devices hang below these: the way from the root to KERNEL_BASE. */
    frame f = kernel_tables.root;
    for (int level = 4; level > 1; level--) {
        tables[f] = (struct table){.level = (u8)level, .sealed = true};
        f = machine_entry_frame(((u64 *)frame_pointer(f))[KERNEL_BASE >> (PAGE_SHIFT + 9 * (level - 1)) & 511]);
    }
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
