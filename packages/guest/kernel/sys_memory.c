/*
 * sys_memory.c: system calls on the address space.
 */
#include "defs.h"

static u64 page_down(u64 value) { return value & ~(u64)(PAGE_SIZE - 1); }
static u64 page_up(u64 value) { return page_down(value + PAGE_SIZE - 1); }

/* Whether a range of pages may be mapped by a program. */
static bool mappable(u64 start, u64 length) {
    return start >= MAP_BOTTOM && length <= USER_TOP && start <= USER_TOP - length;
}

static i64 choose(u64 wanted, u64 length, u32 flags, u64 *start) {
    struct space *space = current->space;
    if (flags & (MAP_FIXED | MAP_FIXED_NOREPLACE)) {
        if (wanted % PAGE_SIZE) return -EINVAL;
        if (!mappable(wanted, length)) return wanted < MAP_BOTTOM ? -EPERM : -ENOMEM;
        if (flags & MAP_FIXED_NOREPLACE && !space_free_range(space, wanted, wanted + length)) return -EEXIST;
        *start = wanted;
        return 0;
    }
    wanted = page_up(wanted);
    if (wanted && mappable(wanted, length) && wanted + length <= MAP_TOP &&
        space_free_range(space, wanted, wanted + length)) {
        *start = wanted;
        return 0;
    }
    *start = space_find_gap(space, length);
    return *start ? 0 : -ENOMEM;
}

i64 sys_mmap(u64 wanted, u64 length, u32 protection, u32 flags, i32 descriptor, u64 offset) {
    u32 type = flags & MAP_TYPE;
    if (!length || offset % PAGE_SIZE || (type != MAP_SHARED && type != MAP_PRIVATE && type != MAP_SHARED_VALIDATE))
        return -EINVAL;
    if (length > USER_TOP) return -ENOMEM;
    length = page_up(length);
    bool shared = type != MAP_PRIVATE;
    u32 area_flags = shared ? AREA_SHARED : 0;
    struct inode *inode = NULL;
    if (!(flags & MAP_ANONYMOUS)) {
        struct file *file = descriptor_file(descriptor);
        if (!file) return -EBADF;
        if (!file_readable(file)) return -EACCES;
        if (shared && !file_writable(file)) {
            if (protection & PROT_WRITE) return -EACCES;
            area_flags |= AREA_NO_WRITE;
        }
        if (file->kind == &zero_kind) inode = NULL;
        else if (file->kind == &regular_kind) inode = file->inode;
        else return -ENODEV;
        if (inode && (offset > FILE_SIZE_MAX || length > FILE_SIZE_MAX)) return -EOVERFLOW;
    }
    u64 start;
    i64 error = choose(wanted, length, flags, &start);
    if (error) return error;
    if (inode) {
        inode_hold(inode);
    } else {
        offset = 0;
        if (shared) { /* memory that survives fork as one: a file without a name */
            inode = inode_new(S_IFREG | 0600);
            if (!inode) return -ENOMEM;
            inode->size = length;
        }
    }
    error = space_remove(current->space, start, start + length);
    if (!error)
        error = space_add(current->space, start, start + length, protection & 7, area_flags, inode, offset);
    if (inode) inode_release(inode);
    if (error) return error;
    if (flags & MAP_POPULATE)
        for (u64 at = start; at < start + length; at += PAGE_SIZE)
            if (fault_in(at, protection & PROT_WRITE ? PROT_WRITE : PROT_READ)) break;
    return (i64)start;
}

i64 sys_munmap(u64 start, u64 length) {
    if (start % PAGE_SIZE || !length || length > USER_TOP || start > USER_TOP - page_up(length)) return -EINVAL;
    return space_remove(current->space, start, start + page_up(length));
}

