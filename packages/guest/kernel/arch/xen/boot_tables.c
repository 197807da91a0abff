/*
 * boot_tables.c: the kernel's own tables: the image, and all RAM at DIRECT_MAP in 4 KiB pages.
 *
 * They lie in one run of frames at the end of RAM, which nothing maps writable, as Xen demands of
 * tables. While the builder's tables are in use, a frame there is reached through a page of the
 * image, the window, whose mapping is changed for each.
 */
#include "paravirt.h"

extern char image_start[], text_end[], rodata_end[], image_end[];

struct kernel_tables kernel_tables;
const u64 *physical_to_machine;

static u64 window[512] __attribute__((aligned(PAGE_SIZE)));
static frame next_frame;

u64 frame_entry(frame target, u64 flags) { return physical_to_machine[target] << PAGE_SHIFT | flags; }

static frame image_frame(u64 address) { return (frame)((address - KERNEL_BASE) / PAGE_SIZE); }

/* Maps the window to a frame, writable; the frame it had before is no longer mapped. */
static void move_window(frame to) {
    u64 entry = frame_entry(to, ENTRY_PRESENT | ENTRY_WRITABLE | ENTRY_NO_EXECUTE);
    i64 error = hypercall3(HYPERVISOR_update_va_mapping, (u64)window, entry, UVMF_INVLPG);
    if (error) panic("update_va_mapping of frame %x failed: error %d", to, (int)-error);
}

/* The next frame of the run, in the window, empty. */
static frame new_table(void) {
    if (next_frame == kernel_tables.end) panic("the kernel's tables do not fit");
    move_window(next_frame);
    memzero(window, PAGE_SIZE);
    return next_frame++;
}

static bool in_range(frame f, u64 first, u64 end) { return f >= first && f < end; }

/* What is mapped at DIRECT_MAP for a frame; tables, the builder's too, are not writable. */
static u64 direct_entry(frame f) {
    u64 boot = start_info->pt_base - KERNEL_BASE;
    if (f >= start_info->nr_pages || physical_to_machine[f] >> 40) return 0; /* a hole */
    bool table = in_range(f, kernel_tables.first, kernel_tables.end) ||
                 in_range(f, boot / PAGE_SIZE, boot / PAGE_SIZE + start_info->nr_pt_frames);
    return frame_entry(f, ENTRY_PRESENT | ENTRY_NO_EXECUTE | (table ? 0 : ENTRY_WRITABLE));
}

/* A table whose entries are the `count` tables that begin at `first`. */
static frame table_of(frame first, u64 count) {
    frame table = new_table();
    for (u64 i = 0; i < count; i++) window[i] = frame_entry(first + (frame)i, ENTRY_PRESENT | ENTRY_WRITABLE);
    return table;
}

/* Level by level, each in one run: the tables of `entries` frames at DIRECT_MAP. The level-3 one. */
static frame build_direct_map(void) {
    u64 level1 = (start_info->nr_pages + 511) / 512, level2 = (level1 + 511) / 512;
    kernel_tables.direct_level1 = next_frame;
    for (u64 i = 0; i < level1; i++) {
        new_table();
        for (u64 j = 0; j < 512; j++) window[j] = direct_entry((frame)(i * 512 + j));
    }
    frame first2 = next_frame;
    for (u64 i = 0; i < level2; i++) table_of(kernel_tables.direct_level1 + (frame)(i * 512), MIN(level1 - i * 512, 512));
    return table_of(first2, level2);
}

static u64 image_flags(u64 address) {
    if (address < (u64)text_end) return ENTRY_PRESENT;
    if (address < (u64)rodata_end) return ENTRY_PRESENT | ENTRY_NO_EXECUTE;
    return ENTRY_PRESENT | ENTRY_NO_EXECUTE | ENTRY_WRITABLE;
}

#define IMAGE_TABLES ((((u64)image_end - KERNEL_BASE) / PAGE_SIZE + 511) / 512)

