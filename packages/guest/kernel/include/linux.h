/*
 * linux.h: the part of Linux's x86-64 ABI that the kernel speaks. Numbers and layouts are Linux's
 * (include/uapi and arch/x86/include/uapi of Linux 6.1).
 */
#ifndef LINUX_H
#define LINUX_H

#include "types.h"

enum {
    EPERM = 1, ENOENT = 2, ESRCH = 3, EINTR = 4, EIO = 5, ENXIO = 6, E2BIG = 7, ENOEXEC = 8,
    EBADF = 9, ECHILD = 10, EAGAIN = 11, ENOMEM = 12, EACCES = 13, EFAULT = 14, EBUSY = 16,
    EEXIST = 17, EXDEV = 18, ENODEV = 19, ENOTDIR = 20, EISDIR = 21, EINVAL = 22, ENFILE = 23,
    EMFILE = 24, ENOTTY = 25, ETXTBSY = 26, EFBIG = 27, ENOSPC = 28, ESPIPE = 29, EROFS = 30, EMLINK = 31,
    EPIPE = 32, ERANGE = 34, ENAMETOOLONG = 36, ENOSYS = 38, ENOTEMPTY = 39, ELOOP = 40,
    ENODATA = 61, EOVERFLOW = 75, ENOTSOCK = 88, EOPNOTSUPP = 95, EAFNOSUPPORT = 97, ETIMEDOUT = 110,
    /* Inside the kernel only: what a system call that a signal interrupted asks for. */
    ERESTARTSYS = 512,    /* restart when the handler has SA_RESTART */
    ERESTARTNOHAND = 514, /* restart only when no handler ran */
};

/* Signals. */
enum {
    SIGHUP = 1, SIGINT = 2, SIGQUIT = 3, SIGILL = 4, SIGTRAP = 5, SIGABRT = 6, SIGBUS = 7,
    SIGFPE = 8, SIGKILL = 9, SIGUSR1 = 10, SIGSEGV = 11, SIGUSR2 = 12, SIGPIPE = 13, SIGALRM = 14,
    SIGTERM = 15, SIGCHLD = 17, SIGCONT = 18, SIGSTOP = 19, SIGTSTP = 20, SIGTTIN = 21,
    SIGTTOU = 22, SIGURG = 23, SIGWINCH = 28, SIGSYS = 31, SIGNALS = 64,
};

#define SIG_DFL 0
#define SIG_IGN 1
#define SA_NOCLDSTOP 1u
#define SA_NOCLDWAIT 2u
#define SA_SIGINFO 4u
#define SA_RESTORER 0x04000000u
#define SA_ONSTACK 0x08000000u
#define SA_RESTART 0x10000000u
#define SA_NODEFER 0x40000000u
#define SA_RESETHAND 0x80000000u
#define SS_ONSTACK 1
#define SS_DISABLE 2
#define MINSIGSTKSZ 2048
#define SIG_BLOCK 0
#define SIG_UNBLOCK 1
#define SIG_SETMASK 2

#define SI_USER 0
#define SI_KERNEL 0x80
#define SI_TKILL (-6)
#define SEGV_MAPERR 1
#define SEGV_ACCERR 2
#define BUS_ADRALN 1
#define BUS_ADRERR 2
#define FPE_INTDIV 1
#define FPE_INTOVF 2
#define FPE_FLTDIV 3
#define FPE_FLTOVF 4
#define FPE_FLTUND 5
#define FPE_FLTRES 6
#define FPE_FLTINV 7
#define ILL_ILLOPN 2
#define TRAP_BRKPT 1
#define TRAP_TRACE 2
#define CLD_EXITED 1
#define CLD_KILLED 2
#define CLD_DUMPED 3
#define CLD_STOPPED 5
#define CLD_CONTINUED 6

struct linux_sigaction {
    u64 handler;
    u64 flags;
    u64 restorer;
    u64 mask;
};

struct linux_sigaltstack {
    u64 sp;
    i32 flags;
    u32 padding;
    u64 size;
};

struct linux_siginfo {
    i32 signo, errno_, code, padding;
    union {
        struct { i32 pid; u32 uid; i32 status; i32 padding2; i64 utime, stime; } child;
        struct { u64 address; } fault;
        u8 bytes[112];
    };
};

struct linux_sigcontext {
    u64 r8, r9, r10, r11, r12, r13, r14, r15;
    u64 rdi, rsi, rbp, rbx, rdx, rax, rcx, rsp, rip, rflags;
    u16 cs, gs, fs, ss;
    u64 error, trap, old_mask, cr2;
    u64 fpstate; /* user address of 512 bytes as FXSAVE writes them, or 0 */
    u64 reserved[8];
};

struct linux_ucontext {
    u64 flags;
    u64 link;
    struct linux_sigaltstack stack;
    struct linux_sigcontext context;
    u64 mask;
};

