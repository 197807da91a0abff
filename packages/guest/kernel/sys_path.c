/*
 * sys_path.c: system calls that name files by path. The forms without "at" are the same with
 * AT_FDCWD.
 */
#include "defs.h"

static i64 find(i32 descriptor, u64 path_at, u32 flags, struct place *place) {
    i64 error;
    char *path = path_in(path_at, &error);
    if (!path) return error;
    struct inode *start = current->directory;
    if (*path != '/' && descriptor != AT_FDCWD) {
        struct file *file = descriptor_file(descriptor);
        if (!file || (*path && (!file->inode || !inode_is(file->inode, S_IFDIR)))) {
            release(path);
            return file ? -ENOTDIR : -EBADF;
        }
        start = file->inode;
    }
    return path_find(start, path, flags, place);
}

/* The inode that `path` names, or, with AT_EMPTY_PATH and "", the one that is open; with a count. */
static i64 find_inode(i32 descriptor, u64 path_at, u32 flags, struct inode **found) {
    char first;
    if (flags & AT_EMPTY_PATH && (!path_at || (!copy_in(&first, path_at, 1) && !first))) {
        if (descriptor == AT_FDCWD) {
            *found = current->directory;
        } else {
            struct file *file = descriptor_file(descriptor);
            if (!file) return -EBADF;
            *found = file->inode;
        }
        inode_hold(*found);
        return 0;
    }
    struct place place;
    i64 error = find(descriptor, path_at, flags & AT_SYMLINK_NOFOLLOW ? 0 : FIND_FOLLOW, &place);
    if (error) return error;
    *found = place.inode;
    inode_hold(*found);
    place_release(&place);
    return 0;
}

i64 sys_openat(i32 descriptor, u64 path_at, u32 flags, u32 mode) {
    if (flags & O_TMPFILE_BIT) return -EOPNOTSUPP;
    if ((flags & O_ACCMODE) == 3) return -EINVAL;
    bool exclusive = flags & O_CREAT && flags & O_EXCL;
    bool follow = !exclusive && !(flags & O_NOFOLLOW);
    struct place place;
    /* A name to create is looked at before a link of that name is followed: "name/" is an error. */
    i64 error = find(descriptor, path_at, flags & O_CREAT ? FIND_FREE : follow ? FIND_FOLLOW : 0, &place);
    if (error) return error;
    if (flags & O_CREAT && follow && !place.slash && place.inode && inode_is(place.inode, S_IFLNK)) {
        place_release(&place);
        error = find(descriptor, path_at, FIND_FREE | FIND_FOLLOW, &place);
        if (error) return error;
    }
    bool made = false;
    if (flags & O_CREAT && place.slash) {
        error = -EISDIR;
    } else if (!place.inode) {
        error = place_make(&place, S_IFREG | (mode & 07777 & ~current->umask), &place.inode);
        made = !error;
    } else if (exclusive) {
        error = -EEXIST;
    } else if (inode_is(place.inode, S_IFLNK) && !(flags & O_PATH)) {
        error = -ELOOP; /* O_NOFOLLOW */
    } else if (flags & O_CREAT && inode_is(place.inode, S_IFDIR)) {
        error = -EISDIR;
    }
    struct file *file = NULL;
    if (!error) error = file_open(place.inode, made ? flags & ~(u32)O_TRUNC : flags, &file);
    place_release(&place);
    return error ? error : descriptor_new(file, 0, flags & O_CLOEXEC);
}

i64 sys_open(u64 path, u32 flags, u32 mode) { return sys_openat(AT_FDCWD, path, flags, mode); }
i64 sys_creat(u64 path, u32 mode) {
    return sys_openat(AT_FDCWD, path, O_CREAT | O_WRONLY | O_TRUNC, mode);
}

static struct linux_timespec timespec_of(u64 time) {
    return (struct linux_timespec){(i64)(time / 1000000000), (i64)(time % 1000000000)};
}

static u64 blocks_of(const struct inode *inode) {
    if (!inode_is(inode, S_IFREG) || inode->kind) return 0;
    u64 initial = (inode->regular.initial_size + 511) / 512;
    return MAX(inode->regular.page_count * 8, initial);
}

static u64 device_of(const struct inode *inode) {
    if (inode->kind || (!inode_is(inode, S_IFCHR) && !inode_is(inode, S_IFBLK))) return 0;
    u64 major = inode->device.major, minor = inode->device.minor;
    return (minor & 0xff) | (major & 0xfff) << 8 | (minor & ~0xffull) << 12;
}

