/*
 * file.c: open files, the descriptors that name them, and the kinds that need few words:
 * regular files, directories, texts of /proc, and the memory devices.
 */
#include "defs.h"

struct file *file_new(const struct file_kind *kind, u32 flags) {
    struct file *file = allocate(sizeof *file);
    if (!file) return NULL;
    file->users = 1;
    file->kind = kind;
    file->flags = flags & ~(u32)(O_CREAT | O_EXCL | O_NOCTTY | O_TRUNC | O_CLOEXEC);
    return file;
}

void file_hold(struct file *file) { file->users++; }

void file_release(struct file *file) {
    if (--file->users) return;
    if (file->kind && file->kind->close) file->kind->close(file);
    if (file->kind == &regular_kind && file_writable(file)) file->inode->regular.writers--;
    if (file->inode) inode_release(file->inode);
    if (file->text) {
        release(file->text->bytes);
        release(file->text);
    }
    release(file);
}

bool file_readable(const struct file *file) {
    return (file->flags & O_ACCMODE) != O_WRONLY && !(file->flags & O_PATH);
}

bool file_writable(const struct file *file) {
    return (file->flags & O_ACCMODE) != O_RDONLY && !(file->flags & O_PATH);
}

/* The file of a descriptor, without a count, or NULL. */
struct file *descriptor_file(i32 descriptor) {
    if (descriptor < 0 || descriptor >= FILES) return NULL;
    return current->files->file[descriptor];
}

void descriptor_set(i32 descriptor, struct file *file, bool close_on_exec) {
    struct files *files = current->files;
    u64 bit = 1ull << descriptor % 64;
    files->file[descriptor] = file;
    if (file && descriptor >= files->end) files->end = descriptor + 1;
    while (files->end && !files->file[files->end - 1]) files->end--;
    files->close_on_exec[descriptor / 64] &= ~bit;
    if (close_on_exec) files->close_on_exec[descriptor / 64] |= bit;
}

bool descriptor_close_on_exec(i32 descriptor) {
    return current->files->close_on_exec[descriptor / 64] >> descriptor % 64 & 1;
}

/* Takes the lowest free descriptor from `lowest` on for the file; takes over its count. */
i64 descriptor_new(struct file *file, i32 lowest, bool close_on_exec) {
    for (i32 d = lowest; d < FILES; d++) {
        if (current->files->file[d]) continue;
        descriptor_set(d, file, close_on_exec);
        return d;
    }
    file_release(file);
    return -EMFILE;
}

i64 descriptor_close(i32 descriptor) {
    struct file *file = descriptor_file(descriptor);
    if (!file) return -EBADF;
    descriptor_set(descriptor, NULL, false);
    file_release(file);
    return 0;
}

struct files *files_copy(const struct files *files) {
    struct files *copy = allocate(sizeof *copy);
    if (!copy) return NULL;
    memcpy(copy->close_on_exec, files->close_on_exec, sizeof copy->close_on_exec);
    copy->end = files->end;
    for (i32 d = 0; d < copy->end; d++) {
        copy->file[d] = files->file[d];
        if (copy->file[d]) file_hold(copy->file[d]);
    }
    return copy;
}

void files_release(struct files *files) {
    for (i32 d = 0; d < files->end; d++)
        if (files->file[d]) file_release(files->file[d]);
    release(files);
}

void files_close_on_exec(struct files *files) {
    for (i32 d = 0; d < files->end; d++)
        if (files->close_on_exec[d / 64] >> d % 64 & 1) descriptor_close(d);
}

/* Opens an inode: gives a file, or an error. */
i64 file_open(struct inode *inode, u32 flags, struct file **opened) {
    bool writing = (flags & O_ACCMODE) != O_RDONLY;
    struct file *file = file_new(NULL, flags | O_LARGEFILE);
    if (!file) return -ENOMEM;
    inode_hold(inode);
    file->inode = inode;
    i64 error = 0;
    if (flags & O_PATH) {
        file->kind = inode_is(inode, S_IFDIR) ? &directory_kind : &regular_kind;
    } else if (flags & O_DIRECTORY && !inode_is(inode, S_IFDIR)) {
        error = -ENOTDIR;
    } else if (inode_is(inode, S_IFDIR)) {
        file->kind = &directory_kind;
        if (writing) error = -EISDIR;
    } else if (inode->kind) {
        error = writing ? -EACCES : text_open(inode, file);
    } else if (inode_is(inode, S_IFREG)) {
        if (writing && inode->regular.executions) {
            file_release(file);
            return -ETXTBSY;
        }
        file->kind = &regular_kind;
        if (writing) inode->regular.writers++;
        if (flags & O_TRUNC && writing && inode->size) error = inode_resize(inode, 0);
    } else if (inode_is(inode, S_IFCHR)) {
        file->kind = inode->device.kind;
        if (!file->kind) error = -ENXIO;
        else if (file->kind == &console_kind) error = console_open(inode, flags);
    } else if (inode_is(inode, S_IFIFO)) {
        error = pipe_open(inode, file);
    } else {
        error = -ENXIO;
    }
    if (error) {
        file_release(file);
        return error;
    }
    *opened = file;
    return 0;
}

