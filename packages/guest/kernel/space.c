/*
 * space.c: address spaces, their areas and their page tables.
 *
 * Pages arrive by faults (fault.c). A page-table frame counts its present entries in its frame
 * count (1 + entries), so tables disappear as soon as they are empty and nobody ever scans them.
 */
#include "defs.h"

static int index_of(u64 address, int level) {
    return (int)(address >> (PAGE_SHIFT + 9 * (level - 1)) & 511);
}

static u64 span_of(int level) { return 1ull << (PAGE_SHIFT + 9 * (level - 1)); }

/* The slots on the way to `address`, from level 4 down to 1; returns the lowest level reached. */
static int walk(const struct space *space, u64 address, u64 *slots[5]) {
    frame table = space->root;
    for (int level = 4;; level--) {
        slots[level] = (u64 *)frame_pointer(table) + index_of(address, level);
        if (level == 1 || !(*slots[level] & ENTRY_PRESENT)) return level;
        table = machine_entry_frame(*slots[level]);
    }
}

/* The level-1 slot of `address`, or NULL when no table holds one. */
u64 *space_slot(const struct space *space, u64 address) {
    u64 *slots[5];
    return walk(space, address, slots) == 1 ? slots[1] : NULL;
}

/* Takes away tables that were made on the way to a page that then never came: slots[level] lies in
 * the lowest of them. */
static void prune(u64 *slots[5], int level) {
    machine_commit();
    for (; level < 4 && frame_users(pointer_frame(slots[level])) == 1; level++) {
        machine_write_entry(slots[level + 1], 0);
        machine_flush_all();
        machine_commit();
        machine_give_table(pointer_frame(slots[level]), level);
        frame_put(pointer_frame(slots[level + 1]));
    }
}

/* The same, with tables made as needed; NULL when memory is out. The caller commits. */
static u64 *make_slot(struct space *space, u64 address) {
    u64 *slots[5];
    for (int level = walk(space, address, slots); level > 1; level--) {
        frame table = machine_take_table(level - 1);
        if (!table) {
            prune(slots, level);
            return NULL;
        }
        machine_write_entry(slots[level],
                            machine_entry(table, ENTRY_PRESENT | ENTRY_WRITABLE | ENTRY_USER));
        frame_get(pointer_frame(slots[level]));
        slots[level - 1] = (u64 *)frame_pointer(table) + index_of(address, level - 1);
    }
    return slots[1];
}

/* Writes a leaf entry, with the count of its table. Takes over the caller's count of the frame. */
i64 space_set(struct space *space, u64 address, frame page, u64 flags) {
    u64 *slot = make_slot(space, address);
    if (!slot) return -ENOMEM;
    if (*slot) panic("page %p is mapped twice", address);
    machine_write_entry(slot, machine_entry(page, flags | ENTRY_PRESENT | ENTRY_USER));
    machine_commit();
    frame_get(pointer_frame(slot));
    space->resident++;
    return 0;
}

/* Frames whose entries are gone, but which the processor may still know. */
struct gathered {
    struct {
        frame frame;
        u8 level; /* 0: a page; else a table */
    } frames[64 + 3]; /* three tables may go with the last page */
    usize count;
    u64 addresses[16];
    usize address_count; /* more than fit: flush everything */
};

static void gather(struct gathered *gathered, frame f, int level) {
    gathered->frames[gathered->count].frame = f;
    gathered->frames[gathered->count++].level = (u8)level;
}

static void flush(const struct space *space, struct gathered *gathered) {
    if (current && current->space == space && gathered->address_count) {
        if (gathered->address_count > ARRAY_LENGTH(gathered->addresses)) machine_flush_all();
        else
            for (usize i = 0; i < gathered->address_count; i++)
                machine_flush_page(gathered->addresses[i]);
    }
    machine_commit();
    for (usize i = 0; i < gathered->count; i++) {
        if (gathered->frames[i].level) machine_give_table(gathered->frames[i].frame, gathered->frames[i].level);
        else frame_put(gathered->frames[i].frame);
    }
    gathered->count = gathered->address_count = 0;
}

