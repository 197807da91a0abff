/*
 * start_info.h: what the loader tells the kernel (Xen public/arch-x86/hvm/start_info.h, version 1).
 */
#ifndef START_INFO_H
#define START_INFO_H

#include "types.h"

#define START_INFO_MAGIC 0x336ec578

struct start_info {
    u32 magic;
    u32 version;
    u32 flags;
    u32 module_count;
    u64 modules; /* physical address of struct module[module_count] */
    u64 command_line;
    u64 rsdp;
    u64 memory_map; /* version 1: physical address of struct memory_range[memory_map_count] */
    u32 memory_map_count;
    u32 reserved;
};

struct module {
    u64 address;
    u64 size;
    u64 command_line;
    u64 reserved;
};

#define MEMORY_RAM 1

struct memory_range {
    u64 address;
    u64 size;
    u32 type;
    u32 reserved;
};

#endif