/* The image at KERNEL_BASE. The level-3 table, which also gets stacks and devices later on. */
static frame build_image_map(void) {
    frame first1 = next_frame;
    for (u64 at = KERNEL_BASE; at < (u64)image_end; at += 512 * PAGE_SIZE) {
        new_table();
        for (u64 i = 0; i < 512; i++) {
            u64 page = at + i * PAGE_SIZE;
            if (page >= (u64)image_start && page < (u64)image_end) window[i] = frame_entry(image_frame(page), image_flags(page));
        }
    }
    frame level2 = table_of(first1, IMAGE_TABLES);
    frame level3 = new_table();
    window[510] = frame_entry(level2, ENTRY_PRESENT | ENTRY_WRITABLE);
    return level3;
}

/* Cuts `count` frames off the end of the largest region of RAM. */
static frame take_run(struct boot_info *info, u64 count) {
    struct memory_region *largest = &info->ram[0];
    for (usize i = 1; i < info->ram_count; i++)
        if (info->ram[i].end - info->ram[i].start > largest->end - largest->start) largest = &info->ram[i];
    /* The builder maps at least 512 KiB behind its stack, writable, up to 4 MiB borders. */
    u64 boot_end = start_info->pt_base - KERNEL_BASE + (start_info->nr_pt_frames + 1) * PAGE_SIZE;
    boot_end = (boot_end + (512u << 10) + (4u << 20) - 1) & ~(u64)((4u << 20) - 1);
    if (MAX(largest->start, boot_end) + count * PAGE_SIZE > largest->end) panic("too little memory for the kernel's tables");
    largest->end -= count * PAGE_SIZE;
    return (frame)(largest->end / PAGE_SIZE);
}

static void operation(u32 command, frame target) {
    struct mmuext_op op = {command, physical_to_machine[target], 0};
    i64 error = hypercall4(HYPERVISOR_mmuext_op, (u64)&op, 1, 0, DOMID_SELF);
    if (error) panic("mmuext_op %u of frame %x failed: error %d", command, target, (int)-error);
}

void boot_tables(struct boot_info *info) {
    physical_to_machine = (const u64 *)start_info->mfn_list;
    u64 pages = start_info->nr_pages, level1 = (pages + 511) / 512;
    kernel_tables.states = take_run(info, (pages * TABLE_STATE + PAGE_SIZE - 1) / PAGE_SIZE);
    /* Direct map at levels 1 to 3, image at levels 1 to 3, the root, the GDT. */
    u64 count = level1 + (level1 + 511) / 512 + 1 + IMAGE_TABLES + 2 + 2;
    kernel_tables.first = next_frame = take_run(info, count);
    kernel_tables.end = kernel_tables.first + (frame)count;

    frame direct = build_direct_map(), image = build_image_map();
    kernel_tables.gdt = new_table();
    window[USER_CS32 / 8] = FLAT_USER_CODE32;
    window[USER_SS / 8] = FLAT_USER_DATA;
    window[USER_CS / 8] = FLAT_USER_CODE;
    kernel_tables.root = new_table();
    window[DIRECT_SLOT] = frame_entry(direct, ENTRY_PRESENT | ENTRY_WRITABLE);
    window[KERNEL_SLOT] = frame_entry(image, ENTRY_PRESENT | ENTRY_WRITABLE);
    move_window(image_frame((u64)window));

    operation(MMUEXT_PIN_L1_TABLE + 3, kernel_tables.root);
    operation(MMUEXT_NEW_BASEPTR, kernel_tables.root);
    /* What the builder passed is no longer mapped behind the image. */
    start_info = physical_pointer((u64)start_info - KERNEL_BASE);
    physical_to_machine = physical_pointer(start_info->mfn_list - KERNEL_BASE);
    operation(MMUEXT_UNPIN_TABLE, image_frame(start_info->pt_base));
}
