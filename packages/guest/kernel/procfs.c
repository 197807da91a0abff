/*
 * procfs.c: /proc, made up when somebody looks: what programs ask for at their start, and ps.
 */
#include "defs.h"

enum {
    PROC_ROOT, PROC_SELF, PROC_PROCESS, PROC_FD, PROC_FD_LINK, PROC_EXE, PROC_CWD, PROC_ROOT_LINK,
    PROC_MAPS, PROC_STAT, PROC_STATUS, PROC_CMDLINE, PROC_COMM, PROC_STATM, PROC_ENVIRON,
    PROC_PROCESS_MOUNTS, PROC_MEMINFO, PROC_UPTIME, PROC_VERSION, PROC_MOUNTS, PROC_FILESYSTEMS,
    PROC_CPUINFO, PROC_LOADAVG, PROC_SYSTEM_STAT, PROC_COMMAND_LINE,
};

static const struct name {
    const char *name;
    int what;
    u32 mode;
} root_names[] = {
    {"self", PROC_SELF, S_IFLNK | 0777}, {"meminfo", PROC_MEMINFO, S_IFREG | 0444},
    {"uptime", PROC_UPTIME, S_IFREG | 0444}, {"version", PROC_VERSION, S_IFREG | 0444},
    {"mounts", PROC_MOUNTS, S_IFREG | 0444}, {"filesystems", PROC_FILESYSTEMS, S_IFREG | 0444},
    {"cpuinfo", PROC_CPUINFO, S_IFREG | 0444}, {"loadavg", PROC_LOADAVG, S_IFREG | 0444},
    {"stat", PROC_SYSTEM_STAT, S_IFREG | 0444}, {"cmdline", PROC_COMMAND_LINE, S_IFREG | 0444},
}, process_names[] = {
    {"fd", PROC_FD, S_IFDIR | 0500}, {"exe", PROC_EXE, S_IFLNK | 0777},
    {"cwd", PROC_CWD, S_IFLNK | 0777}, {"root", PROC_ROOT_LINK, S_IFLNK | 0777},
    {"maps", PROC_MAPS, S_IFREG | 0444}, {"stat", PROC_STAT, S_IFREG | 0444},
    {"status", PROC_STATUS, S_IFREG | 0444}, {"cmdline", PROC_CMDLINE, S_IFREG | 0444},
    {"comm", PROC_COMM, S_IFREG | 0444}, {"statm", PROC_STATM, S_IFREG | 0444},
    {"environ", PROC_ENVIRON, S_IFREG | 0400}, {"mounts", PROC_PROCESS_MOUNTS, S_IFREG | 0444},
};

static const struct inode_kind proc_kind;

static struct inode *make(int what, u32 mode, i32 pid, i32 number) {
    struct inode *inode = inode_new(mode);
    if (!inode) return NULL;
    inode->kind = &proc_kind;
    inode->links = inode_is(inode, S_IFDIR) ? 2 : 1;
    inode->uid = inode->gid = 0;
    inode->number = 1ull << 40 | (u64)pid << 20 | (u64)what << 12 | (u64)number;
    inode->proc.what = what;
    inode->proc.pid = pid;
    inode->proc.number = number;
    return inode;
}

struct inode *proc_root(void) { return make(PROC_ROOT, S_IFDIR | 0555, 0, 0); }

/* The decimal number that is a whole name, or -1. */
static i32 number_of(const char *name, usize length) {
    i32 value = 0;
    if (!length || length > 5) return -1;
    for (usize i = 0; i < length; i++) {
        if (name[i] < '0' || name[i] > '9') return -1;
        value = value * 10 + (name[i] - '0');
    }
    return value;
}

static const struct name *find_name(const struct name *names, usize count, const char *name, usize length) {
    for (usize i = 0; i < count; i++)
        if (strlen(names[i].name) == length && !memcmp(names[i].name, name, length)) return &names[i];
    return NULL;
}