i64 sys_mprotect(u64 start, u64 length, u32 protection) {
    if (start % PAGE_SIZE || protection & ~(7u | 0x03000000u)) return -EINVAL; /* PROT_GROWSDOWN, -UP */
    if (length > USER_TOP || start > USER_TOP - page_up(length)) return -ENOMEM;
    u64 end = start + page_up(length);
    if (protection & PROT_WRITE)
        for (struct area *a = current->space->areas; a; a = a->next)
            if (a->start < end && a->end > start && a->flags & AREA_NO_WRITE) return -EACCES;
    return space_protect(current->space, start, end, protection & 7);
}

i64 sys_brk(u64 wanted) {
    struct space *space = current->space;
    u64 before = page_up(space->break_end), after = page_up(wanted);
    if (wanted < space->break_start || wanted > MAP_TOP) return (i64)space->break_end;
    if (after > before) {
        if (!space_free_range(space, before, after) ||
            space_add(space, before, after, PROT_READ | PROT_WRITE, 0, NULL, 0))
            return (i64)space->break_end;
    } else if (after < before && space_remove(space, after, before)) {
        return (i64)space->break_end;
    }
    space->break_end = wanted;
    return (i64)wanted;
}

i64 sys_mremap(u64 old, u64 old_length, u64 length, u32 flags, u64 wanted) {
    struct space *space = current->space;
    if (old % PAGE_SIZE || !length || flags & ~3u || (flags & MREMAP_FIXED && !(flags & MREMAP_MAYMOVE)))
        return -EINVAL;
    if (length > USER_TOP || old_length > USER_TOP || old > USER_TOP - page_up(old_length)) return -EINVAL;
    old_length = page_up(old_length);
    length = page_up(length);
    struct area *area = space_area(space, old);
    if (!area || !old_length || old + old_length > area->end) return -EFAULT;
    if (flags & MREMAP_FIXED) {
        if (wanted % PAGE_SIZE || !mappable(wanted, length) ||
            (wanted < old + old_length && old < wanted + length))
            return -EINVAL;
        if (space_remove(space, wanted, wanted + length)) return -ENOMEM;
        area = space_area(space, old);
    } else if (length <= old_length) {
        i64 error = space_remove(space, old + length, old + old_length);
        return error ? error : (i64)old;
    } else if (area->end == old + old_length && mappable(old, length) &&
               space_free_range(space, area->end, old + length)) {
        u64 offset = area->inode ? area->offset + (area->end - area->start) : 0;
        if (area->inode && !area->inode->links && area->flags & AREA_SHARED)
            area->inode->size = MAX(area->inode->size, offset + length - old_length);
        i64 error = space_add(space, old + old_length, old + length, area->protection, area->flags,
                              area->inode, offset);
        return error ? error : (i64)old;
    } else if (!(flags & MREMAP_MAYMOVE)) {
        return -ENOMEM;
    } else {
        wanted = space_find_gap(space, length);
        if (!wanted) return -ENOMEM;
    }
    u64 offset = area->inode ? area->offset + (old - area->start) : 0;
    i64 error = space_add(space, wanted, wanted + length, area->protection, area->flags, area->inode, offset);
    if (error) return error;
    if (space_move_pages(space, old, wanted, MIN(old_length, length))) {
        /* Half is here and half there: memory is out, and this program cannot go on. */
        signal_send(current, SIGKILL, NULL);
        return -ENOMEM;
    }
    error = space_remove(space, old, old + old_length);
    return error ? error : (i64)wanted;
}

i64 sys_msync(u64 start, u64 length, u32 flags) {
    if (start % PAGE_SIZE || flags & ~7u) return -EINVAL;
    return length && !space_area(current->space, start) ? -ENOMEM : 0;
}

i64 sys_madvise(u64 start, u64 length, u32 advice) {
    if (start % PAGE_SIZE || length > USER_TOP || start > USER_TOP - page_up(length)) return -EINVAL;
    u64 end = start + page_up(length);
    if (advice != MADV_DONTNEED && advice != MADV_FREE) return advice <= 25 ? 0 : -EINVAL;
    for (struct area *a = current->space->areas; a; a = a->next)
        if (a->start < end && a->end > start) space_discard(current->space, MAX(a->start, start), MIN(a->end, end));
    return 0;
}
