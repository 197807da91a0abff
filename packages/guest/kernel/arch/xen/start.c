/*
 * start.c: the first C code: what the domain builder said, and the machine made ready.
 *
 * The builder maps the image and what it passes, nothing more. kernel_main() wants all RAM, so the
 * kernel's own tables come first.
 */
#include "paravirt.h"

extern char image_start[];

const struct xen_start_info *start_info;

static struct boot_info info;

static u64 page_of(u64 address) { return address - KERNEL_BASE; }

/* Whether `word` stands alone on the command line. */
static bool has_word(const char *line, const char *word) {
    usize length = strlen(word);
    for (; *line; line++) {
        if (!memcmp(line, word, length) && (line[length] == ' ' || !line[length])) return true;
        while (*line && *line != ' ') line++;
        if (!*line) return false;
    }
    return false;
}

_Noreturn void kernel_start(const struct xen_start_info *start) {
    start_info = start;
    if (memcmp(start->magic, "xen-3.0-x86_64", 14)) panic("no start info for x86-64 at %p", (u64)start);
    u64 initrd = start->flags & SIF_MOD_START_PFN ? start->mod_start * PAGE_SIZE : page_of(start->mod_start);
    info.top = start->nr_pages * PAGE_SIZE;
    info.ram[info.ram_count++] = (struct memory_region){0, info.top};
    for (usize i = 0; i + 1 < sizeof info.command_line && start->cmd_line[i]; i++)
        info.command_line[i] = start->cmd_line[i];
    batch_off = has_word(info.command_line, "nobatch");
    if (start->mod_len) {
        info.initrd = physical_pointer(initrd);
        info.initrd_size = start->mod_len;
        memory_reserve(&info, initrd, initrd + start->mod_len);
    }
    memory_reserve(&info, 0, PAGE_SIZE); /* frame 0 is none */
    /* The image, then what the builder adds; the boot tables come last but one, before their stack. */
    memory_reserve(&info, page_of((u64)image_start), page_of(start->pt_base) + (start->nr_pt_frames + 1) * PAGE_SIZE);
    boot_tables(&info);
    kernel_main(&info);
}

void machine_init(const struct boot_info *boot) {
    (void)boot;
    tables_init();
    segments_init();
    events_init();
    console_start();
    clock_init();
}
