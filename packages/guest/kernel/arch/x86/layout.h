/*
 * layout.h: where things are, for C, assembly and the linker script.
 *
 *   virtual
 *   0000000000000000  user programs, up to USER_TOP
 *   ffff880000000000  DIRECT_MAP: all RAM, at physical address + DIRECT_MAP, 2 MiB pages
 *   ffffffff80000000  KERNEL_BASE: physical address 0; the image starts 1 MiB further
 *   ffffffffa0000000  KERNEL_STACKS: one slot per process, a guard page below each stack
 *   ffffffffb0000000  DEVICE_MAP: registers of devices, uncached
 *   ffffffffc0000000  nothing from here on: left to binary translators
 *
 * Level-4 slots 256 to 271 stay empty because Xen keeps them for itself.
 */
#ifndef LAYOUT_H
#define LAYOUT_H

#ifdef __ASSEMBLER__
#define ADDRESS(value) value
#else
#define ADDRESS(value) value##ull
#endif

#define PAGE_SIZE 4096
#define PAGE_SHIFT 12

#define USER_TOP ADDRESS(0x00007ffffffff000)
#define DIRECT_MAP ADDRESS(0xffff880000000000)
#define KERNEL_BASE ADDRESS(0xffffffff80000000)
#define KERNEL_LOAD ADDRESS(0x100000)
#define KERNEL_STACKS ADDRESS(0xffffffffa0000000)
#define DEVICE_MAP ADDRESS(0xffffffffb0000000)

/* Level-4 slots of the regions above. */
#define DIRECT_SLOT 272
#define KERNEL_SLOT 511

/* The boot tables map this much RAM; what lies above is not used. */
#define PHYSICAL_MAX ADDRESS(0x100000000)

/* Selectors. SYSCALL and SYSRET fix their order; the numbers are Linux's. */
#define KERNEL_CS 0x10
#define KERNEL_SS 0x18
#define USER_CS32 0x23
#define USER_SS 0x2b
#define USER_CS 0x33
#define TSS_SELECTOR 0x40

#endif