static i64 proc_lookup(struct inode *directory, const char *name, usize length, struct inode **found) {
    i32 number = number_of(name, length), pid = directory->proc.pid;
    const struct name *known = NULL;
    struct process *process;
    *found = NULL;
    switch (directory->proc.what) {
    case PROC_ROOT:
        known = find_name(root_names, ARRAY_LENGTH(root_names), name, length);
        if (known) *found = make(known->what, known->mode, 0, 0);
        else if (number > 0 && process_find(number)) *found = make(PROC_PROCESS, S_IFDIR | 0555, number, 0);
        else return -ENOENT;
        break;
    case PROC_PROCESS:
        known = find_name(process_names, ARRAY_LENGTH(process_names), name, length);
        if (!known) return -ENOENT;
        *found = make(known->what, known->mode, pid, 0);
        break;
    case PROC_FD:
        process = process_find(pid);
        if (number < 0 || number >= FILES || !process || !process->files || !process->files->file[number])
            return -ENOENT;
        *found = make(PROC_FD_LINK, S_IFLNK | 0700, pid, number);
        break;
    default:
        return -ENOTDIR;
    }
    return *found ? 0 : -ENOMEM;
}

static usize print_number(char *name, u64 number) {
    struct text text = {name, 0, 20};
    text_print(&text, "%l", number);
    name[text.length] = 0;
    return text.length;
}

/* The entry at `position` (0 and 1 are "." and ".."): the next position, or 0 at the end. */
static i64 proc_list(struct inode *directory, u64 position, char *name, u64 *number, u8 *type) {
    u64 index = position - 2;
    const struct name *names = directory->proc.what == PROC_ROOT ? root_names : process_names;
    u64 count = directory->proc.what == PROC_ROOT ? ARRAY_LENGTH(root_names) : ARRAY_LENGTH(process_names);
    *number = 1ull << 40 | position;
    if (directory->proc.what == PROC_FD) {
        struct process *process = process_find(directory->proc.pid);
        if (!process || !process->files) return 0;
        for (; index < FILES; index++) {
            if (!process->files->file[index]) continue;
            print_number(name, index);
            *type = S_IFLNK >> 12;
            return (i64)index + 3;
        }
        return 0;
    }
    if (index < count) {
        memcpy(name, names[index].name, strlen(names[index].name) + 1);
        *type = (u8)(names[index].mode >> 12);
        return (i64)position + 1;
    }
    if (directory->proc.what != PROC_ROOT) return 0;
    for (u64 slot = index - count; slot < (u64)process_slots; slot++) {
        if (!process_table[slot]) continue;
        print_number(name, (u64)process_table[slot]->pid);
        *type = S_IFDIR >> 12;
        return (i64)(slot + count + 3);
    }
    return 0;
}

static struct inode *proc_jump(struct inode *link) {
    struct process *process = process_find(link->proc.pid);
    struct inode *target = NULL;
    if (link->proc.what == PROC_SELF) return make(PROC_PROCESS, S_IFDIR | 0555, current->pid, 0);
    if (!process) return NULL;
    switch (link->proc.what) {
    case PROC_EXE:
        target = process->space ? process->space->executable : NULL;
        break;
    case PROC_CWD:
        target = process->directory;
        break;
    case PROC_ROOT_LINK:
        target = root_directory;
        break;
    case PROC_FD_LINK:
        if (process->files && process->files->file[link->proc.number])
            target = process->files->file[link->proc.number]->inode;
        break;
    }
    if (target) inode_hold(target);
    return target;
}

/* Finds a path of an inode below a directory, depth first; the file system is small. */
static bool find_path(struct inode *directory, const struct inode *wanted, struct text *path, int depth) {
    if (depth > 16) return false;
    for (struct entry *e = directory->directory.entries; e; e = e->next) {
        usize before = path->length;
        text_print(path, "/");
        for (int i = 0; i < e->length; i++) text_print(path, "%c", e->name[i]);
        if (e->inode == wanted) return true;
        if (inode_is(e->inode, S_IFDIR) && !e->inode->kind && find_path(e->inode, wanted, path, depth + 1))
            return true;
        path->length = before;
    }
    return false;
}

static void print_path(struct text *out, struct inode *inode) {
    if (inode_is(inode, S_IFDIR)) {
        char *path = allocate(PATH_MAX);
        if (!path) return;
        if (directory_path(inode, path, PATH_MAX) > 0) text_print(out, "%s", path);
        release(path);
    } else if (inode_is(inode, S_IFIFO) && !inode->links) {
        text_print(out, "pipe:[%l]", inode->number);
    } else if (!find_path(root_directory, inode, out, 0)) {
        text_print(out, "/%l (deleted)", inode->number);
    }
}

