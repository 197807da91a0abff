/*
 * inode.c: the RAM file system: inodes, and the entries of directories.
 *
 * An inode lives while an entry links it (links) or somebody uses it (users).
 */
#include "defs.h"

static u64 next_number = 1;

struct inode *inode_new(u32 mode) {
    struct inode *inode = allocate(sizeof *inode);
    if (!inode) return NULL;
    inode->users = 1;
    inode->number = next_number++;
    inode->mode = mode;
    inode->accessed = inode->modified = inode->changed = time_now();
    if (current) {
        inode->uid = current->euid;
        inode->gid = current->egid;
    }
    return inode;
}

void inode_hold(struct inode *inode) { inode->users++; }

void inode_release(struct inode *inode) {
    if (--inode->users || (inode->links && !inode->kind)) return;
    if (inode->kind) goto free;
    switch (inode->mode & S_IFMT) {
    case S_IFREG:
        inode_free_pages(inode);
        break;
    case S_IFLNK:
        release(inode->link.target);
        break;
    case S_IFIFO:
        if (inode->fifo.pipe) pipe_free(inode->fifo.pipe);
        break;
    }
free:
    release(inode);
}

bool inode_is(const struct inode *inode, u32 type) { return (inode->mode & S_IFMT) == type; }

static u32 hash_of(const char *name, usize length) {
    u32 hash = 2166136261u;
    for (usize i = 0; i < length; i++) hash = (hash ^ (u8)name[i]) * 16777619u;
    return hash;
}

static struct entry **find(struct inode *directory, const char *name, usize length) {
    u32 hash = hash_of(name, length);
    struct entry **link = &directory->directory.entries;
    for (; *link; link = &(*link)->next)
        if ((*link)->hash == hash && (*link)->length == length &&
            !memcmp((*link)->name, name, length))
            break;
    return link;
}

/* Gives the inode of a name, with a count for the caller. "." and ".." are path.c's. */
i64 directory_lookup(struct inode *directory, const char *name, usize length, struct inode **found) {
    if (directory->kind) return directory->kind->lookup(directory, name, length, found);
    struct entry *entry = *find(directory, name, length);
    if (!entry) return -ENOENT;
    inode_hold(entry->inode);
    *found = entry->inode;
    return 0;
}

static void adopt(struct inode *directory, struct inode *inode) {
    inode->links++;
    if (!inode_is(inode, S_IFDIR)) return;
    inode->links++; /* its own "." */
    inode->parent = directory;
    directory->directory.children++;
    directory->links++;
}

static void abandon(struct inode *directory, struct inode *inode) {
    inode->links--;
    inode->changed = time_now();
    if (inode_is(inode, S_IFDIR)) {
        inode->links--;
        inode->parent = NULL;
        directory->directory.children--;
        directory->links--;
    }
    /* The entry's hold goes last: links may have been what kept the inode. */
    inode_hold(inode);
    inode_release(inode);
}

i64 directory_add(struct inode *directory, const char *name, usize length, struct inode *inode) {
    if (directory->kind) return -EPERM;
    if (length > NAME_MAX) return -ENAMETOOLONG;
    if (!directory->links) return -ENOENT; /* removed while somebody stood in it */
    if (*find(directory, name, length)) return -EEXIST;
    struct entry *entry = allocate(sizeof *entry + length);
    if (!entry) return -ENOSPC;
    entry->hash = hash_of(name, length);
    entry->length = (u8)length;
    entry->inode = inode;
    entry->cookie = ++directory->directory.next_cookie;
    memcpy(entry->name, name, length);
    if (directory->directory.last) directory->directory.last->next = entry;
    else directory->directory.entries = entry;
    directory->directory.last = entry;
    directory->size += length;
    directory->modified = directory->changed = time_now();
    adopt(directory, inode);
    return 0;
}

static void remove_entry(struct inode *directory, struct entry **link) {
    struct entry *entry = *link;
    *link = entry->next;
    if (directory->directory.last == entry) {
        struct entry *last = directory->directory.entries;
        while (last && last->next) last = last->next;
        directory->directory.last = last;
    }
    directory->size -= entry->length;
    directory->modified = directory->changed = time_now();
    abandon(directory, entry->inode);
    release(entry);
}

