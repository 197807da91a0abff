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
#define USER_SLOTS 256

/* Bits of an entry that the kernel decides about; Xen adds others, which must not be written back. */
#define ENTRY_OWN (ENTRY_PRESENT | ENTRY_WRITABLE | ENTRY_USER | 0x60 | 0xe00 | ENTRY_NO_EXECUTE)

/* What a frame is: 0, or the level of a table, whether it is sealed, and the partner of level 4. */
#define STATE_LEVEL 7u
#define STATE_SEALED 8u
#define STATE_PARTNER_SHIFT 4
static u32 *states;

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

static void seal_one(frame table, int level) {
    map_direct(table, 0);
    states[table] |= STATE_SEALED;
    /* A table is checked when its parent is pinned; one by one only where batching is off. */
    if (level == 4 || batch_off) batch_operation(MMUEXT_PIN_L1_TABLE + (u32)level - 1, physical_to_machine[table]);
}

static void unseal_one(frame table, int level) {
    if (level == 4 || batch_off) batch_operation(MMUEXT_UNPIN_TABLE, physical_to_machine[table]);
    map_direct(table, ENTRY_WRITABLE);
    machine_flush_page((u64)frame_pointer(table));
    states[table] &= ~STATE_SEALED;
}

static u32 level_of(frame table) { return states[table] & STATE_LEVEL; }
static frame partner_of(frame table) { return states[table] >> STATE_PARTNER_SHIFT; }

/* Calls `visit` for each table below that is not yet (or no longer) what is wanted. */
static void for_tables(frame table, int level, bool sealed, void (*visit)(frame table, int level)) {
    const u64 *entries = frame_pointer(table);
    for (int i = 0; i < (level == 4 ? USER_SLOTS : 512) && level > 1; i++) {
        if (!(entries[i] & ENTRY_PRESENT)) continue;
        frame below = machine_entry_frame(entries[i]);
        if (!(states[below] & STATE_SEALED) == !sealed) visit(below, level - 1);
    }
}

/* Lowest tables first: a table can be pinned when everything below is read-only. */
static void seal(frame table, int level) {
    for_tables(table, level, false, seal);
    if (level == 4) map_direct(partner_of(table), 0);
    seal_one(table, level);
    if (level == 4) batch_operation(MMUEXT_PIN_L1_TABLE + 3, physical_to_machine[partner_of(table)]);
}

static void unseal(frame table, int level) {
    if (level == 4) {
        frame partner = partner_of(table);
        batch_operation(MMUEXT_UNPIN_TABLE, physical_to_machine[partner]);
        map_direct(partner, ENTRY_WRITABLE);
        machine_flush_page((u64)frame_pointer(partner));
    }
    unseal_one(table, level);
    for_tables(table, level, true, unseal);
}

bool machine_open_table(frame table, int level) {
    frame partner = 0;
    if (level == 4) {
        partner = frame_take_zero();
        if (!partner) return false;
        u64 *to = frame_pointer(table), *from = frame_pointer(kernel_tables.root);
        to[DIRECT_SLOT] = from[DIRECT_SLOT] & (ADDRESS_MASK | ENTRY_OWN);
        to[KERNEL_SLOT] = from[KERNEL_SLOT] & (ADDRESS_MASK | ENTRY_OWN);
    }
    states[table] = (u32)level | partner << STATE_PARTNER_SHIFT;
    if (batch_off) seal(table, level);
    return true;
}

void machine_close_table(frame table, int level) {
    frame partner = partner_of(table);
    if (states[table] & STATE_SEALED) unseal(table, level);
    states[table] = 0;
    machine_commit();
    if (partner) frame_put(partner);
}

void machine_retire_tables(frame root) {
    if (!batch_off && states[root] & STATE_SEALED) unseal(root, 4);
    machine_commit();
}

void machine_write_entry(u64 *slot, u64 entry) {
    frame table = pointer_frame(slot), partner = partner_of(table);
    entry &= ADDRESS_MASK | ENTRY_OWN;
    u64 *twin = partner ? (u64 *)frame_pointer(partner) + (u64)slot % PAGE_SIZE / sizeof *slot : NULL;
    if (!(states[table] & STATE_SEALED)) {
        *(volatile u64 *)slot = entry;
        if (twin) *(volatile u64 *)twin = entry;
        return;
    }
    if (level_of(table) > 1 && entry & ENTRY_PRESENT) {
        frame below = machine_entry_frame(entry);
        if (!(states[below] & STATE_SEALED)) seal(below, (int)level_of(table) - 1);
    }
    batch_update(machine_address(slot), entry);
    if (twin) batch_update(machine_address(twin), entry);
}

void machine_load_tables(frame root) {
    if (root && !(states[root] & STATE_SEALED)) seal(root, 4);
    batch_operation(MMUEXT_NEW_BASEPTR, physical_to_machine[root ? root : kernel_tables.root]);
    batch_operation(MMUEXT_NEW_USER_BASEPTR, root ? physical_to_machine[partner_of(root)] : 0);
    machine_commit();
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
    states = frame_pointer(kernel_tables.states);
    memzero(states, start_info->nr_pages * sizeof *states);
    for (int level = 4; level > 1; level--) {
        /* Stacks and devices hang below these: the way from the root to KERNEL_BASE. */
        frame table = kernel_tables.root;
        for (int at = 4; at > level; at--)
            table = machine_entry_frame(((u64 *)frame_pointer(table))[KERNEL_BASE >> (PAGE_SHIFT + 9 * (at - 1)) & 511]);
        states[table] = (u32)level | STATE_SEALED;
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