struct linux_rt_sigframe {
    u64 restorer;
    struct linux_ucontext ucontext;
    struct linux_siginfo info;
};

/* Files. */
#define S_IFMT 0170000u
#define S_IFIFO 0010000u
#define S_IFCHR 0020000u
#define S_IFDIR 0040000u
#define S_IFBLK 0060000u
#define S_IFREG 0100000u
#define S_IFLNK 0120000u
#define S_IFSOCK 0140000u
#define S_ISUID 04000u
#define S_ISGID 02000u

#define O_ACCMODE 3
#define O_RDONLY 0
#define O_WRONLY 1
#define O_RDWR 2
#define O_CREAT 0100
#define O_EXCL 0200
#define O_NOCTTY 0400
#define O_TRUNC 01000
#define O_APPEND 02000
#define O_NONBLOCK 04000
#define O_LARGEFILE 0100000
#define O_DIRECTORY 0200000
#define O_NOFOLLOW 0400000
#define O_CLOEXEC 02000000
#define O_PATH 010000000
#define O_TMPFILE_BIT 020000000

#define AT_FDCWD (-100)
#define AT_SYMLINK_NOFOLLOW 0x100
#define AT_REMOVEDIR 0x200
#define AT_SYMLINK_FOLLOW 0x400
#define AT_EMPTY_PATH 0x1000

#define SEEK_SET 0
#define SEEK_CUR 1
#define SEEK_END 2
#define SEEK_DATA 3
#define SEEK_HOLE 4

#define F_DUPFD 0
#define F_GETFD 1
#define F_SETFD 2
#define F_GETFL 3
#define F_SETFL 4
#define F_GETLK 5
#define F_SETLK 6
#define F_SETLKW 7
#define F_SETOWN 8
#define F_GETOWN 9
#define F_DUPFD_CLOEXEC 1030
#define F_SETPIPE_SZ 1031
#define F_GETPIPE_SZ 1032
#define FD_CLOEXEC 1

#define PATH_MAX 4096
#define NAME_MAX 255
#define PIPE_BUF 4096

#define POLLIN 1
#define POLLPRI 2
#define POLLOUT 4
#define POLLERR 8
#define POLLHUP 16
#define POLLNVAL 32
#define POLLRDNORM 64
#define POLLWRNORM 256

struct linux_pollfd {
    i32 fd;
    i16 events, revents;
};

struct linux_timespec {
    i64 seconds, nanoseconds;
};

struct linux_timeval {
    i64 seconds, microseconds;
};

struct linux_iovec {
    u64 base, length;
};

struct linux_stat {
    u64 dev, ino, nlink;
    u32 mode, uid, gid, padding;
    u64 rdev;
    i64 size, block_size, blocks;
    struct linux_timespec atime, mtime, ctime;
    i64 reserved[3];
};

struct linux_statx_time {
    i64 seconds;
    u32 nanoseconds;
    i32 reserved;
};

struct linux_statx {
    u32 mask, block_size;
    u64 attributes;
    u32 nlink, uid, gid;
    u16 mode, reserved;
    u64 ino, size, blocks, attributes_mask;
    struct linux_statx_time atime, btime, ctime, mtime;
    u32 rdev_major, rdev_minor, dev_major, dev_minor;
    u64 mnt_id, spare[13];
};

struct linux_statfs {
    i64 type, block_size, blocks, blocks_free, blocks_available, files, files_free;
    i32 id[2];
    i64 name_length, fragment_size, flags, spare[4];
};

/* A directory entry of getdents64; the name follows at byte 19. */
struct linux_dirent {
    u64 ino;
    i64 offset;
    u16 length;
    u8 type;
    char name[];
};
#define DIRENT_HEADER 19

/* Memory. */
#define PROT_READ 1u
#define PROT_WRITE 2u
#define PROT_EXEC 4u
#define MAP_SHARED 1
#define MAP_PRIVATE 2
#define MAP_SHARED_VALIDATE 3
#define MAP_TYPE 15
#define MAP_FIXED 0x10
#define MAP_ANONYMOUS 0x20
#define MAP_GROWSDOWN 0x100
#define MAP_POPULATE 0x8000
#define MAP_FIXED_NOREPLACE 0x100000
#define MREMAP_MAYMOVE 1
#define MREMAP_FIXED 2
#define MADV_DONTNEED 4
#define MADV_FREE 8

/* Processes. */
#define CLONE_VM 0x100ull
#define CLONE_FS 0x200ull
#define CLONE_FILES 0x400ull
#define CLONE_SIGHAND 0x800ull
#define CLONE_VFORK 0x4000ull
#define CLONE_PARENT 0x8000ull
#define CLONE_THREAD 0x10000ull
#define CLONE_SETTLS 0x80000ull
#define CLONE_PARENT_SETTID 0x100000ull
#define CLONE_CHILD_CLEARTID 0x200000ull
#define CLONE_CHILD_SETTID 0x1000000ull

