/*
 * fault.c: gives a page to the program that touched it.
 *
 * Anonymous memory starts as the one zero page, read-only; a write gets a page of its own. A private
 * page of a file starts as the file's page, read-only; a write gets a copy. A page with one user
 * needs no copy.
 */
#include "defs.h"

static frame zero_page;

void fault_init(void) {
    zero_page = frame_take_zero();
    if (!zero_page) panic("no memory for the zero page");
}

static u64 flags_of(const struct area *area, bool writable) {
    return (writable ? ENTRY_WRITABLE : 0) |
           (area->protection & PROT_EXEC ? 0 : ENTRY_NO_EXECUTE);
}

/* Replaces what the entry maps by a page that only this space has. */
static i64 copy_page(u64 *slot, u64 address, const struct area *area) {
    frame old = machine_entry_frame(*slot), page = old;
    if (frame_users(old) > 1) {
        page = old == zero_page ? frame_take_zero() : frame_take();
        if (!page) return -ENOMEM;
        if (old != zero_page) memcpy(frame_pointer(page), frame_pointer(old), PAGE_SIZE);
    }
    machine_write_entry(slot, machine_entry(page, ENTRY_PRESENT | ENTRY_USER | flags_of(area, true)));
    machine_flush_page(address);
    machine_commit();
    if (page != old) frame_put(old);
    return 0;
}

static i64 file_page(struct space *space, const struct area *area, u64 address, bool write) {
    u64 offset = area->offset + (address - area->start);
    if (offset >= area->inode->size) return -EIO;
    frame page = inode_page(area->inode, offset / PAGE_SIZE, true);
    if (!page) return -ENOMEM;
    bool shared = area->flags & AREA_SHARED;
    if (!write || shared) {
        frame_get(page);
        i64 error = space_set(space, address, page, flags_of(area, shared && area->protection & PROT_WRITE));
        if (error) frame_put(page);
        return error;
    }
    frame copy = frame_take();
    if (!copy) return -ENOMEM;
    memcpy(frame_pointer(copy), frame_pointer(page), PAGE_SIZE);
    i64 error = space_set(space, address, copy, flags_of(area, true));
    if (error) frame_put(copy);
    return error;
}

static i64 anonymous_page(struct space *space, const struct area *area, u64 address, bool write) {
    frame page = zero_page;
    if (write) page = frame_take_zero();
    else frame_get(zero_page);
    if (!page) return -ENOMEM;
    i64 error = space_set(space, address, page, flags_of(area, write));
    if (error) frame_put(page);
    return error;
}

/* The area of an address; a stack grows down to it when it may. */
static struct area *area_for(struct space *space, u64 address) {
    struct area *area = space->areas, *below = NULL;
    while (area && area->end <= address) {
        below = area;
        area = area->next;
    }
    if (!area) return NULL;
    if (area->start <= address) return area;
    if (!(area->flags & AREA_STACK)) return NULL;
    u64 start = address & ~(u64)(PAGE_SIZE - 1);
    if (area->end - start > STACK_LIMIT) return NULL;
    if (below && below->end + 256 * PAGE_SIZE > start) return NULL; /* Linux's stack guard gap */
    area->start = start;
    return area;
}

/*
 * Makes one access possible: PROT_READ, PROT_WRITE or PROT_EXEC at an address.
 * 0, or -EFAULT (nothing there), -EACCES (not allowed), -EIO (behind the end of the file), -ENOMEM.
 */
i64 space_fault(struct space *space, u64 address, u32 access) {
    if (address >= USER_TOP) return -EFAULT;
    struct area *area = area_for(space, address);
    if (!area) return -EFAULT;
    /* x86 cannot write or execute without reading. */
    u32 allowed = area->protection;
    if (allowed & (PROT_WRITE | PROT_EXEC)) allowed |= PROT_READ;
    if (!(allowed & access)) return -EACCES;

    address &= ~(u64)(PAGE_SIZE - 1);
    bool write = access & PROT_WRITE;
    u64 *slot = space_slot(space, address);
    if (!slot || !*slot) {
        if (area->inode) return file_page(space, area, address, write);
        return anonymous_page(space, area, address, write);
    }
    if (write && !(*slot & ENTRY_WRITABLE) && !(area->flags & AREA_SHARED))
        return copy_page(slot, address, area);
    /* What is left: mprotect allowed more than the entry does, or the processor's TLB is behind. */
    bool writable = *slot & ENTRY_WRITABLE || (area->flags & AREA_SHARED && area->protection & PROT_WRITE);
    machine_write_entry(slot, machine_entry(machine_entry_frame(*slot),
                                            ENTRY_PRESENT | ENTRY_USER | flags_of(area, writable)));
    machine_flush_page(address);
    machine_commit();
    return 0;
}

/* Kills the process that holds the most memory. True when that is not the current one. */
bool kill_for_memory(void) {
    struct process *victim = NULL;
    for (int slot = 0; slot < process_slots; slot++) {
        struct process *p = process_table[slot];
        if (!p || p == init_process || !p->space || p->state == STATE_ZOMBIE) continue;
        if (p->killed && p->space->resident == 0) continue;
        if (!victim || p->space->resident > victim->space->resident) victim = p;
    }
    if (!victim) return false;
    log("out of memory: killing process %d (%s), %l pages\n", victim->pid, victim->name,
        victim->space->resident);
    for (int slot = 0; slot < process_slots; slot++) {
        struct process *p = process_table[slot];
        if (p && p->space == victim->space) signal_send(p, SIGKILL, NULL);
    }
    if (victim->space == current->space) return false;
    space_empty(victim->space);
    return true;
}

/* As space_fault for the current process, with memory made free when it is out. */
i64 fault_in(u64 address, u32 access) {
    for (;;) {
        i64 error = space_fault(current->space, address, access);
        if (error != -ENOMEM) return error;
        if (current->killed || !kill_for_memory()) return -ENOMEM;
    }
}

/* Writes into another space (exec builds the new one before it leaves the old). */
i64 space_write(struct space *space, u64 address, const void *from, usize count) {
    const u8 *bytes = from;
    while (count) {
        i64 error = space_fault(space, address, PROT_WRITE);
        if (error) return error;
        usize offset = address % PAGE_SIZE, part = MIN(count, PAGE_SIZE - offset);
        u8 *page = frame_pointer(machine_entry_frame(*space_slot(space, address)));
        memcpy(page + offset, bytes, part);
        address += part;
        bytes += part;
        count -= part;
    }
    return 0;
}