static i64 proc_target(struct inode *link, char *path, usize capacity) {
    struct text text = {path, 0, capacity};
    if (link->proc.what == PROC_SELF) {
        text_print(&text, "%d", current->pid);
    } else {
        struct inode *target = proc_jump(link);
        if (!target) return -ENOENT;
        print_path(&text, target);
        inode_release(target);
    }
    return (i64)text.length;
}

static void print_maps(struct text *out, const struct process *process) {
    const struct space *space = process->space;
    if (!space) return;
    for (struct area *a = space->areas; a; a = a->next) {
        text_print(out, "%h-%h %c%c%c%c %h 00:00 %l", a->start, a->end,
                   a->protection & PROT_READ ? 'r' : '-', a->protection & PROT_WRITE ? 'w' : '-',
                   a->protection & PROT_EXEC ? 'x' : '-', a->flags & AREA_SHARED ? 's' : 'p', a->offset,
                   a->inode ? a->inode->number : 0);
        if (a->inode) {
            text_print(out, "    ");
            print_path(out, a->inode);
        } else if (a->flags & AREA_STACK) {
            text_print(out, "    [stack]");
        } else if (a->start >= space->break_start && a->end <= space->break_end) {
            text_print(out, "    [heap]");
        }
        text_print(out, "\n");
    }
}

static u64 virtual_size(const struct process *process) {
    u64 size = 0;
    if (process->space)
        for (struct area *a = process->space->areas; a; a = a->next) size += a->end - a->start;
    return size;
}

static char state_letter(const struct process *process) {
    return "RRSTZ"[process->state];
}

static void print_stat(struct text *out, const struct process *p) {
    u64 tick = 1000000000 / CLOCK_TICKS;
    text_print(out, "%d (%s) %c %d %d %d %d %d 0 %l 0 0 0 %l 0 %l 0 20 0 1 0 %l %l %l 18446744073709551615",
               p->pid, p->name, state_letter(p), p->parent ? p->parent->pid : 0, p->group, p->session,
               console_controls(p->session) ? 1088 : 0,
               console_controls(p->session) ? console_foreground() : -1, p->minor_faults,
               p->run_time / tick, p->children_time / tick, p->started / tick, virtual_size(p),
               p->space ? p->space->resident : 0);
    text_print(out, " 0 0 0 0 0 %l %l 0 0 0 0 0 17 0 0 0 0 0 0 0 0 0 0 0 0 0 %d\n", p->pending, p->blocked,
               p->exit_status);
}

static void print_status(struct text *out, const struct process *p) {
    u64 caught = 0, ignored = 0;
    for (int i = 0; i < SIGNALS; i++) {
        if (p->signals->actions[i].handler == SIG_IGN) ignored |= 1ull << i;
        else if (p->signals->actions[i].handler != SIG_DFL) caught |= 1ull << i;
    }
    static const char *const words[] = {"R (running)", "R (running)", "S (sleeping)", "T (stopped)", "Z (zombie)"};
    text_print(out, "Name:\t%s\nUmask:\t0%c%c%c\nState:\t%s\nTgid:\t%d\nNgid:\t0\nPid:\t%d\nPPid:\t%d\n", p->name,
               '0' + (p->umask >> 6 & 7), '0' + (p->umask >> 3 & 7), '0' + (p->umask & 7),
               words[p->state], p->pid, p->pid, p->parent ? p->parent->pid : 0);
    text_print(out, "TracerPid:\t0\nUid:\t%u\t%u\t%u\t%u\nGid:\t%u\t%u\t%u\t%u\nFDSize:\t%d\n", p->uid, p->euid,
               p->suid, p->euid, p->gid, p->egid, p->sgid, p->egid, FILES);
    text_print(out, "VmSize:\t%l kB\nVmRSS:\t%l kB\nThreads:\t1\n", virtual_size(p) / 1024,
               p->space ? p->space->resident * 4 : 0);
    text_print(out, "SigPnd:\t%p\nSigBlk:\t%p\nSigIgn:\t%p\nSigCgt:\t%p\n", p->pending, p->blocked, ignored, caught);
}

/* Strings that lie in the memory of a process, its own ones or another's. */
static void print_memory(struct text *out, const struct process *p, u64 start, u64 end) {
    if (!p->space) return;
    while (start < end && out->length < out->capacity) {
        u64 *slot = space_slot(p->space, start);
        usize offset = start % PAGE_SIZE;
        usize part = MIN(MIN(end - start, PAGE_SIZE - offset), out->capacity - out->length);
        if (!slot || !*slot) return;
        memcpy(out->bytes + out->length, (u8 *)frame_pointer(machine_entry_frame(*slot)) + offset, part);
        out->length += part;
        start += part;
    }
}

