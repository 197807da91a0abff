/*
 * user.c: memory of the current program, as seen from the kernel.
 *
 * The kernel touches it at its own addresses, and faults bring pages in as for the program itself. A
 * fault that cannot be served makes the copy fail (machine_recover).
 */
#include "defs.h"

bool user_range(u64 address, u64 count) {
    return address <= USER_TOP && count <= USER_TOP - address;
}

i64 copy_in(void *to, u64 from, usize count) {
    if (!user_range(from, count)) return -EFAULT;
    return machine_copy(to, (const void *)from, count);
}

i64 copy_out(u64 to, const void *from, usize count) {
    if (!user_range(to, count)) return -EFAULT;
    return machine_copy((void *)to, from, count);
}

i64 clear_out(u64 to, usize count) {
    if (!user_range(to, count)) return -EFAULT;
    return machine_clear((void *)to, count);
}

/* Returns the length, -ENAMETOOLONG when the text with its end does not fit, or -EFAULT. */
i64 copy_text_in(char *to, u64 from, usize capacity) {
    if (!user_range(from, 1)) return -EFAULT;
    usize count = MIN(capacity, USER_TOP - from);
    i64 length = machine_copy_string(to, (const char *)from, count);
    if (length == (i64)count) return count < capacity ? -EFAULT : -ENAMETOOLONG;
    return length;
}

/* A page with a path from the program, or NULL and *error. */
char *path_in(u64 from, i64 *error) {
    char *path = allocate(PATH_MAX);
    if (!path) {
        *error = -ENOMEM;
        return NULL;
    }
    i64 length = copy_text_in(path, from, PATH_MAX);
    if (length >= 0) return path;
    release(path);
    *error = length;
    return NULL;
}

struct buffer user_buffer(u64 at, usize count) {
    return (struct buffer){at, count, false};
}

struct buffer kernel_buffer(void *at, usize count) {
    return (struct buffer){(u64)at, count, true};
}

i64 buffer_put(struct buffer *to, const void *from, usize count) {
    if (to->kernel) memcpy((void *)to->at, from, count);
    else if (copy_out(to->at, from, count)) return -EFAULT;
    to->at += count;
    to->left -= count;
    return 0;
}

i64 buffer_clear(struct buffer *to, usize count) {
    if (to->kernel) memzero((void *)to->at, count);
    else if (clear_out(to->at, count)) return -EFAULT;
    to->at += count;
    to->left -= count;
    return 0;
}

i64 buffer_get(struct buffer *from, void *to, usize count) {
    if (from->kernel) memcpy(to, (const void *)from->at, count);
    else if (copy_in(to, from->at, count)) return -EFAULT;
    from->at += count;
    from->left -= count;
    return 0;
}