static i64 put_stat(u64 at, const struct inode *inode) {
    struct linux_stat stat = {
        .dev = inode->kind ? 2 : 1, .ino = inode->number, .nlink = inode->links, .mode = inode->mode,
        .uid = inode->uid, .gid = inode->gid, .rdev = device_of(inode), .size = (i64)inode->size,
        .block_size = PAGE_SIZE, .blocks = (i64)blocks_of(inode), .atime = timespec_of(inode->accessed),
        .mtime = timespec_of(inode->modified), .ctime = timespec_of(inode->changed),
    };
    return copy_out(at, &stat, sizeof stat);
}

i64 sys_newfstatat(i32 descriptor, u64 path, u64 at, u32 flags) {
    struct inode *inode;
    i64 error = find_inode(descriptor, path, flags, &inode);
    if (error) return error;
    error = put_stat(at, inode);
    inode_release(inode);
    return error;
}

i64 sys_stat(u64 path, u64 at) { return sys_newfstatat(AT_FDCWD, path, at, 0); }
i64 sys_lstat(u64 path, u64 at) { return sys_newfstatat(AT_FDCWD, path, at, AT_SYMLINK_NOFOLLOW); }

i64 sys_fstat(i32 descriptor, u64 at) {
    struct file *file = descriptor_file(descriptor);
    return file ? put_stat(at, file->inode) : -EBADF;
}

static struct linux_statx_time statx_time(u64 time) {
    return (struct linux_statx_time){(i64)(time / 1000000000), (u32)(time % 1000000000), 0};
}

i64 sys_statx(i32 descriptor, u64 path, u32 flags, u32 mask, u64 at) {
    (void)mask;
    struct inode *inode;
    i64 error = find_inode(descriptor, path, flags, &inode);
    if (error) return error;
    u64 device = device_of(inode);
    struct linux_statx stat = {
        .mask = 0x7ff, .block_size = PAGE_SIZE, .nlink = inode->links, .uid = inode->uid, .gid = inode->gid,
        .mode = (u16)inode->mode, .ino = inode->number, .size = inode->size, .blocks = blocks_of(inode),
        .atime = statx_time(inode->accessed), .mtime = statx_time(inode->modified),
        .ctime = statx_time(inode->changed), .rdev_major = (u32)(device >> 8 & 0xfff),
        .rdev_minor = (u32)((device & 0xff) | (device >> 12 & ~0xffull)),
        .dev_minor = inode->kind ? 2 : 1,
    };
    error = copy_out(at, &stat, sizeof stat);
    inode_release(inode);
    return error;
}

i64 sys_faccessat2(i32 descriptor, u64 path, u32 mode, u32 flags) {
    if (mode & ~7u) return -EINVAL;
    struct inode *inode;
    i64 error = find_inode(descriptor, path, flags, &inode);
    if (error) return error;
    /* Everybody is root: only "executable by nobody" and /proc's read-only files say no. */
    if (mode & 1 && !inode_is(inode, S_IFDIR) && !(inode->mode & 0111)) error = -EACCES;
    inode_release(inode);
    return error;
}

i64 sys_faccessat(i32 descriptor, u64 path, u32 mode) { return sys_faccessat2(descriptor, path, mode, 0); }
i64 sys_access(u64 path, u32 mode) { return sys_faccessat2(AT_FDCWD, path, mode, 0); }

i64 sys_readlinkat(i32 descriptor, u64 path, u64 at, i64 size) {
    if (size <= 0) return -EINVAL;
    struct inode *inode;
    i64 result = find_inode(descriptor, path, AT_SYMLINK_NOFOLLOW | AT_EMPTY_PATH, &inode);
    if (result) return result;
    char *text = NULL;
    if (!inode_is(inode, S_IFLNK)) result = -EINVAL;
    else if (!(text = allocate(PATH_MAX))) result = -ENOMEM;
    if (!result) {
        if (inode->kind) result = inode->kind->target(inode, text, PATH_MAX - 1);
        else result = (i64)strlen(memcpy(text, inode->link.target, strlen(inode->link.target) + 1));
    }
    if (result > 0) {
        result = MIN(result, size);
        if (copy_out(at, text, (usize)result)) result = -EFAULT;
    }
    release(text);
    inode_release(inode);
    return result;
}

