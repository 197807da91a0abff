/* Processes: their making, their ends, their names, and time. */
#include "syscall.h"
#include <errno.h>
#include <limits.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>
#include <sys/reboot.h>
#include <sys/resource.h>
#include <sys/time.h>
#include <sys/utsname.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

int errno;

long __result(long kernel_result)
{
    if ((unsigned long)kernel_result < -4095UL)
        return kernel_result;
    errno = (int)-kernel_result;
    return -1;
}

long syscall(long number, ...)
{
    va_list list;
    long a[6];
    va_start(list, number);
    for (int i = 0; i < 6; i++)
        a[i] = va_arg(list, long);
    va_end(list);
    return __result(syscall6(number, a[0], a[1], a[2], a[3], a[4], a[5]));
}

_Noreturn void _exit(int status)
{
    for (;;)
        syscall3(SYS_exit_group, status, 0, 0);
}

pid_t fork(void) { return (pid_t)CALL(fork); }
int execve(const char *path, char *const argv[], char *const envp[])
{
    return (int)CALL(execve, path, argv, envp);
}
int execv(const char *path, char *const argv[]) { return execve(path, argv, environ); }

int execvpe(const char *file, char *const argv[], char *const envp[])
{
    const char *path = 0;
    int reason = ENOENT;

    if (strchr(file, '/'))
        return execve(file, argv, envp);
    for (char *const *variable = envp; *variable; variable++)
        if (strncmp(*variable, "PATH=", 5) == 0)
            path = *variable + 5;
    if (!path)
        path = "/bin:/usr/bin:/sbin:/usr/sbin";

    while (*file) {
        const char *end = strchr(path, ':');
        size_t directory = end ? (size_t)(end - path) : strlen(path);
        char full[PATH_MAX];
        if (directory + 1 + strlen(file) + 1 <= sizeof(full)) {
            memcpy(full, path, directory);
            full[directory] = '/';
            strcpy(full + directory + 1, file);
            execve(directory ? full : file, argv, envp);
            /* A file that is there but does not run is a better reason than one that is not there. */
            if (errno == EACCES)
                reason = EACCES;
            else if (errno != ENOENT && errno != ENOTDIR)
                return -1;
        }
        if (!end)
            break;
        path = end + 1;
    }
    errno = reason;
    return -1;
}

pid_t waitpid(pid_t pid, int *status, int options) { return (pid_t)CALL4(wait4, pid, status, options, 0); }
pid_t wait(int *status) { return waitpid(-1, status, 0); }

pid_t getpid(void) { return (pid_t)CALL(getpid); }
pid_t getppid(void) { return (pid_t)CALL(getppid); }
pid_t getpgrp(void) { return (pid_t)CALL(getpgrp); }
pid_t getpgid(pid_t pid) { return (pid_t)CALL(getpgid, pid); }
int setpgid(pid_t pid, pid_t group) { return (int)CALL(setpgid, pid, group); }
pid_t getsid(pid_t pid) { return (pid_t)CALL(getsid, pid); }
pid_t setsid(void) { return (pid_t)CALL(setsid); }
uid_t getuid(void) { return (uid_t)CALL(getuid); }
uid_t geteuid(void) { return (uid_t)CALL(geteuid); }
gid_t getgid(void) { return (gid_t)CALL(getgid); }
gid_t getegid(void) { return (gid_t)CALL(getegid); }

int getrlimit(int resource, struct rlimit *to) { return (int)CALL4(prlimit64, 0, resource, 0, to); }
int setrlimit(int resource, const struct rlimit *limit)
{
    return (int)CALL4(prlimit64, 0, resource, limit, 0);
}
int uname(struct utsname *to) { return (int)CALL(uname, to); }
int reboot(unsigned command) { return (int)CALL(reboot, 0xfee1dead, 0x28121969, command); }

unsigned alarm(unsigned seconds) { return (unsigned)CALL(alarm, seconds); }
int pause(void) { return (int)CALL(pause); }
int setitimer(int which, const struct itimerval *new, struct itimerval *old)
{
    return (int)CALL(setitimer, which, new, old);
}
int gettimeofday(struct timeval *now, void *zone) { return (int)CALL(gettimeofday, now, zone); }
int clock_gettime(int clock, struct timespec *now) { return (int)CALL(clock_gettime, clock, now); }
time_t time(time_t *now) { return CALL(time, now); }
int nanosleep(const struct timespec *duration, struct timespec *remaining)
{
    return (int)CALL(nanosleep, duration, remaining);
}

unsigned sleep(unsigned seconds)
{
    struct timespec duration = { seconds, 0 }, remaining = { 0, 0 };
    return nanosleep(&duration, &remaining) == 0 ? 0 : (unsigned)remaining.tv_sec;
}

int usleep(unsigned microseconds)
{
    struct timespec duration = { microseconds / 1000000, microseconds % 1000000 * 1000L };
    return nanosleep(&duration, 0);
}
