/*
 * sys_file.c: system calls on open files.
 */
#include "defs.h"

#define IOV_MAX 1024
#define COUNT_MAX 0x7ffff000ull /* Linux moves at most this many bytes in one call */

static i64 read_file(struct file *file, struct buffer *to, u64 *offset) {
    if (!file_readable(file)) return -EBADF;
    return file->kind->read ? file->kind->read(file, to, offset) : -EINVAL;
}

static i64 write_file(struct file *file, struct buffer *from, u64 *offset) {
    if (!file_writable(file)) return -EBADF;
    return file->kind->write ? file->kind->write(file, from, offset) : -EINVAL;
}

i64 sys_read(i32 descriptor, u64 at, u64 count) {
    struct file *file = descriptor_file(descriptor);
    if (!file) return -EBADF;
    struct buffer to = user_buffer(at, MIN(count, COUNT_MAX));
    file_hold(file);
    i64 result = read_file(file, &to, &file->offset);
    file_release(file);
    return result;
}

i64 sys_write(i32 descriptor, u64 at, u64 count) {
    struct file *file = descriptor_file(descriptor);
    if (!file) return -EBADF;
    struct buffer from = user_buffer(at, MIN(count, COUNT_MAX));
    file_hold(file);
    i64 result = write_file(file, &from, &file->offset);
    file_release(file);
    return result;
}

i64 sys_pread64(i32 descriptor, u64 at, u64 count, i64 offset) {
    struct file *file = descriptor_file(descriptor);
    if (!file) return -EBADF;
    if (offset < 0) return -EINVAL;
    if (!file->kind->seekable) return -ESPIPE;
    struct buffer to = user_buffer(at, MIN(count, COUNT_MAX));
    u64 position = (u64)offset;
    return read_file(file, &to, &position);
}

i64 sys_pwrite64(i32 descriptor, u64 at, u64 count, i64 offset) {
    struct file *file = descriptor_file(descriptor);
    if (!file) return -EBADF;
    if (offset < 0) return -EINVAL;
    if (!file->kind->seekable) return -ESPIPE;
    struct buffer from = user_buffer(at, MIN(count, COUNT_MAX));
    u64 position = (u64)offset;
    return write_file(file, &from, &position);
}

/* One part after the other; what was moved before an error or a short part counts. */
static i64 vector(i32 descriptor, u64 array, u64 count,
                  i64 (*move)(struct file *, struct buffer *, u64 *)) {
    struct file *file = descriptor_file(descriptor);
    if (!file) return -EBADF;
    if (count > IOV_MAX) return -EINVAL;
    file_hold(file);
    i64 done = 0, result = 0;
    for (u64 i = 0; i < count; i++) {
        struct linux_iovec part;
        result = copy_in(&part, array + i * sizeof part, sizeof part);
        if (result) break;
        if ((i64)part.length < 0) {
            result = -EINVAL;
            break;
        }
        if (!part.length) continue;
        struct buffer buffer = user_buffer(part.base, MIN(part.length, COUNT_MAX));
        result = move(file, &buffer, &file->offset);
        if (result <= 0) break;
        done += result;
        if ((u64)result < part.length) break;
    }
    file_release(file);
    return done ? done : MIN(result, 0);
}

i64 sys_readv(i32 descriptor, u64 array, u64 count) {
    return vector(descriptor, array, count, read_file);
}

i64 sys_writev(i32 descriptor, u64 array, u64 count) {
    return vector(descriptor, array, count, write_file);
}

i64 sys_sendfile(i32 to_descriptor, i32 from_descriptor, u64 offset_at, u64 count) {
    struct file *to = descriptor_file(to_descriptor), *from = descriptor_file(from_descriptor);
    if (!to || !from || !file_readable(from) || !file_writable(to)) return -EBADF;
    if (!from->kind->seekable || from->kind == &directory_kind || !to->kind->write) return -EINVAL;
    u64 position = from->offset;
    if (offset_at && copy_in(&position, offset_at, sizeof position)) return -EFAULT;
    u8 *page = allocate(PAGE_SIZE);
    if (!page) return -ENOMEM;
    file_hold(to);
    file_hold(from);
    count = MIN(count, COUNT_MAX);
    i64 done = 0, result = 0;
    while ((u64)done < count) {
        u64 before = position;
        struct buffer buffer = kernel_buffer(page, MIN(count - (u64)done, PAGE_SIZE));
        i64 got = read_file(from, &buffer, &position);
        if (got <= 0) {
            result = got;
            break;
        }
        buffer = kernel_buffer(page, (usize)got);
        result = write_file(to, &buffer, &to->offset);
        position = before + (result > 0 ? (u64)result : 0);
        if (result <= 0) break;
        done += result;
        if (result < got) break;
    }
    if (!offset_at) from->offset = position;
    file_release(to);
    file_release(from);
    release(page);
    if (offset_at && copy_out(offset_at, &position, sizeof position)) return -EFAULT;
    return done ? done : MIN(result, 0);
}