static void note_address(struct gathered *gathered, u64 address) {
    if (gathered->address_count < ARRAY_LENGTH(gathered->addresses))
        gathered->addresses[gathered->address_count] = address;
    gathered->address_count++;
}

/* A level-1 entry has gone. True when its table went with it. */
static bool drop_entry(u64 *slots[5], struct gathered *gathered) {
    for (int level = 1; level < 4; level++) {
        frame table = pointer_frame(slots[level]);
        if (frame_put(table) > 1) return level > 1;
        machine_write_entry(slots[level + 1], 0);
        gather(gathered, table, level);
        gathered->address_count = ARRAY_LENGTH(gathered->addresses) + 1;
    }
    frame_put(pointer_frame(slots[4]));
    return true;
}

/*
 * Removes what is mapped from `start` to `end`; the caller flushes. Areas are the caller's. Until then
 * entries may still read as they were, but no page is met twice: addresses only go up.
 */
static void remove_pages(struct space *space, u64 start, u64 end, struct gathered *gathered) {
    for (u64 at = start; at < end;) {
        u64 *slots[5];
        int level = walk(space, at, slots);
        if (level > 1) {
            at = (at & ~(span_of(level) - 1)) + span_of(level);
            continue;
        }
        bool table_gone = false;
        int left = 512 - index_of(at, 1);
        for (; left && at < end && !table_gone; left--, at += PAGE_SIZE, slots[1]++) {
            if (!*slots[1]) continue;
            gather(gathered, machine_entry_frame(*slots[1]), 0);
            note_address(gathered, at);
            machine_write_entry(slots[1], 0);
            space->resident--;
            table_gone = drop_entry(slots, gathered);
            if (gathered->count >= 64) flush(space, gathered);
        }
    }
}

static void unmap(struct space *space, u64 start, u64 end) {
    struct gathered gathered = {.count = 0};
    remove_pages(space, start, end, &gathered);
    flush(space, &gathered);
}

struct space *space_new(void) {
    struct space *space = allocate(sizeof *space);
    if (!space) return NULL;
    space->root = machine_take_table(4);
    if (!space->root) {
        release(space);
        return NULL;
    }
    space->users = 1;
    return space;
}

void space_set_executable(struct space *space, struct inode *file) {
    inode_hold(file);
    file->regular.executions++;
    space->executable = file;
}

struct area *space_area(const struct space *space, u64 address) {
    struct area *area = space->areas;
    while (area && area->end <= address) area = area->next;
    return area && area->start <= address ? area : NULL;
}

/* Whether anything is mapped from `start` to `end`. */
static struct area *overlapping(const struct space *space, u64 start, u64 end) {
    struct area *area = space->areas;
    while (area && area->end <= start) area = area->next;
    return area && area->start < end ? area : NULL;
}

/* The highest gap of `length` bytes below the stack, or 0. */
u64 space_find_gap(const struct space *space, u64 length) {
    u64 best = 0, low = MAP_BOTTOM;
    for (struct area *area = space->areas;; area = area->next) {
        u64 high = area ? MIN(area->start, MAP_TOP) : MAP_TOP;
        if (high > low && high - low >= length) best = high - length;
        if (!area || area->end >= MAP_TOP) return best;
        low = MAX(area->end, MAP_BOTTOM);
    }
}

static bool same_kind(const struct area *a, const struct area *b) {
    return a->end == b->start && a->protection == b->protection && a->flags == b->flags &&
           a->inode == b->inode &&
           (!a->inode || a->offset + (a->end - a->start) == b->offset);
}

static void free_area(struct area *area) {
    if (area->inode) inode_release(area->inode);
    release(area);
}

/* Joins neighbours that differ in nothing, so that lists stay short. */
static void merge(struct space *space) {
    for (struct area *area = space->areas; area && area->next;) {
        struct area *next = area->next;
        if (!same_kind(area, next)) {
            area = next;
            continue;
        }
        area->end = next->end;
        area->next = next->next;
        free_area(next);
    }
}

