/*
 * pages.c: the contents of regular files: pages by index, in a tree of 512-way nodes.
 *
 * A file from the initrd is read where the loader put it; a page of its own comes only when it is
 * mapped or written. Pages that do not exist read as zero.
 */
#include "defs.h"

static u64 capacity_of(u32 height) { return height > 3 ? ~0ull : 1ull << 9 * height; }

/* The place for page `index`, or NULL; `grow` makes the nodes on the way. */
static void **place_of(struct pages *pages, u64 index, bool grow) {
    while (index >= capacity_of(pages->height)) {
        if (!grow) return NULL;
        if (pages->root) {
            void **node = allocate(PAGE_SIZE);
            if (!node) return NULL;
            node[0] = pages->root;
            pages->root = node;
        }
        pages->height++;
    }
    void **place = &pages->root;
    for (u32 level = pages->height; level; level--) {
        if (!*place) {
            if (!grow) return NULL;
            *place = allocate(PAGE_SIZE);
            if (!*place) return NULL;
        }
        place = (void **)*place + (index >> 9 * (level - 1) & 511);
    }
    return place;
}

/* The frame that holds page `index` of the file, or 0: none yet, or (with `make`) out of memory. */
frame inode_page(struct inode *inode, u64 index, bool make) {
    void **place = place_of(&inode->regular.pages, index, make);
    if (!place) return 0;
    if (*place || !make) return *place ? pointer_frame(*place) : 0;
    frame page = frame_take_zero();
    if (!page) return 0;
    u64 offset = index * PAGE_SIZE;
    if (offset < inode->regular.initial_size)
        memcpy(frame_pointer(page), inode->regular.initial + offset,
               MIN(PAGE_SIZE, inode->regular.initial_size - offset));
    *place = frame_pointer(page);
    inode->regular.page_count++;
    return page;
}

/* Frees the pages from index `first` on, below `node`. True when nothing is left. */
static bool trim(struct inode *inode, void **node, u32 level, u64 base, u64 first) {
    if (!*node) return true;
    if (base + capacity_of(level) <= first) return false;
    if (level) {
        bool empty = true;
        for (u64 i = 0; i < 512; i++)
            if (!trim(inode, (void **)*node + i, level - 1, base + (i << 9 * (level - 1)), first))
                empty = false;
        if (!empty) return false;
        release(*node);
    } else {
        frame_put(pointer_frame(*node));
        inode->regular.page_count--;
    }
    *node = NULL;
    return true;
}

i64 inode_resize(struct inode *inode, u64 size) {
    if (size > FILE_SIZE_MAX) return -EFBIG;
    if (size < inode->size) {
        trim(inode, &inode->regular.pages.root, inode->regular.pages.height, 0,
             (size + PAGE_SIZE - 1) / PAGE_SIZE);
        /* What is cut off inside a page must read as zero if the file grows again. */
        if (size % PAGE_SIZE) {
            frame page = inode_page(inode, size / PAGE_SIZE, false);
            if (page) memzero((u8 *)frame_pointer(page) + size % PAGE_SIZE, PAGE_SIZE - size % PAGE_SIZE);
        }
        inode->regular.initial_size = MIN(inode->regular.initial_size, size);
    }
    inode->size = size;
    inode->modified = inode->changed = time_now();
    return 0;
}

void inode_free_pages(struct inode *inode) {
    trim(inode, &inode->regular.pages.root, inode->regular.pages.height, 0, 0);
}

i64 inode_read(struct inode *inode, struct buffer *to, u64 offset) {
    i64 done = 0;
    while (to->left && offset < inode->size) {
        usize in_page = offset % PAGE_SIZE;
        usize part = MIN(MIN(to->left, inode->size - offset), PAGE_SIZE - in_page);
        frame page = inode_page(inode, offset / PAGE_SIZE, false);
        i64 error;
        if (page) {
            error = buffer_put(to, (u8 *)frame_pointer(page) + in_page, part);
        } else if (offset < inode->regular.initial_size) {
            part = MIN(part, inode->regular.initial_size - offset);
            error = buffer_put(to, inode->regular.initial + offset, part);
        } else {
            error = buffer_clear(to, part);
        }
        if (error) return done ? done : error;
        offset += part;
        done += (i64)part;
    }
    return done;
}

i64 inode_write(struct inode *inode, struct buffer *from, u64 offset) {
    i64 done = 0;
    if (offset >= FILE_SIZE_MAX) return from->left ? -EFBIG : 0;
    while (from->left && offset < FILE_SIZE_MAX) {
        usize in_page = offset % PAGE_SIZE, part = MIN(from->left, PAGE_SIZE - in_page);
        frame page = inode_page(inode, offset / PAGE_SIZE, true);
        i64 error = page ? buffer_get(from, (u8 *)frame_pointer(page) + in_page, part) : -ENOSPC;
        if (error) {
            if (!done) return error;
            break;
        }
        offset += part;
        done += (i64)part;
        if (offset > inode->size) inode->size = offset;
    }
    if (done) inode->modified = inode->changed = time_now();
    return done;
}

/* Kernel-side reading of exactly `count` bytes: 0, -ENOEXEC when the file is shorter. */
i64 inode_read_exactly(struct inode *inode, void *to, usize count, u64 offset) {
    struct buffer buffer = kernel_buffer(to, count);
    return inode_read(inode, &buffer, offset) == (i64)count ? 0 : -ENOEXEC;
}