i64 sys_readlink(u64 path, u64 at, i64 size) {
    char first;
    if (!copy_in(&first, path, 1) && !first) return -ENOENT;
    return sys_readlinkat(AT_FDCWD, path, at, size);
}

/* Makes a new name: a directory, or a node of the given type. */
static i64 make(i32 descriptor, u64 path, u32 mode, u64 device) {
    struct place place;
    i64 error = find(descriptor, path, FIND_FREE, &place);
    if (error) return error;
    struct inode *inode;
    error = place_make(&place, mode, &inode);
    if (!error) {
        if (inode_is(inode, S_IFCHR) || inode_is(inode, S_IFBLK))
            device_set(inode, (u32)(device >> 8 & 0xfff), (u32)((device & 0xff) | (device >> 12 & ~0xffull)));
        inode_release(inode);
    }
    place_release(&place);
    return error;
}

i64 sys_mkdirat(i32 descriptor, u64 path, u32 mode) {
    return make(descriptor, path, S_IFDIR | (mode & 01777 & ~current->umask), 0);
}

i64 sys_mkdir(u64 path, u32 mode) { return sys_mkdirat(AT_FDCWD, path, mode); }

i64 sys_mknodat(i32 descriptor, u64 path, u32 mode, u64 device) {
    u32 type = mode & S_IFMT ? mode & S_IFMT : S_IFREG;
    if (type == S_IFDIR) return -EPERM;
    if (type != S_IFREG && type != S_IFIFO && type != S_IFCHR && type != S_IFBLK) return -EINVAL;
    return make(descriptor, path, type | (mode & 07777 & ~current->umask), device);
}

i64 sys_mknod(u64 path, u32 mode, u64 device) { return sys_mknodat(AT_FDCWD, path, mode, device); }

i64 sys_symlinkat(u64 target_at, i32 descriptor, u64 path) {
    i64 error;
    char *target = path_in(target_at, &error);
    if (!target) return error;
    usize length = strlen(target);
    struct place place;
    error = length ? find(descriptor, path, FIND_FREE, &place) : -ENOENT;
    if (!error) {
        struct inode *inode = NULL;
        char *text = allocate(length + 1);
        error = text ? place_make(&place, S_IFLNK | 0777, &inode) : -ENOMEM;
        if (!error) {
            memcpy(text, target, length + 1);
            inode->link.target = text;
            inode->size = length;
            inode_release(inode);
        } else {
            release(text);
        }
        place_release(&place);
    }
    release(target);
    return error;
}

i64 sys_symlink(u64 target, u64 path) { return sys_symlinkat(target, AT_FDCWD, path); }

i64 sys_linkat(i32 old_descriptor, u64 old, i32 new_descriptor, u64 new, u32 flags) {
    struct inode *inode;
    u32 how = (flags & AT_SYMLINK_FOLLOW ? 0 : AT_SYMLINK_NOFOLLOW) | (flags & AT_EMPTY_PATH);
    i64 error = find_inode(old_descriptor, old, how, &inode);
    if (error) return error;
    struct place place;
    error = find(new_descriptor, new, FIND_FREE, &place);
    if (!error) {
        if (place.inode) error = -EEXIST;
        else if (place.slash) error = -ENOENT;
        else if (inode_is(inode, S_IFDIR)) error = -EPERM;
        else if (inode->kind) error = -EXDEV;
        else if (!inode->links) error = -ENOENT;
        else error = directory_add(place.directory, place.name, place.length, inode);
        if (!error) inode->changed = time_now();
        place_release(&place);
    }
    inode_release(inode);
    return error;
}

i64 sys_link(u64 old, u64 new) { return sys_linkat(AT_FDCWD, old, AT_FDCWD, new, 0); }

i64 sys_unlinkat(i32 descriptor, u64 path, u32 flags) {
    if (flags & ~(u32)AT_REMOVEDIR) return -EINVAL;
    struct place place;
    i64 error = find(descriptor, path, FIND_FREE, &place);
    if (error) return error;
    bool directory = flags & AT_REMOVEDIR;
    if (!place.inode) error = -ENOENT;
    else if (!place.length && !directory) error = -EISDIR;
    else if (!place.length) error = !place.name ? -EBUSY : place.name[1] == '.' ? -ENOTEMPTY : -EINVAL;
    else if (place.slash && !directory) error = inode_is(place.inode, S_IFDIR) ? -EISDIR : -ENOTDIR;
    else error = directory_remove(place.directory, place.name, place.length, directory);
    place_release(&place);
    return error;
}