/* Adds an area where nothing is. Takes a count of the inode. */
i64 space_add(struct space *space, u64 start, u64 end, u32 protection, u32 flags,
              struct inode *inode, u64 offset) {
    struct area *area = allocate(sizeof *area);
    if (!area) return -ENOMEM;
    if (inode) inode_hold(inode);
    *area = (struct area){NULL, start, end, protection, flags, inode, offset};
    struct area **link = &space->areas;
    while (*link && (*link)->start < start) link = &(*link)->next;
    area->next = *link;
    *link = area;
    merge(space);
    return 0;
}

/* Makes `at`, if an area holds it inside, a border between two areas. */
static i64 split(struct space *space, u64 at) {
    struct area *area = space_area(space, at);
    if (!area || area->start == at) return 0;
    struct area *upper = allocate(sizeof *upper);
    if (!upper) return -ENOMEM;
    *upper = *area;
    upper->start = at;
    upper->offset += at - area->start;
    if (upper->inode) inode_hold(upper->inode);
    area->end = at;
    area->next = upper;
    return 0;
}

i64 space_remove(struct space *space, u64 start, u64 end) {
    if (!overlapping(space, start, end)) return 0;
    if (split(space, start) || split(space, end)) return -ENOMEM;
    struct area **link = &space->areas;
    while (*link && (*link)->start < start) link = &(*link)->next;
    while (*link && (*link)->end <= end) {
        struct area *area = *link;
        unmap(space, area->start, area->end);
        *link = area->next;
        free_area(area);
    }
    return 0;
}

bool space_free_range(const struct space *space, u64 start, u64 end) {
    return !overlapping(space, start, end);
}

/* Forgets the pages of a range, which then come back fresh: zero, or from their file. */
void space_discard(struct space *space, u64 start, u64 end) {
    unmap(space, start, end);
}

/* Whether areas cover the range without a hole. */
static bool covered(const struct space *space, u64 start, u64 end) {
    for (struct area *area = space_area(space, start); area && area->start <= start;
         area = area->next) {
        start = area->end;
        if (start >= end) return true;
    }
    return false;
}

/* What the entry of a page of this area may allow now: writing only what is not shared by COW. */
static u64 entry_flags(const struct area *area, bool writable) {
    u64 flags = 0;
    if (writable && area->protection & PROT_WRITE) flags |= ENTRY_WRITABLE;
    if (!(area->protection & PROT_EXEC)) flags |= ENTRY_NO_EXECUTE;
    return flags;
}

i64 space_protect(struct space *space, u64 start, u64 end, u32 protection) {
    if (start == end) return 0;
    if (!covered(space, start, end)) return -ENOMEM;
    if (split(space, start) || split(space, end)) return -ENOMEM;
    struct gathered gathered = {.count = 0};
    for (struct area *area = space_area(space, start); area && area->start < end;
         area = area->next) {
        u32 before = area->protection;
        area->protection = protection;
        if (before == protection) continue;
        for (u64 at = area->start; at < area->end;) {
            u64 *slots[5];
            int level = walk(space, at, slots);
            if (level > 1) {
                at = (at & ~(span_of(level) - 1)) + span_of(level);
                continue;
            }
            if (*slots[1]) {
                u64 flags = ENTRY_HELD;
                if (protection & (PROT_READ | PROT_WRITE | PROT_EXEC))
                    flags = ENTRY_PRESENT | ENTRY_USER |
                            entry_flags(area, *slots[1] & ENTRY_WRITABLE);
                machine_write_entry(slots[1], machine_entry(machine_entry_frame(*slots[1]), flags));
                note_address(&gathered, at);
            }
            at += PAGE_SIZE;
        }
    }
    flush(space, &gathered);
    merge(space);
    return 0;
}