i64 sys_close(i32 descriptor) { return descriptor_close(descriptor); }

i64 sys_close_range(u32 first, u32 last, u32 flags) {
    if (first > last || flags & ~4u) return -EINVAL;
    for (u32 d = first; d <= last && d < FILES; d++) {
        struct file *file = descriptor_file((i32)d);
        if (!file) continue;
        if (flags & 4) descriptor_set((i32)d, file, true); /* CLOSE_RANGE_CLOEXEC */
        else descriptor_close((i32)d);
    }
    return 0;
}

i64 sys_lseek(i32 descriptor, i64 offset, u32 whence) {
    struct file *file = descriptor_file(descriptor);
    if (!file) return -EBADF;
    if (!file->kind->seekable) return -ESPIPE;
    i64 base = 0, size = file->inode ? (i64)file->inode->size : 0;
    switch (whence) {
    case SEEK_SET: break;
    case SEEK_CUR: base = (i64)file->offset; break;
    case SEEK_END: base = size; break;
    case SEEK_DATA:
        if (offset < 0 || offset >= size) return -ENXIO;
        break;
    case SEEK_HOLE:
        if (offset < 0 || offset >= size) return -ENXIO;
        base = size - offset;
        break;
    default: return -EINVAL;
    }
    i64 result;
    if (__builtin_add_overflow(base, offset, &result)) return -EOVERFLOW;
    if (result < 0) return -EINVAL;
    file->offset = (u64)result;
    return result;
}

i64 sys_dup(i32 descriptor) {
    struct file *file = descriptor_file(descriptor);
    if (!file) return -EBADF;
    file_hold(file);
    return descriptor_new(file, 0, false);
}

static i64 duplicate(i32 old, i32 new, bool close_on_exec) {
    struct file *file = descriptor_file(old);
    if (!file || new < 0 || new >= FILES) return -EBADF;
    file_hold(file);
    struct file *before = descriptor_file(new);
    descriptor_set(new, file, close_on_exec);
    if (before) file_release(before);
    return new;
}

i64 sys_dup2(i32 old, i32 new) {
    if (old == new) return descriptor_file(old) ? new : -EBADF;
    return duplicate(old, new, false);
}

i64 sys_dup3(i32 old, i32 new, u32 flags) {
    if (old == new || flags & ~(u32)O_CLOEXEC) return -EINVAL;
    return duplicate(old, new, flags & O_CLOEXEC);
}

i64 sys_fcntl(i32 descriptor, u32 command, u64 argument) {
    struct file *file = descriptor_file(descriptor);
    if (!file) return -EBADF;
    const u32 changeable = O_APPEND | O_NONBLOCK;
    switch (command) {
    case F_DUPFD:
    case F_DUPFD_CLOEXEC:
        if (argument >= FILES) return -EINVAL;
        file_hold(file);
        return descriptor_new(file, (i32)argument, command == F_DUPFD_CLOEXEC);
    case F_GETFD:
        return descriptor_close_on_exec(descriptor) ? FD_CLOEXEC : 0;
    case F_SETFD:
        descriptor_set(descriptor, file, argument & FD_CLOEXEC);
        return 0;
    case F_GETFL:
        return file->flags;
    case F_SETFL:
        file->flags = (file->flags & ~changeable) | ((u32)argument & changeable);
        return 0;
    case F_GETLK: {
        i16 unlocked = 2; /* F_UNLCK: nobody else holds one */
        return copy_out(argument, &unlocked, sizeof unlocked);
    }
    case F_SETLK:
    case F_SETLKW:
    case F_SETOWN:
        return 0;
    case F_GETOWN:
        return 0;
    case F_GETPIPE_SZ:
    case F_SETPIPE_SZ:
        return file->kind == &pipe_kind ? 65536 : -EBADF;
    default:
        return -EINVAL;
    }
}

i64 sys_ioctl(i32 descriptor, u32 request, u64 argument) {
    struct file *file = descriptor_file(descriptor);
    if (!file) return -EBADF;
    i32 on;
    switch (request) {
    case FIOCLEX:
    case FIONCLEX:
        descriptor_set(descriptor, file, request == FIOCLEX);
        return 0;
    case FIONBIO:
        if (copy_in(&on, argument, sizeof on)) return -EFAULT;
        file->flags = on ? file->flags | O_NONBLOCK : file->flags & ~(u32)O_NONBLOCK;
        return 0;
    default:
        return file->kind->control ? file->kind->control(file, request, argument) : -ENOTTY;
    }
}