#define WNOHANG 1
#define WUNTRACED 2
#define WEXITED 4
#define WCONTINUED 8
#define WNOWAIT 0x01000000

#define ARCH_SET_GS 0x1001
#define ARCH_SET_FS 0x1002
#define ARCH_GET_FS 0x1003
#define ARCH_GET_GS 0x1004

#define AT_NULL 0
#define AT_PHDR 3
#define AT_PHENT 4
#define AT_PHNUM 5
#define AT_PAGESZ 6
#define AT_BASE 7
#define AT_FLAGS 8
#define AT_ENTRY 9
#define AT_UID 11
#define AT_EUID 12
#define AT_GID 13
#define AT_EGID 14
#define AT_PLATFORM 15
#define AT_HWCAP 16
#define AT_CLKTCK 17
#define AT_SECURE 23
#define AT_RANDOM 25
#define AT_HWCAP2 26
#define AT_EXECFN 31
#define AT_MINSIGSTKSZ 51

#define CLOCK_TICKS 100 /* what times() and AT_CLKTCK count in, per second */

/* Terminals. */
#define TCGETS 0x5401
#define TCSETS 0x5402
#define TCSETSW 0x5403
#define TCSETSF 0x5404
#define TCSBRK 0x5409
#define TCXONC 0x540a
#define TCFLSH 0x540b
#define TIOCSCTTY 0x540e
#define TIOCGPGRP 0x540f
#define TIOCSPGRP 0x5410
#define TIOCOUTQ 0x5411
#define TIOCGWINSZ 0x5413
#define TIOCSWINSZ 0x5414
#define FIONREAD 0x541b
#define FIONBIO 0x5421
#define TIOCNOTTY 0x5422
#define TIOCGSID 0x5429
#define TCSBRKP 0x5425
#define FIONCLEX 0x5450
#define FIOCLEX 0x5451

enum { VINTR, VQUIT, VERASE, VKILL, VEOF, VTIME, VMIN, VSWTC, VSTART, VSTOP, VSUSP, VEOL,
       VREPRINT, VDISCARD, VWERASE, VLNEXT, VEOL2, NCCS = 19 };
#define ISTRIP 040u
#define INLCR 0100u
#define IGNCR 0200u
#define ICRNL 0400u
#define IXON 02000u
#define OPOST 1u
#define ONLCR 4u
#define OCRNL 010u
#define CS8 060u
#define CREAD 0200u
#define B38400 017u
#define ISIG 1u
#define ICANON 2u
#define ECHO 010u
#define ECHOE 020u
#define ECHOK 040u
#define ECHONL 0100u
#define NOFLSH 0200u
#define TOSTOP 0400u
#define ECHOCTL 01000u
#define ECHOKE 04000u
#define IEXTEN 0100000u

struct linux_termios {
    u32 iflag, oflag, cflag, lflag;
    u8 line;
    u8 cc[NCCS];
};

struct linux_winsize {
    u16 rows, columns, x, y;
};

struct linux_rusage {
    struct linux_timeval utime, stime;
    i64 maxrss, ixrss, idrss, isrss, minflt, majflt, nswap, inblock, oublock, msgsnd, msgrcv,
        nsignals, nvcsw, nivcsw;
};

struct linux_sysinfo {
    i64 uptime;
    u64 loads[3], totalram, freeram, sharedram, bufferram, totalswap, freeswap;
    u16 procs, padding;
    u32 padding2;
    u64 totalhigh, freehigh;
    u32 unit;
    u32 padding3;
};

struct linux_utsname {
    char sysname[65], nodename[65], release[65], version[65], machine[65], domainname[65];
};

struct linux_tms {
    i64 utime, stime, cutime, cstime;
};

struct linux_itimerval {
    struct linux_timeval interval, value;
};

#define CLOCK_REALTIME 0
#define CLOCK_MONOTONIC 1
#define CLOCK_PROCESS_CPUTIME_ID 2
#define CLOCK_THREAD_CPUTIME_ID 3
#define CLOCK_MONOTONIC_RAW 4
#define CLOCK_REALTIME_COARSE 5
#define CLOCK_MONOTONIC_COARSE 6
#define CLOCK_BOOTTIME 7
#define TIMER_ABSTIME 1

#define RLIMIT_STACK 3
#define RLIMIT_NPROC 6
#define RLIMIT_NOFILE 7
#define RLIM_INFINITY (~0ull)

#define LINUX_REBOOT_MAGIC1 0xfee1dead
#define LINUX_REBOOT_CMD_POWER_OFF 0x4321fedc
#define LINUX_REBOOT_CMD_HALT 0xcdef0123
#define LINUX_REBOOT_CMD_RESTART 0x01234567

#endif