i64 directory_remove(struct inode *directory, const char *name, usize length, bool want_directory) {
    if (directory->kind) return -EPERM;
    struct entry **link = find(directory, name, length);
    if (!*link) return -ENOENT;
    struct inode *inode = (*link)->inode;
    if (want_directory) {
        if (!inode_is(inode, S_IFDIR)) return -ENOTDIR;
        if (inode->kind) return -EBUSY;
        if (inode->directory.entries) return -ENOTEMPTY;
    } else if (inode_is(inode, S_IFDIR)) {
        return -EISDIR;
    }
    remove_entry(directory, link);
    return 0;
}

static bool inside(const struct inode *inode, const struct inode *ancestor) {
    for (; inode; inode = inode->parent) {
        if (inode == ancestor) return true;
        if (inode->parent == inode) break;
    }
    return false;
}

i64 directory_rename(struct inode *from, const char *old, usize old_length, struct inode *to,
                     const char *new, usize new_length, bool replace) {
    if (from->kind || to->kind) return -EXDEV;
    if (new_length > NAME_MAX) return -ENAMETOOLONG;
    if (!to->links) return -ENOENT;
    struct entry *source = *find(from, old, old_length);
    if (!source) return -ENOENT;
    struct inode *inode = source->inode;
    if (inode->kind) return -EBUSY;
    bool is_directory = inode_is(inode, S_IFDIR);
    if (is_directory && inside(to, inode)) return -EINVAL;
    struct entry *target = *find(to, new, new_length);
    if (target) {
        if (!replace) return -EEXIST;
        if (target->inode == inode) return 0;
        i64 error = 0;
        if (inside(from, target->inode)) error = -ENOTEMPTY;
        else if (is_directory && !inode_is(target->inode, S_IFDIR)) error = -ENOTDIR;
        else if (!is_directory && inode_is(target->inode, S_IFDIR)) error = -EISDIR;
        else if (is_directory && target->inode->kind) error = -EBUSY;
        else if (is_directory && target->inode->directory.entries) error = -ENOTEMPTY;
        if (error) return error;
    }
    /* The new entry first, under a name of its own list, so that running out of memory loses nothing. */
    struct entry *entry = target;
    if (!entry) {
        entry = allocate(sizeof *entry + new_length);
        if (!entry) return -ENOSPC;
    }
    inode_hold(inode);
    remove_entry(from, find(from, old, old_length));
    if (target) {
        abandon(to, target->inode);
    } else {
        entry->hash = hash_of(new, new_length);
        entry->length = (u8)new_length;
        entry->cookie = ++to->directory.next_cookie;
        memcpy(entry->name, new, new_length);
        if (to->directory.last) to->directory.last->next = entry;
        else to->directory.entries = entry;
        to->directory.last = entry;
        to->size += new_length;
    }
    entry->inode = inode;
    adopt(to, inode);
    to->modified = to->changed = inode->changed = time_now();
    inode_release(inode);
    return 0;
}

/* The name under which a directory hangs in its parent. */
const struct entry *directory_name(const struct inode *directory) {
    const struct inode *parent = directory->parent;
    if (!parent || parent->kind) return NULL;
    const struct entry *entry = parent->directory.entries;
    while (entry && entry->inode != directory) entry = entry->next;
    return entry;
}

/* The path of a directory into a buffer; -ENOENT when it was removed. */
i64 directory_path(const struct inode *directory, char *path, usize capacity) {
    if (capacity < 2) return -ERANGE;
    usize at = capacity - 1;
    path[at] = 0;
    if (directory == root_directory) path[--at] = '/';
    for (; directory != root_directory; directory = directory->parent) {
        const char *name;
        usize length;
        char made_up[24];
        const struct entry *entry = NULL;
        if (directory->kind && proc_name(directory, made_up, &length)) {
            name = made_up;
        } else {
            entry = directory_name(directory);
            if (!entry) return -ENOENT;
            name = entry->name;
            length = entry->length;
        }
        if (at < length + 1) return -ERANGE;
        at -= length;
        memcpy(path + at, name, length);
        path[--at] = '/';
        if (directory->kind && !entry) {
            if (at < 5) return -ERANGE;
            at -= 5;
            memcpy(path + at, "/proc", 5);
            break;
        }
    }
    memmove(path, path + at, capacity - at);
    return (i64)(capacity - at);
}