/* Moves mapped pages to another place of the same length, for mremap. */
i64 space_move_pages(struct space *space, u64 from, u64 to, u64 length) {
    struct gathered gathered = {.count = 0};
    for (u64 done = 0; done < length; done += PAGE_SIZE) {
        u64 *slots[5];
        int level = walk(space, from + done, slots);
        if (level > 1) {
            u64 next = ((from + done) & ~(span_of(level) - 1)) + span_of(level);
            done = next - from - PAGE_SIZE;
            continue;
        }
        if (!*slots[1]) continue;
        u64 *slot = make_slot(space, to + done);
        if (!slot) {
            flush(space, &gathered);
            return -ENOMEM;
        }
        machine_write_entry(slot, *slots[1]);
        frame_get(pointer_frame(slot));
        machine_write_entry(slots[1], 0);
        note_address(&gathered, from + done);
        drop_entry(slots, &gathered);
        machine_commit(); /* the next page may be in a table that is new, or one that is gone */
        if (gathered.count >= 64) flush(space, &gathered);
    }
    flush(space, &gathered);
    return 0;
}

/* The child's level-1 table that was written last, and which 2 MiB it has. */
struct target {
    u64 span;
    u64 *table;
};

/* Copies the pages of one area into a child: shared ones as they are, private ones by COW. */
static i64 copy_pages(struct space *parent, struct space *child, const struct area *area,
                      struct target *target, bool *changed) {
    /* Pages of a file that nobody could write come back by faults. */
    if (area->inode && !(area->protection & PROT_WRITE) && area->flags & AREA_SHARED) return 0;
    for (u64 at = area->start; at < area->end;) {
        u64 *slots[5];
        int level = walk(parent, at, slots);
        if (level > 1) {
            at = (at & ~(span_of(level) - 1)) + span_of(level);
            continue;
        }
        u64 entry = *slots[1];
        if (entry) {
            frame page = machine_entry_frame(entry);
            if (entry & ENTRY_WRITABLE && !(area->flags & AREA_SHARED)) {
                entry &= ~ENTRY_WRITABLE;
                machine_write_entry(slots[1], entry);
                *changed = true;
            }
            if (target->span != at / span_of(2)) {
                if (child->resident) machine_commit(); /* the way to the last table counts */
                u64 *slot = make_slot(child, at);
                if (!slot) return -ENOMEM;
                *target = (struct target){at / span_of(2), slot - index_of(at, 1)};
            }
            u64 *to = target->table + index_of(at, 1);
            frame_get(page);
            machine_write_entry(to, entry);
            frame_get(pointer_frame(to));
            child->resident++;
        }
        at += PAGE_SIZE;
    }
    return 0;
}

struct space *space_fork(struct space *parent) {
    struct space *child = space_new();
    if (!child) return NULL;
    child->break_start = parent->break_start;
    child->break_end = parent->break_end;
    child->arguments_start = parent->arguments_start;
    child->arguments_end = parent->arguments_end;
    child->environment_end = parent->environment_end;
    if (parent->executable) space_set_executable(child, parent->executable);
    struct area **link = &child->areas;
    i64 error = 0;
    bool changed = false;
    struct target target = {~0ull, NULL};
    for (struct area *area = parent->areas; area && !error; area = area->next) {
        struct area *copy = allocate(sizeof *copy);
        if (!copy) {
            error = -ENOMEM;
            break;
        }
        *copy = *area;
        copy->next = NULL;
        if (copy->inode) inode_hold(copy->inode);
        *link = copy;
        link = &copy->next;
        error = copy_pages(parent, child, area, &target, &changed);
    }
    if (changed && current && current->space == parent) machine_flush_all();
    machine_commit();
    if (error) {
        space_release(child);
        return NULL;
    }
    return child;
}

/* Gives the pages back at once, because memory is out; the owner is about to die. */
void space_empty(struct space *space) {
    for (struct area *area = space->areas; area; area = area->next)
        unmap(space, area->start, area->end);
}

void space_release(struct space *space) {
    if (--space->users) return;
    struct gathered gathered = {.count = 0};
    while (space->areas) {
        struct area *area = space->areas;
        remove_pages(space, area->start, area->end, &gathered);
        space->areas = area->next;
        free_area(area);
    }
    if (space->executable) {
        space->executable->regular.executions--;
        inode_release(space->executable);
    }
    flush(space, &gathered);
    machine_give_table(space->root, 4);
    release(space);
}
