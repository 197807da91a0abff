/*
 * start.c: the first C code: what the loader said, made safe, and the machine made ready.
 *
 * It runs on the boot tables, which map the first 4 GiB; nothing above is used.
 */
#include "native.h"
#include "start_info.h"

extern char image_end[];

static struct boot_info info;

static bool reachable(u64 address, u64 size) {
    return address && address < PHYSICAL_MAX && size <= PHYSICAL_MAX - address;
}

static void read_memory_map(const struct start_info *start) {
    u64 count = MIN(start->memory_map_count, 128);
    if (!reachable(start->memory_map, count * sizeof(struct memory_range))) panic("no memory map");
    const struct memory_range *map = physical_pointer(start->memory_map);
    for (u64 i = 0; i < count && info.ram_count < ARRAY_LENGTH(info.ram) / 2; i++) {
        if (map[i].type != MEMORY_RAM || map[i].address >= PHYSICAL_MAX) continue;
        u64 end = map[i].address + MIN(map[i].size, PHYSICAL_MAX - map[i].address);
        u64 from = (map[i].address + PAGE_SIZE - 1) & ~(u64)(PAGE_SIZE - 1);
        end &= ~(u64)(PAGE_SIZE - 1);
        if (from >= end) continue;
        info.top = MAX(info.top, end);
        info.ram[info.ram_count++] = (struct memory_region){from, end};
    }
    if (!info.ram_count) panic("the memory map has no RAM");
}

static void copy_command_line(u64 address) {
    if (!reachable(address, 1)) return;
    const char *from = physical_pointer(address);
    for (usize i = 0; i + 1 < sizeof info.command_line && reachable(address + i, 1) && from[i]; i++)
        info.command_line[i] = from[i];
}

_Noreturn void kernel_start(u64 info_address) {
    const struct start_info *start = physical_pointer(info_address);
    if (!reachable(info_address, sizeof *start) || start->magic != START_INFO_MAGIC || start->version < 1)
        panic("no start info of version 1 at %p", info_address);
    read_memory_map(start);
    copy_command_line(start->command_line);
    if (start->module_count) {
        if (!reachable(start->modules, sizeof(struct module))) panic("the module list is not in RAM");
        const struct module *module = physical_pointer(start->modules);
        /* Only RAM is mapped later on, so the archive must lie in it. */
        if (!reachable(module->address, module->size) || module->address + module->size > info.top)
            panic("initrd: %l bytes at %p are not in RAM", module->size, module->address);
        info.initrd = physical_pointer(module->address);
        info.initrd_size = module->size;
        memory_reserve(&info, module->address, module->address + module->size);
    }
    memory_reserve(&info, 0, KERNEL_LOAD);
    memory_reserve(&info, KERNEL_LOAD, (u64)image_end - KERNEL_BASE);
    kernel_main(&info);
}

void machine_init(const struct boot_info *boot) {
    tables_init(boot);
    segments_init();
    interrupts_init();
    uart_init();
    clock_init();
}
