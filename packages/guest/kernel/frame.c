/*
 * frame.c: page frames of RAM, each with a count of its users.
 *
 * Frames are handed out from the memory map in order until all were used once; freed ones are
 * chained through their first word and come first. So boot touches no memory that nobody needs.
 * A page table's count is 1 plus its present entries (space.c).
 */
#include "defs.h"

/* Kept for init when programs have eaten the rest. */
#define RESERVE 32

static u32 *counts; /* by frame number; meaningful for frames that were allocated once */
static struct memory_region regions[ARRAY_LENGTH(((struct boot_info *)0)->ram)];
static usize region_count, region;
static u64 next; /* physical address of the next frame of regions[region] */
static frame freed;
static u64 total, available;

static void *take_bytes(u64 bytes) {
    for (usize i = 0; i < region_count; i++) {
        if (regions[i].end - regions[i].start < bytes) continue;
        u64 at = regions[i].start;
        regions[i].start += (bytes + PAGE_SIZE - 1) & ~(u64)(PAGE_SIZE - 1);
        return physical_pointer(at);
    }
    panic("no room for %d bytes of frame counts", (int)bytes);
}

void frame_init(const struct boot_info *info) {
    region_count = info->ram_count;
    memcpy(regions, info->ram, sizeof regions);
    counts = take_bytes(info->top / PAGE_SIZE * sizeof *counts);
    for (usize i = 0; i < region_count; i++)
        total += (regions[i].end - regions[i].start) / PAGE_SIZE;
    next = region_count ? regions[0].start : 0;
    available = total;
}

/* A frame with undefined contents, or 0. */
static frame take(u64 keep) {
    if (available <= keep) return 0;
    frame f = freed;
    if (f) {
        freed = (frame) * (u64 *)frame_pointer(f);
    } else {
        while (next == regions[region].end) next = regions[++region].start;
        f = (frame)(next / PAGE_SIZE);
        next += PAGE_SIZE;
    }
    available--;
    counts[f] = 1;
    return f;
}

frame frame_take(void) { return take(current == init_process ? 0 : RESERVE); }

frame frame_take_zero(void) {
    frame f = frame_take();
    if (f) memzero(frame_pointer(f), PAGE_SIZE);
    return f;
}

void frame_get(frame f) { counts[f]++; }

u32 frame_users(frame f) { return counts[f]; }

/* Returns the users that are left. The last user's frame goes back to the free ones. */
u32 frame_put(frame f) {
    if (!counts[f]) panic("frame %x freed twice", f);
    if (--counts[f]) return counts[f];
    *(u64 *)frame_pointer(f) = freed;
    freed = f;
    available++;
    return 0;
}

u64 frame_total(void) { return total; }
u64 frame_available(void) { return available > RESERVE ? available - RESERVE : 0; }