static i64 regular_read(struct file *file, struct buffer *to, u64 *offset) {
    i64 count = inode_read(file->inode, to, *offset);
    if (count > 0) *offset += (u64)count;
    return count;
}

static i64 regular_write(struct file *file, struct buffer *from, u64 *offset) {
    if (file->flags & O_APPEND) *offset = file->inode->size;
    i64 count = inode_write(file->inode, from, *offset);
    if (count > 0) *offset += (u64)count;
    return count;
}

static i64 regular_control(struct file *file, u32 request, u64 argument) {
    if (request != FIONREAD) return -ENOTTY;
    i32 left = file->inode->size > file->offset ? (i32)(file->inode->size - file->offset) : 0;
    return copy_out(argument, &left, sizeof left);
}

static u32 always_ready(struct file *file) {
    (void)file;
    return POLLIN | POLLRDNORM | POLLOUT | POLLWRNORM;
}

static i64 directory_read(struct file *file, struct buffer *to, u64 *offset) {
    (void)file, (void)to, (void)offset;
    return -EISDIR;
}

static i64 text_read(struct file *file, struct buffer *to, u64 *offset) {
    if (*offset >= file->text->length) return 0;
    usize part = MIN(to->left, file->text->length - *offset);
    i64 error = buffer_put(to, file->text->bytes + *offset, part);
    if (error) return error;
    *offset += part;
    return (i64)part;
}

/* A file of /proc: its text is made once, when it is opened. */
i64 text_open(struct inode *inode, struct file *file) {
    file->kind = &text_kind;
    file->text = allocate(sizeof *file->text);
    if (!file->text) return -ENOMEM;
    file->text->bytes = allocate(PAGE_SIZE);
    if (!file->text->bytes) return -ENOMEM;
    file->text->capacity = PAGE_SIZE;
    return inode->kind->content(inode, file->text);
}

static i64 null_read(struct file *file, struct buffer *to, u64 *offset) {
    (void)file, (void)to, (void)offset;
    return 0;
}

static i64 null_write(struct file *file, struct buffer *from, u64 *offset) {
    (void)file, (void)offset;
    return (i64)from->left;
}

static i64 zero_read(struct file *file, struct buffer *to, u64 *offset) {
    (void)file, (void)offset;
    i64 count = (i64)to->left;
    i64 error = buffer_clear(to, to->left);
    return error ? error : count;
}

static i64 full_write(struct file *file, struct buffer *from, u64 *offset) {
    (void)file, (void)offset;
    return from->left ? -ENOSPC : 0;
}

static i64 random_read(struct file *file, struct buffer *to, u64 *offset) {
    (void)file, (void)offset;
    i64 count = (i64)to->left;
    while (to->left) {
        u64 word = random_word();
        i64 error = buffer_put(to, &word, MIN(to->left, sizeof word));
        if (error) return error;
    }
    return count;
}

/* A fixed sequence (splitmix64): runs of a machine must be the same each time. */
u64 random_word(void) {
    static u64 state = 0x52494e4753494445;
    u64 z = state += 0x9e3779b97f4a7c15;
    z = (z ^ z >> 30) * 0xbf58476d1ce4e5b9;
    z = (z ^ z >> 27) * 0x94d049bb133111eb;
    return z ^ z >> 31;
}

const struct file_kind regular_kind = {
    .read = regular_read, .write = regular_write, .control = regular_control, .poll = always_ready,
    .seekable = true};
const struct file_kind directory_kind = {
    .read = directory_read, .poll = always_ready, .seekable = true};
const struct file_kind text_kind = {.read = text_read, .poll = always_ready, .seekable = true};
const struct file_kind null_kind = {
    .read = null_read, .write = null_write, .poll = always_ready, .seekable = true};
const struct file_kind zero_kind = {
    .read = zero_read, .write = null_write, .poll = always_ready, .seekable = true};
const struct file_kind full_kind = {
    .read = zero_read, .write = full_write, .poll = always_ready, .seekable = true};
const struct file_kind random_kind = {
    .read = random_read, .write = null_write, .poll = always_ready};

/* Linux's device numbers. */
void device_set(struct inode *inode, u32 major, u32 minor) {
    static const struct {
        u32 major, minor;
        const struct file_kind *kind;
    } devices[] = {
        {1, 3, &null_kind}, {1, 5, &zero_kind}, {1, 7, &full_kind}, {1, 8, &random_kind},
        {1, 9, &random_kind}, {5, 0, &console_kind}, {5, 1, &console_kind}, {4, 64, &console_kind},
    };
    inode->device.major = major;
    inode->device.minor = minor;
    inode->device.kind = NULL;
    if (!inode_is(inode, S_IFCHR)) return;
    for (usize i = 0; i < ARRAY_LENGTH(devices); i++)
        if (devices[i].major == major && devices[i].minor == minor)
            inode->device.kind = devices[i].kind;
}
