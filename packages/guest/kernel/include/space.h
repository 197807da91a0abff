/* space.h: an address space: what is mapped where, and the tables that say so. */
#ifndef SPACE_H
#define SPACE_H

#include "machine.h"

#define AREA_SHARED 1u
#define AREA_STACK 2u    /* grows down */
#define AREA_NO_WRITE 4u /* shared, of a file that is not open for writing */

/* A range of addresses with one origin and one protection. Areas are sorted and never overlap. */
struct area {
    struct area *next;
    u64 start, end;
    u32 protection; /* PROT_* */
    u32 flags;
    struct inode *inode; /* NULL: anonymous */
    u64 offset;          /* of `start` in the file, page-aligned */
};

struct space {
    frame root;
    u32 users; /* processes: more than one only between vfork and exec */
    struct area *areas;
    u64 break_start, break_end;
    u64 resident; /* pages */
    u64 arguments_start, arguments_end, environment_end;
    struct inode *executable;
};

#define STACK_TOP USER_TOP
#define STACK_LIMIT (8ull << 20)
#define STACK_GAP (1ull << 20)
#define MAP_TOP (STACK_TOP - STACK_LIMIT - STACK_GAP) /* mmap goes down from here */
#define MAP_BOTTOM 0x10000ull

#endif
