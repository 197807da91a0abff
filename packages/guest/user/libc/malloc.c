/*
 * Memory in sizes of powers of two.
 *
 * Each size from 32 bytes to 64 KiB has a list of free pieces, filled from brk; what is larger has a map of
 * its own. A piece begins with a 16-byte header, so that memory handed out is aligned to 16 bytes. Pieces are
 * never merged: programs here are short, and the list operations stay two instructions long.
 */
#include <errno.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

enum { SMALLEST_SHIFT = 5, LARGEST_SHIFT = 16, HEADER_BYTES = 16, REFILL_BYTES = 65536, PAGE_BYTES = 4096 };

struct piece {
    /* Bytes of the whole piece, header included: a power of two, or a multiple of the page size for a map. */
    size_t size;
    /* Where memory handed out begins; while the piece is free, the next free one. */
    struct piece *next __attribute__((aligned(8)));
};

static struct piece *free_pieces[LARGEST_SHIFT + 1];

static int refill(int shift)
{
    size_t size = (size_t)1 << shift;
    char *chunk = sbrk(REFILL_BYTES);
    if (chunk == (char *)-1)
        return -1;
    for (size_t offset = 0; offset + size <= REFILL_BYTES; offset += size) {
        struct piece *piece = (struct piece *)(chunk + offset);
        piece->size = size;
        piece->next = free_pieces[shift];
        free_pieces[shift] = piece;
    }
    return 0;
}

void *malloc(size_t size)
{
    if (size > (size_t)1 << 47) {
        errno = ENOMEM;
        return 0;
    }
    size += HEADER_BYTES;
    if (size > (size_t)1 << LARGEST_SHIFT) {
        size = (size + PAGE_BYTES - 1) & ~(size_t)(PAGE_BYTES - 1);
        struct piece *map = mmap(0, size, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
        if (map == MAP_FAILED)
            return 0;
        map->size = size;
        return (char *)map + HEADER_BYTES;
    }

    int shift = size <= 1 << SMALLEST_SHIFT ? SMALLEST_SHIFT : 64 - __builtin_clzl(size - 1);
    if (!free_pieces[shift] && refill(shift) < 0)
        return 0;
    struct piece *piece = free_pieces[shift];
    free_pieces[shift] = piece->next;
    return (char *)piece + HEADER_BYTES;
}

void free(void *memory)
{
    if (!memory)
        return;
    struct piece *piece = (struct piece *)((char *)memory - HEADER_BYTES);
    if (piece->size > (size_t)1 << LARGEST_SHIFT) {
        munmap(piece, piece->size);
        return;
    }
    int shift = __builtin_ctzl(piece->size);
    piece->next = free_pieces[shift];
    free_pieces[shift] = piece;
}

void *calloc(size_t count, size_t size)
{
    size_t total;
    if (__builtin_mul_overflow(count, size, &total)) {
        errno = ENOMEM;
        return 0;
    }
    void *memory = malloc(total);
    return memory ? memset(memory, 0, total) : 0;
}

void *realloc(void *old, size_t size)
{
    if (!old)
        return malloc(size);
    size_t room = ((struct piece *)((char *)old - HEADER_BYTES))->size - HEADER_BYTES;
    if (size <= room)
        return old;
    void *new = malloc(size);
    if (new) {
        memcpy(new, old, room);
        free(old);
    }
    return new;
}