i64 sys_unlink(u64 path) { return sys_unlinkat(AT_FDCWD, path, 0); }
i64 sys_rmdir(u64 path) { return sys_unlinkat(AT_FDCWD, path, AT_REMOVEDIR); }

i64 sys_renameat2(i32 old_descriptor, u64 old, i32 new_descriptor, u64 new, u32 flags) {
    if (flags & ~1u) return -EINVAL; /* only RENAME_NOREPLACE */
    struct place from, to;
    i64 error = find(old_descriptor, old, FIND_FREE, &from);
    if (error) return error;
    error = find(new_descriptor, new, FIND_FREE, &to);
    if (!error) {
        if (!from.length || !to.length) error = -EBUSY;
        else if (!from.inode) error = -ENOENT;
        else if ((from.slash || to.slash) && !inode_is(from.inode, S_IFDIR)) error = -ENOTDIR;
        else
            error = directory_rename(from.directory, from.name, from.length, to.directory, to.name, to.length,
                                     !(flags & 1));
        place_release(&to);
    }
    place_release(&from);
    return error;
}

i64 sys_renameat(i32 old_descriptor, u64 old, i32 new_descriptor, u64 new) {
    return sys_renameat2(old_descriptor, old, new_descriptor, new, 0);
}

i64 sys_rename(u64 old, u64 new) { return sys_renameat2(AT_FDCWD, old, AT_FDCWD, new, 0); }

static i64 enter(struct inode *inode) {
    if (!inode_is(inode, S_IFDIR)) {
        inode_release(inode);
        return -ENOTDIR;
    }
    inode_release(current->directory);
    current->directory = inode;
    return 0;
}

i64 sys_chdir(u64 path) {
    struct inode *inode;
    i64 error = find_inode(AT_FDCWD, path, 0, &inode);
    return error ? error : enter(inode);
}

i64 sys_fchdir(i32 descriptor) {
    struct file *file = descriptor_file(descriptor);
    if (!file) return -EBADF;
    inode_hold(file->inode);
    return enter(file->inode);
}

i64 sys_getcwd(u64 at, u64 size) {
    char *path = allocate(PATH_MAX);
    if (!path) return -ENOMEM;
    i64 length = directory_path(current->directory, path, MIN(size, PATH_MAX));
    if (length > 0 && copy_out(at, path, (usize)length)) length = -EFAULT;
    release(path);
    return length;
}

static i64 change_mode(struct inode *inode, u32 mode) {
    i64 error = inode->kind ? -EPERM : 0;
    if (!error) {
        inode->mode = (inode->mode & S_IFMT) | (mode & 07777);
        inode->changed = time_now();
    }
    return error;
}

i64 sys_fchmodat(i32 descriptor, u64 path, u32 mode) {
    struct inode *inode;
    i64 error = find_inode(descriptor, path, 0, &inode);
    if (error) return error;
    error = change_mode(inode, mode);
    inode_release(inode);
    return error;
}

i64 sys_chmod(u64 path, u32 mode) { return sys_fchmodat(AT_FDCWD, path, mode); }

i64 sys_fchmod(i32 descriptor, u32 mode) {
    struct file *file = descriptor_file(descriptor);
    return file ? change_mode(file->inode, mode) : -EBADF;
}

static i64 change_owner(struct inode *inode, u32 uid, u32 gid) {
    if (inode->kind) return -EPERM;
    if (uid != ~0u) inode->uid = uid;
    if (gid != ~0u) inode->gid = gid;
    if (inode_is(inode, S_IFREG)) inode->mode &= ~(S_ISUID | S_ISGID);
    inode->changed = time_now();
    return 0;
}

i64 sys_fchownat(i32 descriptor, u64 path, u32 uid, u32 gid, u32 flags) {
    struct inode *inode;
    i64 error = find_inode(descriptor, path, flags, &inode);
    if (error) return error;
    error = change_owner(inode, uid, gid);
    inode_release(inode);
    return error;
}

i64 sys_chown(u64 path, u32 uid, u32 gid) { return sys_fchownat(AT_FDCWD, path, uid, gid, 0); }
i64 sys_lchown(u64 path, u32 uid, u32 gid) {
    return sys_fchownat(AT_FDCWD, path, uid, gid, AT_SYMLINK_NOFOLLOW);
}

