/*
 * path.c: from a path to an inode.
 */
#include "defs.h"

struct inode *root_directory;

#define LINKS_MAX 40

void place_release(struct place *place) {
    if (place->directory) inode_release(place->directory);
    if (place->inode) inode_release(place->inode);
    release(place->path);
    *place = (struct place){0};
}

/* Puts a link's target before what is left of the path. */
static i64 splice(struct place *place, struct inode *link, const char *rest) {
    char *path = allocate(PATH_MAX);
    if (!path) return -ENOMEM;
    i64 length;
    if (link->kind) {
        length = link->kind->target(link, path, PATH_MAX - 1);
    } else {
        length = (i64)strlen(link->link.target);
        memcpy(path, link->link.target, (usize)length);
    }
    usize left = strlen(rest);
    if (length >= 0 && (usize)length + left + 1 > PATH_MAX) length = -ENAMETOOLONG;
    if (length < 0) {
        release(path);
        return length;
    }
    memcpy(path + length, rest, left + 1);
    release(place->path);
    place->path = path;
    return 0;
}

static i64 step(struct inode *here, const char *name, usize length, struct inode **next) {
    if (!inode_is(here, S_IFDIR)) return -ENOTDIR;
    if (length > NAME_MAX) return -ENAMETOOLONG;
    if (length == 1 && name[0] == '.') {
        *next = here;
    } else if (length == 2 && name[0] == '.' && name[1] == '.') {
        *next = here->kind && here->parent == NULL ? proc_parent(here) : here->parent;
        if (!*next) return -ENOENT;
        if (here->kind && here->parent == NULL) return 0; /* proc_parent gave a count */
    } else {
        return directory_lookup(here, name, length, next);
    }
    inode_hold(*next);
    return 0;
}

/*
 * Follows a path from `start`. Takes over `path`, a string of its own page; on an error nothing is
 * left to release.
 */
i64 path_find(struct inode *start, char *path, u32 flags, struct place *place) {
    *place = (struct place){.path = path};
    struct inode *here = *path == '/' ? root_directory : start, *next = NULL;
    inode_hold(here);
    i64 error = *path ? 0 : -ENOENT;
    int links = 0;
    const char *p = path;
    while (!error) {
        while (*p == '/') p++;
        if (!*p) {
            place->inode = here;
            place->slash = true;
            return 0;
        }
        usize length = 0;
        while (p[length] && p[length] != '/') length++;
        const char *rest = p + length, *after = rest;
        while (*after == '/') after++;
        bool last = !*after, slash = *rest == '/';

        error = step(here, p, length, &next);
        if (error == -ENOENT && last && flags & FIND_FREE) {
            place->directory = here;
            place->name = p;
            place->length = length;
            place->slash = slash;
            return 0;
        }
        if (error) break;
        if (inode_is(next, S_IFLNK) && (!last || flags & FIND_FOLLOW || (slash && !(flags & FIND_FREE)))) {
            if (++links > LINKS_MAX) {
                error = -ELOOP;
            } else if (next->kind && next->kind->jump) {
                struct inode *target = next->kind->jump(next);
                inode_release(next);
                next = target;
                if (!next) error = -ENOENT;
            } else {
                error = splice(place, next, rest);
                inode_release(next);
                next = NULL;
                if (error) break;
                p = place->path;
                if (*p == '/') {
                    inode_release(here);
                    here = root_directory;
                    inode_hold(here);
                }
                if (!*p) error = -ENOENT;
                continue;
            }
            if (error) break;
        }
        if (last) {
            if (slash && !(flags & FIND_FREE) && !inode_is(next, S_IFDIR)) {
                error = -ENOTDIR;
                break;
            }
            bool dots = p[0] == '.' && (length == 1 || (length == 2 && p[1] == '.'));
            place->directory = here;
            place->name = p;
            place->length = dots ? 0 : length;
            place->slash = slash;
            place->inode = next;
            return 0;
        }
        inode_release(here);
        here = next;
        next = NULL;
        p = rest;
    }
    if (next) inode_release(next);
    inode_release(here);
    release(place->path);
    *place = (struct place){0};
    return error;
}

/* The same for a path inside the kernel. */
i64 path_find_text(const char *text, u32 flags, struct place *place) {
    char *path = allocate(PATH_MAX);
    if (!path) return -ENOMEM;
    memcpy(path, text, strlen(text) + 1);
    return path_find(current ? current->directory : root_directory, path, flags, place);
}

/* The inode at a path, with a count. */
i64 path_inode(const char *text, struct inode **found) {
    struct place place;
    i64 error = path_find_text(text, FIND_FOLLOW, &place);
    if (error) return error;
    *found = place.inode;
    inode_hold(*found);
    place_release(&place);
    return 0;
}

/* Makes something new at a free place and links it there; gives it with a count. */
i64 place_make(struct place *place, u32 mode, struct inode **made) {
    if (place->inode) return -EEXIST;
    if (place->slash && (mode & S_IFMT) != S_IFDIR) return -ENOENT;
    struct inode *inode = inode_new(mode);
    if (!inode) return -ENOSPC;
    i64 error = directory_add(place->directory, place->name, place->length, inode);
    if (error) {
        inode_release(inode);
        return error;
    }
    *made = inode;
    return 0;
}
