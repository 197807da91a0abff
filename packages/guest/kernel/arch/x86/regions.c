/*
 * regions.c: the list of free RAM that the machine's start builds for kernel_main().
 */
#include "x86.h"

/* Takes a used range out of the free RAM. */
void memory_reserve(struct boot_info *info, u64 start, u64 end) {
    start &= ~(u64)(PAGE_SIZE - 1);
    end = (end + PAGE_SIZE - 1) & ~(u64)(PAGE_SIZE - 1);
    for (usize i = 0; i < info->ram_count; i++) {
        struct memory_region *r = &info->ram[i];
        if (end <= r->start || start >= r->end) continue;
        if (start > r->start && end < r->end) {
            if (info->ram_count < ARRAY_LENGTH(info->ram))
                info->ram[info->ram_count++] = (struct memory_region){end, r->end};
            r->end = start;
        } else if (start > r->start) {
            r->end = start;
        } else if (end < r->end) {
            r->start = end;
        } else {
            *r = info->ram[--info->ram_count];
            i--;
        }
    }
}
