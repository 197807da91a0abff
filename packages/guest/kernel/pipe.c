/*
 * pipe.c: a ring of 64 KiB between processes, in pages that come when they are needed.
 *
 * A write of at most PIPE_BUF bytes goes in whole or waits. Whenever the ring runs empty it starts
 * over at its first page, so that small traffic stays in one place.
 */
#include "defs.h"

#define CAPACITY 65536
#define SLOTS (CAPACITY / PAGE_SIZE)

struct pipe {
    u8 *pages[SLOTS];
    u32 start, length;
    u32 readers, writers;
    u32 reader_generation, writer_generation; /* count opens, for FIFOs */
    struct queue readable, writable;
};

struct pipe *pipe_new(void) { return allocate(sizeof(struct pipe)); }

void pipe_free(struct pipe *pipe) {
    for (int i = 0; i < SLOTS; i++) release(pipe->pages[i]);
    release(pipe);
}

static i64 pipe_read(struct file *file, struct buffer *to, u64 *offset) {
    (void)offset;
    struct pipe *pipe = file->pipe;
    if (!to->left) return 0;
    while (!pipe->length) {
        if (!pipe->writers) return 0;
        if (file->flags & O_NONBLOCK) return -EAGAIN;
        i64 error = sleep_on(&pipe->readable);
        if (error) return error;
    }
    i64 done = 0;
    while (to->left && pipe->length) {
        u32 in_page = pipe->start % PAGE_SIZE;
        usize part = MIN(MIN(to->left, pipe->length), PAGE_SIZE - in_page);
        i64 error = buffer_put(to, pipe->pages[pipe->start / PAGE_SIZE] + in_page, part);
        if (error) {
            if (!done) return error;
            break;
        }
        pipe->start = (pipe->start + (u32)part) % CAPACITY;
        pipe->length -= (u32)part;
        done += (i64)part;
    }
    if (!pipe->length) pipe->start = 0;
    wake_all(&pipe->writable);
    wake_pollers();
    return done;
}

/* Moves what fits now. */
static i64 fill(struct pipe *pipe, struct buffer *from) {
    i64 done = 0;
    while (from->left && pipe->length < CAPACITY) {
        u32 end = (pipe->start + pipe->length) % CAPACITY, slot = end / PAGE_SIZE;
        if (!pipe->pages[slot]) {
            pipe->pages[slot] = allocate(PAGE_SIZE);
            if (!pipe->pages[slot]) return done ? done : -ENOMEM;
        }
        usize part = MIN(MIN(from->left, CAPACITY - pipe->length), PAGE_SIZE - end % PAGE_SIZE);
        if (buffer_get(from, pipe->pages[slot] + end % PAGE_SIZE, part)) return done ? done : -EFAULT;
        pipe->length += (u32)part;
        done += (i64)part;
    }
    return done;
}

static i64 pipe_write(struct file *file, struct buffer *from, u64 *offset) {
    (void)offset;
    struct pipe *pipe = file->pipe;
    i64 done = 0;
    bool whole = from->left <= PIPE_BUF;
    while (from->left) {
        if (!pipe->readers) {
            if (done) return done;
            signal_send(current, SIGPIPE, NULL);
            return -EPIPE;
        }
        u32 space = CAPACITY - pipe->length;
        if (space && (!whole || space >= from->left)) {
            i64 part = fill(pipe, from);
            if (part < 0) return done ? done : part;
            done += part;
            wake_all(&pipe->readable);
            wake_pollers();
            continue;
        }
        if (file->flags & O_NONBLOCK) return done ? done : -EAGAIN;
        i64 error = sleep_on(&pipe->writable);
        if (error) return done ? done : error;
    }
    return done;
}

static u32 pipe_poll(struct file *file) {
    struct pipe *pipe = file->pipe;
    u32 events = 0;
    if ((file->flags & O_ACCMODE) != O_WRONLY) {
        if (pipe->length) events |= POLLIN | POLLRDNORM;
        if (!pipe->writers) events |= POLLHUP;
    }
    if ((file->flags & O_ACCMODE) != O_RDONLY) {
        if (pipe->length <= CAPACITY - PIPE_BUF) events |= POLLOUT | POLLWRNORM;
        if (!pipe->readers) events |= POLLERR;
    }
    return events;
}

static i64 pipe_control(struct file *file, u32 request, u64 argument) {
    if (request != FIONREAD) return -ENOTTY;
    i32 length = (i32)file->pipe->length;
    return copy_out(argument, &length, sizeof length);
}

static void count_end(struct pipe *pipe, u32 flags, u32 change) {
    if ((flags & O_ACCMODE) != O_WRONLY) pipe->readers += change;
    if ((flags & O_ACCMODE) != O_RDONLY) pipe->writers += change;
    wake_all(&pipe->readable);
    wake_all(&pipe->writable);
    wake_pollers();
}

static void pipe_close(struct file *file) {
    struct pipe *pipe = file->pipe;
    count_end(pipe, file->flags, -1u);
    if (pipe->readers || pipe->writers) return;
    if (file->inode && file->inode->fifo.pipe == pipe) file->inode->fifo.pipe = NULL;
    pipe_free(pipe);
}

/* One end, for pipe2(). The inode knows the pipe, so that /proc/self/fd can open it again. */
struct file *pipe_end(struct pipe *pipe, struct inode *inode, u32 flags) {
    struct file *file = file_new(&pipe_kind, flags);
    if (!file) return NULL;
    inode_hold(inode);
    file->inode = inode;
    file->pipe = inode->fifo.pipe = pipe;
    count_end(pipe, flags, 1);
    return file;
}

/* Opens a FIFO, which waits for the other side, or through /proc/self/fd a pipe, which does not. */
i64 pipe_open(struct inode *inode, struct file *file) {
    if (!inode->fifo.pipe) inode->fifo.pipe = pipe_new();
    struct pipe *pipe = inode->fifo.pipe;
    if (!pipe) return -ENOMEM;
    u32 mode = file->flags & O_ACCMODE;
    if (mode == O_WRONLY && file->flags & O_NONBLOCK && !pipe->readers && inode->links) return -ENXIO;
    file->pipe = pipe;
    file->kind = &pipe_kind;
    count_end(pipe, file->flags, 1);
    if (mode != O_WRONLY) pipe->reader_generation++;
    if (mode != O_RDONLY) pipe->writer_generation++;
    if (mode == O_RDWR || file->flags & O_NONBLOCK || !inode->links) return 0;
    u32 *generation = mode == O_RDONLY ? &pipe->writer_generation : &pipe->reader_generation;
    u32 before = *generation;
    while (!(mode == O_RDONLY ? pipe->writers : pipe->readers) && *generation == before) {
        i64 error = sleep_on(mode == O_RDONLY ? &pipe->readable : &pipe->writable);
        if (error) return error;
    }
    return 0;
}

const struct file_kind pipe_kind = {
    .read = pipe_read,
    .write = pipe_write,
    .control = pipe_control,
    .poll = pipe_poll,
    .close = pipe_close,
};