static i64 print_process(struct inode *file, struct text *out) {
    const struct process *p = process_find(file->proc.pid);
    if (!p) return -ESRCH;
    switch (file->proc.what) {
    case PROC_MAPS:
        print_maps(out, p);
        return 0;
    case PROC_STAT:
        print_stat(out, p);
        return 0;
    case PROC_STATUS:
        print_status(out, p);
        return 0;
    case PROC_COMM:
        text_print(out, "%s\n", p->name);
        return 0;
    case PROC_STATM:
        text_print(out, "%l %l 0 0 0 0 0\n", virtual_size(p) / PAGE_SIZE, p->space ? p->space->resident : 0);
        return 0;
    case PROC_CMDLINE:
        if (p->space) print_memory(out, p, p->space->arguments_start, p->space->arguments_end);
        return 0;
    case PROC_ENVIRON:
        if (p->space) print_memory(out, p, p->space->arguments_end, p->space->environment_end);
        return 0;
    default:
        text_print(out, "rootfs / rootfs rw 0 0\nproc /proc proc rw 0 0\n");
        return 0;
    }
}

static i64 proc_content(struct inode *file, struct text *out) {
    u64 seconds = machine_time() / 1000000000, hundredths = machine_time() / 10000000 % 100;
    switch (file->proc.what) {
    case PROC_MEMINFO:
        text_print(out, "MemTotal:       %l kB\nMemFree:        %l kB\nMemAvailable:   %l kB\n",
                   frame_total() * 4, frame_available() * 4, frame_available() * 4);
        text_print(out, "Buffers:        0 kB\nCached:         0 kB\nSwapCached:     0 kB\n");
        text_print(out, "SwapTotal:      0 kB\nSwapFree:       0 kB\nShmem:          0 kB\n");
        return 0;
    case PROC_UPTIME:
        text_print(out, "%l.%c%c 0.00\n", seconds, '0' + (char)(hundredths / 10), '0' + (char)(hundredths % 10));
        return 0;
    case PROC_VERSION:
        text_print(out, "%s version %s (%s)\n", KERNEL_NAME, KERNEL_RELEASE, KERNEL_VERSION);
        return 0;
    case PROC_MOUNTS:
        text_print(out, "rootfs / rootfs rw 0 0\nproc /proc proc rw 0 0\n");
        return 0;
    case PROC_FILESYSTEMS:
        text_print(out, "nodev\trootfs\nnodev\tproc\n");
        return 0;
    case PROC_CPUINFO:
        text_print(out, "processor\t: 0\nflags\t\t: fpu tsc msr pae cx8 apic pge cmov fxsr sse sse2 syscall nx lm\n\n");
        return 0;
    case PROC_LOADAVG:
        text_print(out, "0.00 0.00 0.00 1/%d %d\n", process_count(), current->pid);
        return 0;
    case PROC_SYSTEM_STAT:
        text_print(out, "cpu  0 0 0 0 0 0 0 0 0 0\ncpu0 0 0 0 0 0 0 0 0 0 0\nbtime %l\nprocesses %d\n",
                   machine_boot_time() / 1000000000, process_count());
        return 0;
    case PROC_COMMAND_LINE:
        text_print(out, "%s\n", kernel_command_line);
        return 0;
    default:
        return print_process(file, out);
    }
}

static const struct inode_kind proc_kind = {
    .lookup = proc_lookup, .list = proc_list, .target = proc_target, .jump = proc_jump, .content = proc_content};

/* The path below /proc of a made-up directory; false for /proc itself. */
bool proc_name(const struct inode *directory, char *name, usize *length) {
    if (directory->proc.what == PROC_ROOT) return false;
    struct text text = {name, 0, 24};
    text_print(&text, directory->proc.what == PROC_FD ? "%d/fd" : "%d", directory->proc.pid);
    *length = text.length;
    return true;
}

/* The ".." of a made-up directory, with a count. */
struct inode *proc_parent(const struct inode *directory) {
    if (directory->proc.what == PROC_FD) return make(PROC_PROCESS, S_IFDIR | 0555, directory->proc.pid, 0);
    struct inode *root;
    return directory_lookup(root_directory, "proc", 4, &root) ? NULL : root;
}
