/* file.h: inodes (what is stored) and files (what is open). */
#ifndef FILE_H
#define FILE_H

#include "linux.h"
#include "machine.h"

struct text;

struct entry {
    struct entry *next;
    u64 cookie; /* grows, so that a listing survives changes */
    u32 hash;
    struct inode *inode;
    u8 length;
    char name[];
};

/* Pages of a file by index: a tree of pages of 512 pointers. */
struct pages {
    void *root;
    u32 height; /* 0: root is the frame of index 0 itself */
};

struct inode {
    u32 users; /* open files, areas, directories; the file system itself counts by `links` */
    u32 links;
    u64 number;
    u32 mode, uid, gid;
    u64 size;
    u64 accessed, modified, changed; /* nanoseconds since 1970 */
    struct inode *parent;            /* of a directory; NULL when it was removed */
    union {
        struct {
            struct entry *entries, *last;
            u64 next_cookie;
            u32 children; /* subdirectories */
        } directory;
        struct {
            struct pages pages;
            const u8 *initial; /* bytes in the initrd, until a page is first mapped or written */
            u64 initial_size;
            u64 page_count;
            u32 executions, writers; /* spaces that run it, files open for writing: never both */
        } regular;
        struct {
            char *target;
        } link;
        struct {
            u32 major, minor;
            const struct file_kind *kind;
        } device;
        struct {
            struct pipe *pipe;
        } fifo;
        struct {
            int what; /* procfs.c */
            i32 pid;
            i32 number;
        } proc;
    };
    const struct inode_kind *kind; /* NULL: RAM file system */
};

/* What a path leads to. Everything in it is held until place_release(). */
struct place {
    struct inode *directory; /* that holds the last name */
    const char *name;
    usize length;        /* 0: the path ends in ".", ".." or is "/" */
    bool slash;          /* the name is followed by one, so it must be a directory */
    struct inode *inode; /* NULL: the name is free */
    char *path;
};

#define FIND_FOLLOW 1u /* a link at the end is followed */
#define FIND_FREE 2u   /* the last name need not exist, and what it names is not looked into */

/* A directory or link that is made up when asked for. */
struct inode_kind {
    i64 (*lookup)(struct inode *directory, const char *name, usize length, struct inode **found);
    i64 (*list)(struct inode *directory, u64 position, char *name, u64 *number, u8 *type);
    i64 (*target)(struct inode *link, char *path, usize capacity);
    struct inode *(*jump)(struct inode *link); /* a link to an object rather than to a path */
    i64 (*content)(struct inode *file, struct text *out);
};

/* Bytes on the other side of a read or write: of the program, or of the kernel. */
struct buffer {
    u64 at;
    usize left;
    bool kernel;
};

struct file {
    u32 users;
    u32 flags; /* O_* without the creation flags */
    const struct file_kind *kind;
    struct inode *inode;
    struct pipe *pipe;
    struct text *text;
    u64 offset;
};

struct file_kind {
    i64 (*read)(struct file *file, struct buffer *to, u64 *offset);
    i64 (*write)(struct file *file, struct buffer *from, u64 *offset);
    i64 (*control)(struct file *file, u32 request, u64 argument);
    u32 (*poll)(struct file *file); /* POLL* that are true now */
    void (*close)(struct file *file);
    bool seekable;
};

extern const struct file_kind regular_kind, directory_kind, pipe_kind, console_kind, null_kind,
    zero_kind, full_kind, random_kind, text_kind;

#endif
