/* Processes, file descriptors and directories. What fails returns -1 with the reason in errno. */
#pragma once
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

#define STDIN_FILENO 0
#define STDOUT_FILENO 1
#define STDERR_FILENO 2

#define SEEK_SET 0
#define SEEK_CUR 1
#define SEEK_END 2

#define F_OK 0
#define X_OK 1
#define W_OK 2
#define R_OK 4

/* The call of that number, with up to six arguments; -1 and errno when it fails. */
long syscall(long number, ...);

ssize_t read(int fd, void *to, size_t size);
ssize_t write(int fd, const void *from, size_t size);
ssize_t pread(int fd, void *to, size_t size, off_t offset);
ssize_t pwrite(int fd, const void *from, size_t size, off_t offset);
off_t lseek(int fd, off_t offset, int whence);
int close(int fd);
int pipe(int fds[2]);
int pipe2(int fds[2], int flags);
int dup(int fd);
int dup2(int fd, int as);
int dup3(int fd, int as, int flags);
int ftruncate(int fd, off_t size);
int isatty(int fd);
int ioctl(int fd, unsigned long request, void *argument);

int access(const char *path, int mode);
int unlink(const char *path);
int link(const char *existing, const char *path);
int symlink(const char *target, const char *path);
ssize_t readlink(const char *path, char *to, size_t size);
int rmdir(const char *path);
int chdir(const char *path);
int fchdir(int fd);
char *getcwd(char *to, size_t size);

pid_t fork(void);
/* The child shares memory and stack with its parent, which waits until the child runs execve or _exit. */
pid_t vfork(void) __attribute__((returns_twice));
int execve(const char *path, char *const argv[], char *const envp[]);
int execv(const char *path, char *const argv[]);
/* Looks for `file` along PATH (default /bin:/usr/bin:/sbin:/usr/sbin) unless it has a slash. */
int execvpe(const char *file, char *const argv[], char *const envp[]);
_Noreturn void _exit(int status);

pid_t getpid(void);
pid_t getppid(void);
pid_t getpgrp(void);
pid_t getpgid(pid_t pid);
int setpgid(pid_t pid, pid_t group);
pid_t getsid(pid_t pid);
pid_t setsid(void);
uid_t getuid(void);
uid_t geteuid(void);
gid_t getgid(void);
gid_t getegid(void);

int brk(void *end);
void *sbrk(intptr_t increment);
unsigned alarm(unsigned seconds);
int pause(void);
unsigned sleep(unsigned seconds);
int usleep(unsigned microseconds);
