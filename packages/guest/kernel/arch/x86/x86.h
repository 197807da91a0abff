/* x86.h: what both builds have from arch/x86. */
#ifndef X86_H
#define X86_H

#include "defs.h"

/* Selectors of programs, and of the kernel where it has a GDT of its own: GDT entries are in
 * segments.c of either build. */
#define FLAT_CODE 0x00af9b000000ffffull
#define FLAT_DATA 0x00cf93000000ffffull
#define FLAT_USER_CODE32 0x00cffb000000ffffull
#define FLAT_USER_DATA 0x00cff3000000ffffull
#define FLAT_USER_CODE 0x00affb000000ffffull

/* regions.c */
void memory_reserve(struct boot_info *info, u64 start, u64 end);

/* entry.S of either build: where a new process begins */
extern char first_return[];

#endif
