/*
 * main.c: from the boot stack to the first program, /init.
 */
#include "defs.h"

const char *kernel_command_line;

/* Returns the value of `key=value` on the command line (up to a blank), "" for a bare word, or NULL. */
static bool option(const char *key, char *value, usize capacity) {
    usize length = strlen(key);
    for (const char *at = kernel_command_line; *at;) {
        while (*at == ' ') at++;
        bool match = !memcmp(at, key, length) && (at[length] == '=' || at[length] == ' ' || !at[length]);
        if (match) {
            const char *from = at + length + (at[length] == '=');
            usize count = 0;
            for (; *from && *from != ' ' && count + 1 < capacity; from++) value[count++] = *from;
            value[count] = 0;
            return true;
        }
        while (*at && *at != ' ') at++;
    }
    return false;
}

static struct inode *make_directory(struct inode *parent, const char *name, u32 mode) {
    struct inode *inode;
    if (!directory_lookup(parent, name, strlen(name), &inode)) return inode;
    inode = inode_new(S_IFDIR | mode);
    if (!inode || directory_add(parent, name, strlen(name), inode)) panic("no memory for /%s", name);
    return inode;
}

static void make_link(struct inode *parent, const char *name, const char *target) {
    struct inode *inode = inode_new(S_IFLNK | 0777);
    if (!inode) panic("no memory for /dev");
    inode->link.target = allocate(strlen(target) + 1);
    if (!inode->link.target) panic("no memory for /dev");
    memcpy(inode->link.target, target, strlen(target) + 1);
    inode->size = strlen(target);
    (void)directory_add(parent, name, strlen(name), inode); /* the initrd's own one stays */
    inode_release(inode);
}

static void make_devices(void) {
    static const struct {
        const char *name;
        u32 major, minor, mode;
    } devices[] = {
        {"null", 1, 3, 0666}, {"zero", 1, 5, 0666}, {"full", 1, 7, 0666}, {"random", 1, 8, 0666},
        {"urandom", 1, 9, 0666}, {"tty", 5, 0, 0666}, {"console", 5, 1, 0600}, {"ttyS0", 4, 64, 0600},
    };
    struct inode *directory = make_directory(root_directory, "dev", 0755);
    for (usize i = 0; i < ARRAY_LENGTH(devices); i++) {
        struct inode *inode = inode_new(S_IFCHR | devices[i].mode);
        if (!inode) panic("no memory for /dev");
        device_set(inode, devices[i].major, devices[i].minor);
        (void)directory_add(directory, devices[i].name, strlen(devices[i].name), inode);
        inode_release(inode);
    }
    make_link(directory, "fd", "/proc/self/fd");
    make_link(directory, "stdin", "/proc/self/fd/0");
    make_link(directory, "stdout", "/proc/self/fd/1");
    make_link(directory, "stderr", "/proc/self/fd/2");
    inode_release(directory);
}

static void make_files(const struct boot_info *info) {
    root_directory = inode_new(S_IFDIR | 0755);
    if (!root_directory) panic("no memory for the root directory");
    root_directory->parent = root_directory;
    root_directory->links = 2;
    if (info->initrd_size) initrd_unpack(info->initrd, info->initrd_size);
    make_devices();
    inode_release(make_directory(root_directory, "tmp", 01777));
    struct inode *proc = proc_root(), *old;
    if (!directory_lookup(root_directory, "proc", 4, &old)) {
        inode_release(old);
        if (directory_remove(root_directory, "proc", 4, true)) panic("/proc of the initrd is not empty");
    }
    if (!proc || directory_add(root_directory, "proc", 4, proc)) panic("no memory for /proc");
}

static void start_init(const char *path) {
    struct process *init = process_first();
    init_process = current = init;
    struct inode *console;
    struct file *file;
    if (path_inode("/dev/console", &console) || file_open(console, O_RDWR, &file)) panic("no /dev/console");
    inode_release(console);
    descriptor_set(0, file, false);
    file_hold(file);
    descriptor_set(1, file, false);
    file_hold(file);
    descriptor_set(2, file, false);

    struct exec *exec = allocate(sizeof *exec);
    if (!exec || !(exec->path = allocate(PATH_MAX)) || strings_add(&exec->arguments, path) ||
        strings_add(&exec->environment, "HOME=/") || strings_add(&exec->environment, "TERM=linux") ||
        strings_add(&exec->environment, "PATH=/sbin:/usr/sbin:/bin:/usr/bin"))
        panic("no memory for the first process");
    memcpy(exec->path, path, strlen(path) + 1);
    i64 error = exec_program(exec);
    if (error) panic("cannot run %s: error %d", path, (int)-error);
    strings_free(&exec->arguments);
    strings_free(&exec->environment);
    release(exec->path);
    release(exec);
}

_Noreturn void kernel_main(struct boot_info *info) {
    char value[256];
    kernel_command_line = info->command_line;
    log_quiet = option("quiet", value, sizeof value);
    frame_init(info);
    machine_init(info);
    fault_init();
    log("ringside guest kernel, %l KiB of memory\n", frame_total() * 4);
    make_files(info);
    struct inode *raw;
    bool cooked = !path_inode(RINGSIDE_PATH_RAW, &raw);
    if (cooked) inode_release(raw);
    console_init(cooked);
    if (!option("init", value, sizeof value) || !*value) memcpy(value, RINGSIDE_PATH_INIT, sizeof RINGSIDE_PATH_INIT);
    start_init(value);
    log("running %s\n", value);
    struct process *init = current;
    current = NULL;
    schedule_first(init);
}
