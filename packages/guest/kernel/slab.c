/*
 * slab.c: small objects of the kernel, cut from pages by size class.
 *
 * A slab page starts with a header, so an object is never page-aligned, and a pointer that is
 * page-aligned is a whole page. Empty slabs go back to the frames.
 */
#include "defs.h"

struct slab {
    struct slab *next, *previous;
    void *freed;
    u16 size, used, capacity;
};

#define HEADER 64
static const u16 sizes[] = {32, 64, 96, 128, 192, 256, 504, 1008, 2016};
static struct slab *partial[ARRAY_LENGTH(sizes)]; /* slabs with a free object, by class */

static int class_of(usize size) {
    for (usize i = 0; i < ARRAY_LENGTH(sizes); i++)
        if (size <= sizes[i]) return (int)i;
    return -1;
}

static void unlink_slab(struct slab *slab, int class) {
    if (slab->previous) slab->previous->next = slab->next;
    else partial[class] = slab->next;
    if (slab->next) slab->next->previous = slab->previous;
}

static void link_slab(struct slab *slab, int class) {
    slab->previous = NULL;
    slab->next = partial[class];
    if (slab->next) slab->next->previous = slab;
    partial[class] = slab;
}

static struct slab *new_slab(int class) {
    frame f = frame_take();
    if (!f) return NULL;
    struct slab *slab = frame_pointer(f);
    *slab = (struct slab){.size = sizes[class], .capacity = (u16)((PAGE_SIZE - HEADER) / sizes[class])};
    u8 *object = (u8 *)slab + HEADER;
    for (u16 i = 0; i < slab->capacity; i++, object += slab->size) {
        *(void **)object = slab->freed;
        slab->freed = object;
    }
    link_slab(slab, class);
    return slab;
}

/* Zeroed memory of at most a page, or NULL. */
void *allocate(usize size) {
    int class = class_of(size);
    if (class < 0) {
        if (size > PAGE_SIZE) panic("allocation of %d bytes", (int)size);
        frame f = frame_take_zero();
        return f ? frame_pointer(f) : NULL;
    }
    struct slab *slab = partial[class] ? partial[class] : new_slab(class);
    if (!slab) return NULL;
    void *object = slab->freed;
    slab->freed = *(void **)object;
    if (++slab->used == slab->capacity) unlink_slab(slab, class);
    memzero(object, slab->size);
    return object;
}

void release(void *object) {
    if (!object) return;
    u64 offset = (u64)object % PAGE_SIZE;
    if (!offset) {
        frame_put(pointer_frame(object));
        return;
    }
    struct slab *slab = (struct slab *)((u8 *)object - offset);
    int class = class_of(slab->size);
    if (slab->used-- == slab->capacity) link_slab(slab, class);
    *(void **)object = slab->freed;
    slab->freed = object;
    if (!slab->used) {
        unlink_slab(slab, class);
        frame_put(pointer_frame(slab));
    }
}
