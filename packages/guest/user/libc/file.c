/* Files, descriptors, directories and memory maps. */
#include "syscall.h"
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <stdarg.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <sys/uio.h>
#include <unistd.h>

ssize_t read(int fd, void *to, size_t size) { return CALL(read, fd, to, size); }
ssize_t write(int fd, const void *from, size_t size) { return CALL(write, fd, from, size); }
ssize_t pread(int fd, void *to, size_t size, off_t offset) { return CALL4(pread64, fd, to, size, offset); }
ssize_t pwrite(int fd, const void *from, size_t size, off_t offset)
{
    return CALL4(pwrite64, fd, from, size, offset);
}
ssize_t readv(int fd, const struct iovec *pieces, int count) { return CALL(readv, fd, pieces, count); }
ssize_t writev(int fd, const struct iovec *pieces, int count) { return CALL(writev, fd, pieces, count); }
off_t lseek(int fd, off_t offset, int whence) { return CALL(lseek, fd, offset, whence); }
int close(int fd) { return (int)CALL(close, fd); }
int pipe(int fds[2]) { return (int)CALL(pipe, fds); }
int pipe2(int fds[2], int flags) { return (int)CALL(pipe2, fds, flags); }
int dup(int fd) { return (int)CALL(dup, fd); }
int dup2(int fd, int as) { return (int)CALL(dup2, fd, as); }
int dup3(int fd, int as, int flags) { return (int)CALL(dup3, fd, as, flags); }
int ftruncate(int fd, off_t size) { return (int)CALL(ftruncate, fd, size); }
int ioctl(int fd, unsigned long request, void *argument) { return (int)CALL(ioctl, fd, request, argument); }
int poll(struct pollfd *fds, unsigned long count, int timeout_ms)
{
    return (int)CALL(poll, fds, count, timeout_ms);
}

int isatty(int fd)
{
    char termios[64];
    return ioctl(fd, 0x5401 /* TCGETS */, termios) == 0;
}

int open(const char *path, int flags, ...)
{
    va_list list;
    va_start(list, flags);
    mode_t mode = flags & O_CREAT ? va_arg(list, mode_t) : 0;
    va_end(list);
    return (int)CALL4(openat, AT_FDCWD, path, flags, mode);
}

int openat(int directory, const char *path, int flags, ...)
{
    va_list list;
    va_start(list, flags);
    mode_t mode = flags & O_CREAT ? va_arg(list, mode_t) : 0;
    va_end(list);
    return (int)CALL4(openat, directory, path, flags, mode);
}

int creat(const char *path, mode_t mode) { return open(path, O_WRONLY | O_CREAT | O_TRUNC, mode); }

int fcntl(int fd, int command, ...)
{
    va_list list;
    va_start(list, command);
    long argument = va_arg(list, long);
    va_end(list);
    return (int)CALL(fcntl, fd, command, argument);
}

int access(const char *path, int mode) { return (int)CALL(access, path, mode); }
int unlink(const char *path) { return (int)CALL(unlink, path); }
int link(const char *existing, const char *path) { return (int)CALL(link, existing, path); }
int symlink(const char *target, const char *path) { return (int)CALL(symlink, target, path); }
ssize_t readlink(const char *path, char *to, size_t size) { return CALL(readlink, path, to, size); }
int mkdir(const char *path, mode_t mode) { return (int)CALL(mkdir, path, mode); }
int rmdir(const char *path) { return (int)CALL(rmdir, path); }
int rename(const char *from, const char *to) { return (int)CALL(rename, from, to); }
int chdir(const char *path) { return (int)CALL(chdir, path); }
int fchdir(int fd) { return (int)CALL(fchdir, fd); }
int chmod(const char *path, mode_t mode) { return (int)CALL(chmod, path, mode); }
int fchmod(int fd, mode_t mode) { return (int)CALL(fchmod, fd, mode); }
mode_t umask(mode_t mask) { return (mode_t)CALL(umask, mask); }
char *getcwd(char *to, size_t size) { return CALL(getcwd, to, size) < 0 ? 0 : to; }

int stat(const char *path, struct stat *to) { return fstatat(AT_FDCWD, path, to, 0); }
int lstat(const char *path, struct stat *to) { return fstatat(AT_FDCWD, path, to, AT_SYMLINK_NOFOLLOW); }
int fstat(int fd, struct stat *to) { return (int)CALL(fstat, fd, to); }
int fstatat(int directory, const char *path, struct stat *to, int flags)
{
    return (int)CALL4(newfstatat, directory, path, to, flags);
}

struct DIR {
    int fd;
    /* Bytes of `records` that are filled, and the next one to hand out. */
    size_t filled, next;
    char records[2048] __attribute__((aligned(8)));
};

ssize_t getdents64(int fd, void *to, size_t size) { return CALL(getdents64, fd, to, size); }

DIR *opendir(const char *path)
{
    int fd = open(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    if (fd < 0)
        return 0;
    DIR *directory = malloc(sizeof(*directory));
    if (!directory) {
        close(fd);
        return 0;
    }
    directory->fd = fd;
    directory->filled = directory->next = 0;
    return directory;
}

struct dirent *readdir(DIR *directory)
{
    if (directory->next == directory->filled) {
        ssize_t got = getdents64(directory->fd, directory->records, sizeof(directory->records));
        if (got <= 0)
            return 0;
        directory->filled = (size_t)got;
        directory->next = 0;
    }
    struct dirent *entry = (struct dirent *)(directory->records + directory->next);
    directory->next += entry->d_reclen;
    return entry;
}

int closedir(DIR *directory)
{
    int result = close(directory->fd);
    free(directory);
    return result;
}

void *mmap(void *where, size_t size, int protection, int flags, int fd, off_t offset)
{
    return (void *)__result(syscall6(SYS_mmap, (long)where, (long)size, protection, flags, fd, offset));
}
int munmap(void *where, size_t size) { return (int)CALL(munmap, where, size); }
int mprotect(void *where, size_t size, int protection)
{
    return (int)CALL(mprotect, where, size, protection);
}
int madvise(void *where, size_t size, int advice) { return (int)CALL(madvise, where, size, advice); }
void *mremap(void *old, size_t old_size, size_t new_size, int flags)
{
    return (void *)CALL4(mremap, old, old_size, new_size, flags);
}