i64 sys_pipe2(u64 at, u32 flags) {
    if (flags & ~(u32)(O_CLOEXEC | O_NONBLOCK | 040000)) return -EINVAL; /* O_DIRECT is ignored */
    struct pipe *pipe = pipe_new();
    struct inode *inode = inode_new(S_IFIFO | 0600);
    struct file *reader = NULL, *writer = NULL;
    if (pipe && inode) reader = pipe_end(pipe, inode, O_RDONLY | (flags & O_NONBLOCK));
    if (reader) writer = pipe_end(pipe, inode, O_WRONLY | (flags & O_NONBLOCK));
    if (inode) inode_release(inode);
    if (!writer) {
        if (reader) file_release(reader);
        else if (pipe) pipe_free(pipe);
        return -ENOMEM;
    }
    i32 ends[2];
    i64 result = descriptor_new(reader, 0, flags & O_CLOEXEC);
    if (result < 0) {
        file_release(writer);
        return result;
    }
    ends[0] = (i32)result;
    result = descriptor_new(writer, 0, flags & O_CLOEXEC);
    if (result < 0) {
        descriptor_close(ends[0]);
        return result;
    }
    ends[1] = (i32)result;
    if (!copy_out(at, ends, sizeof ends)) return 0;
    descriptor_close(ends[0]);
    descriptor_close(ends[1]);
    return -EFAULT;
}

i64 sys_pipe(u64 at) { return sys_pipe2(at, 0); }

i64 sys_ftruncate(i32 descriptor, i64 size) {
    struct file *file = descriptor_file(descriptor);
    if (!file) return -EBADF;
    if (size < 0 || file->kind != &regular_kind || !file_writable(file)) return -EINVAL;
    return inode_resize(file->inode, (u64)size);
}

i64 sys_fallocate(i32 descriptor, u32 mode, i64 offset, i64 length) {
    struct file *file = descriptor_file(descriptor);
    if (!file || !file_writable(file)) return -EBADF;
    if (offset < 0 || length <= 0) return -EINVAL;
    if (mode) return -EOPNOTSUPP;
    if (file->kind != &regular_kind) return -ENODEV;
    if ((u64)offset + (u64)length <= file->inode->size) return 0;
    return inode_resize(file->inode, (u64)offset + (u64)length);
}

i64 sys_fsync(i32 descriptor) { return descriptor_file(descriptor) ? 0 : -EBADF; }
i64 sys_sync(void) { return 0; }

/* Writes one entry; false when it does not fit. */
static i64 put_entry(u64 at, u64 left, u64 number, i64 next, u8 type, const char *name, usize length) {
    u64 size = (DIRENT_HEADER + length + 1 + 7) & ~7ull;
    if (size > left) return 0;
    u8 bytes[DIRENT_HEADER + NAME_MAX + 1 + 8] = {0};
    struct linux_dirent *entry = (struct linux_dirent *)bytes;
    entry->ino = number;
    entry->offset = next;
    entry->length = (u16)size;
    entry->type = type;
    memcpy(bytes + DIRENT_HEADER, name, length);
    i64 error = copy_out(at, bytes, size);
    return error ? error : (i64)size;
}

/* Positions: 0 and 1 are "." and "..", then 2 + the cookie of the entry that was given last. */
i64 sys_getdents64(i32 descriptor, u64 at, u32 size) {
    struct file *file = descriptor_file(descriptor);
    if (!file) return -EBADF;
    if (file->kind != &directory_kind || file->flags & O_PATH) return -ENOTDIR;
    struct inode *directory = file->inode;
    i64 done = 0, result = 0;
    for (;;) {
        char made_up[32];
        const char *name;
        usize length;
        u64 number, next;
        u8 type;
        if (file->offset < 2) {
            name = "..";
            length = file->offset + 1;
            number = length == 2 && directory->parent ? directory->parent->number : directory->number;
            next = file->offset + 1;
            type = S_IFDIR >> 12;
        } else if (directory->kind) {
            i64 position = directory->kind->list(directory, file->offset, made_up, &number, &type);
            if (!position) break;
            name = made_up;
            length = strlen(made_up);
            next = (u64)position;
        } else {
            const struct entry *entry = directory->directory.entries;
            while (entry && entry->cookie + 1 < file->offset) entry = entry->next;
            if (!entry) break;
            name = entry->name;
            length = entry->length;
            number = entry->inode->number;
            next = entry->cookie + 2;
            type = (u8)(entry->inode->mode >> 12 & 15);
        }
        result = put_entry(at + (u64)done, size - (u64)done, number, (i64)next, type, name, length);
        if (result <= 0) {
            if (!result && !done) result = -EINVAL;
            break;
        }
        done += result;
        file->offset = next;
    }
    return done ? done : result;
}

i64 sys_getrandom(u64 at, u64 count, u32 flags) {
    if (flags & ~7u) return -EINVAL;
    struct buffer to = user_buffer(at, MIN(count, COUNT_MAX));
    u64 offset = 0;
    return random_kind.read(NULL, &to, &offset);
}