i64 sys_fchown(i32 descriptor, u32 uid, u32 gid) {
    struct file *file = descriptor_file(descriptor);
    return file ? change_owner(file->inode, uid, gid) : -EBADF;
}

i64 sys_umask(u32 mask) {
    u32 before = current->umask;
    current->umask = mask & 0777;
    return before;
}

#define UTIME_NOW 0x3fffffff
#define UTIME_OMIT 0x3ffffffe

/* Times as timespecs in the kernel; NULL: now. */
static i64 change_times(i32 descriptor, u64 path, const struct linux_timespec *times, u32 flags) {
    struct inode *inode;
    i64 error = find_inode(descriptor, path, path ? flags : AT_EMPTY_PATH, &inode);
    if (error) return error;
    u64 now = time_now(), *fields[2] = {&inode->accessed, &inode->modified};
    for (int i = 0; i < 2 && !error; i++) {
        if (!times || times[i].nanoseconds == UTIME_NOW) *fields[i] = now;
        else if (times[i].nanoseconds == UTIME_OMIT) continue;
        else if (times[i].nanoseconds < 0 || times[i].nanoseconds >= 1000000000 || times[i].seconds < 0)
            error = -EINVAL;
        else *fields[i] = (u64)times[i].seconds * 1000000000 + (u64)times[i].nanoseconds;
    }
    inode->changed = now;
    inode_release(inode);
    return error;
}

i64 sys_utimensat(i32 descriptor, u64 path, u64 at, u32 flags) {
    struct linux_timespec times[2];
    if (at && copy_in(times, at, sizeof times)) return -EFAULT;
    return change_times(descriptor, path, at ? times : NULL, flags);
}

i64 sys_futimesat(i32 descriptor, u64 path, u64 at) {
    struct linux_timespec times[2] = {{0, 0}, {0, 0}};
    if (at && copy_in(times, at, sizeof times)) return -EFAULT;
    if (at && (times[0].nanoseconds >= 1000000 || times[1].nanoseconds >= 1000000)) return -EINVAL;
    times[0].nanoseconds *= 1000;
    times[1].nanoseconds *= 1000;
    return change_times(descriptor, path, at ? times : NULL, 0);
}

i64 sys_utimes(u64 path, u64 at) { return sys_futimesat(AT_FDCWD, path, at); }

i64 sys_utime(u64 path, u64 at) {
    i64 seconds[2] = {0, 0};
    if (at && copy_in(seconds, at, sizeof seconds)) return -EFAULT;
    struct linux_timespec times[2] = {{seconds[0], 0}, {seconds[1], 0}};
    return change_times(AT_FDCWD, path, at ? times : NULL, 0);
}

i64 sys_truncate(u64 path, i64 size) {
    struct inode *inode;
    i64 error = find_inode(AT_FDCWD, path, 0, &inode);
    if (error) return error;
    if (inode_is(inode, S_IFDIR)) error = -EISDIR;
    else if (size < 0 || !inode_is(inode, S_IFREG) || inode->kind) error = -EINVAL;
    else if (inode->regular.executions) error = -ETXTBSY;
    else error = inode_resize(inode, (u64)size);
    inode_release(inode);
    return error;
}

static i64 put_statfs(u64 at, const struct inode *inode) {
    struct linux_statfs stat = {
        .type = inode->kind ? 0x9fa0 : 0x01021994, /* procfs, tmpfs */
        .block_size = PAGE_SIZE, .fragment_size = PAGE_SIZE, .name_length = NAME_MAX,
    };
    if (!inode->kind) {
        stat.blocks = (i64)frame_total();
        stat.blocks_free = stat.blocks_available = (i64)frame_available();
        stat.files = stat.files_free = (i64)frame_available();
    }
    return copy_out(at, &stat, sizeof stat);
}

i64 sys_statfs(u64 path, u64 at) {
    struct inode *inode;
    i64 error = find_inode(AT_FDCWD, path, 0, &inode);
    if (error) return error;
    error = put_statfs(at, inode);
    inode_release(inode);
    return error;
}

i64 sys_fstatfs(i32 descriptor, u64 at) {
    struct file *file = descriptor_file(descriptor);
    return file ? put_statfs(at, file->inode) : -EBADF;
}
