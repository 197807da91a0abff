/*
 * initrd.c: fills the RAM file system from a cpio archive ("newc", as Linux's initramfs).
 *
 * The archive is not trusted: every size is checked against what the loader gave before it is used,
 * and an archive that lies ends in a panic that says where. Contents are not copied; files read them
 * where they are (pages.c).
 */
#include "defs.h"

#define HEADER 110

struct header {
    u64 number, mode, uid, gid, links, modified, size, major, minor, device_major, device_minor,
        name_size;
};

/* Inodes with several names, by the archive's number. */
struct hard_link {
    struct hard_link *next;
    u64 number;
    struct inode *inode;
};

static u64 hex_field(const u8 *digits, u64 offset) {
    u64 value = 0;
    for (int i = 0; i < 8; i++) {
        u8 c = digits[i];
        int digit = c >= '0' && c <= '9' ? c - '0' : (c | 32) >= 'a' && (c | 32) <= 'f' ? (c | 32) - 'a' + 10 : -1;
        if (digit < 0) panic("initrd: byte %l: not a hexadecimal digit", offset + (u64)i);
        value = value << 4 | (u64)digit;
    }
    return value;
}

static void parse_header(const u8 *at, u64 offset, struct header *header) {
    if (memcmp(at, "070701", 6)) panic("initrd: byte %l: no cpio header (070701)", offset);
    u64 *const fields[13] = {
        &header->number, &header->mode, &header->uid, &header->gid, &header->links,
        &header->modified, &header->size, &header->major, &header->minor, &header->device_major,
        &header->device_minor, &header->name_size, NULL,
    };
    for (int i = 0; i < 13; i++) {
        u64 value = hex_field(at + 6 + 8 * i, offset + 6 + 8 * (u64)i);
        if (fields[i]) *fields[i] = value;
    }
}

/* The directory that `path` lies in, made as needed, and the last name. */
static struct inode *parent_of(const char *path, const char **name, usize *length) {
    struct inode *here = root_directory;
    for (;;) {
        while (*path == '/') path++;
        usize part = 0;
        while (path[part] && path[part] != '/') part++;
        const char *rest = path + part;
        while (*rest == '/') rest++;
        if (!*rest) {
            *name = path;
            *length = part;
            return here;
        }
        if (part > NAME_MAX || (part == 2 && path[0] == '.' && path[1] == '.'))
            panic("initrd: impossible name %s", path);
        if (part == 1 && path[0] == '.') {
            path = rest;
            continue;
        }
        struct inode *next;
        i64 error = directory_lookup(here, path, part, &next);
        if (error == -ENOENT) {
            next = inode_new(S_IFDIR | 0755);
            if (!next || directory_add(here, path, part, next)) panic("initrd: out of memory");
        } else if (error || !inode_is(next, S_IFDIR)) {
            panic("initrd: a file lies where a directory must be: %s", path);
        }
        inode_release(next); /* its entry keeps it */
        here = next;
        path = rest;
    }
}

static struct inode *make_inode(const struct header *header, const u8 *data, const char *path) {
    struct inode *inode = inode_new((u32)header->mode & 0177777);
    if (!inode) panic("initrd: out of memory");
    inode->uid = (u32)header->uid;
    inode->gid = (u32)header->gid;
    inode->accessed = inode->modified = inode->changed = header->modified * 1000000000ull;
    switch (header->mode & S_IFMT) {
    case S_IFREG:
        inode->regular.initial = data;
        inode->regular.initial_size = inode->size = header->size;
        break;
    case S_IFLNK:
        if (!header->size || header->size >= PATH_MAX)
            panic("initrd: %s: a link of %l bytes", path, header->size);
        inode->link.target = allocate(header->size + 1);
        if (!inode->link.target) panic("initrd: out of memory");
        memcpy(inode->link.target, data, header->size);
        inode->size = strlen(inode->link.target);
        break;
    case S_IFCHR:
    case S_IFBLK:
        device_set(inode, (u32)header->device_major, (u32)header->device_minor);
        break;
    }
    return inode;
}

static void add(const struct header *header, const char *path, const u8 *data,
                struct hard_link **hard_links) {
    const char *name;
    usize length;
    struct inode *parent = parent_of(path, &name, &length);
    if (!length || (length == 1 && name[0] == '.')) return; /* the root itself */
    if (length > NAME_MAX || (length == 2 && name[0] == '.' && name[1] == '.'))
        panic("initrd: impossible name %s", path);

    struct inode *old;
    if (!directory_lookup(parent, name, length, &old)) {
        bool both_directories = inode_is(old, S_IFDIR) && (header->mode & S_IFMT) == S_IFDIR;
        if (both_directories) old->mode = (u32)header->mode & 0177777;
        inode_release(old);
        if (both_directories) return;
        if (directory_remove(parent, name, length, inode_is(old, S_IFDIR)))
            panic("initrd: %s is there twice", path);
    }
    struct hard_link *known = NULL;
    bool several = header->links > 1 && (header->mode & S_IFMT) == S_IFREG;
    u64 number = header->number ^ header->major << 32 ^ header->minor << 48;
    if (several)
        for (known = *hard_links; known && known->number != number;) known = known->next;
    struct inode *inode;
    if (known) {
        inode = known->inode;
        inode_hold(inode);
        if (header->size) { /* the contents come with the last name */
            inode->regular.initial = data;
            inode->regular.initial_size = inode->size = header->size;
        }
    } else {
        inode = make_inode(header, data, path);
        if (several) {
            struct hard_link *link = allocate(sizeof *link);
            if (!link) panic("initrd: out of memory");
            *link = (struct hard_link){*hard_links, number, inode};
            *hard_links = link;
        }
    }
    if (directory_add(parent, name, length, inode)) panic("initrd: out of memory");
    inode_release(inode);
}

void initrd_unpack(const u8 *archive, u64 size) {
    struct hard_link *hard_links = NULL;
    for (u64 offset = 0;;) {
        if (size - offset < HEADER)
            panic("initrd: ends at byte %l, in a header or without TRAILER!!!", size);
        struct header header;
        parse_header(archive + offset, offset, &header);
        u64 name = offset + HEADER;
        if (!header.name_size || header.name_size > PATH_MAX || header.name_size > size - name)
            panic("initrd: byte %l: a name of %l bytes, %l are left", offset, header.name_size,
                  size - name);
        const char *path = (const char *)archive + name;
        if (path[header.name_size - 1]) panic("initrd: byte %l: the name does not end", name);
        u64 data = (name + header.name_size + 3) & ~3ull;
        if (text_equal(path, "TRAILER!!!")) break;
        if (data > size || header.size > size - data)
            panic("initrd: byte %l: %s has %l bytes, %l are left", offset, path, header.size,
                  data > size ? 0 : size - data);
        switch (header.mode & S_IFMT) {
        case S_IFREG: case S_IFDIR: case S_IFLNK: case S_IFCHR: case S_IFBLK: case S_IFIFO:
            break;
        default:
            panic("initrd: byte %l: %s has the impossible mode %x", offset, path, (u32)header.mode);
        }
        add(&header, path, archive + data, &hard_links);
        offset = (data + header.size + 3) & ~3ull;
        if (offset > size) offset = size;
    }
    while (hard_links) {
        struct hard_link *next = hard_links->next;
        release(hard_links);
        hard_links = next;
    }
}
