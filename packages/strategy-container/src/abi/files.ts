/**
 * Constants of files in the Linux x86-64 ABI.
 *
 * Linux, include/uapi/asm-generic/fcntl.h, include/uapi/linux/stat.h, include/uapi/linux/fcntl.h.
 */
export const O_WRONLY = 0o1;
export const O_RDWR = 0o2;
export const O_ACCMODE = 0o3;
export const O_CREAT = 0o100;
export const O_EXCL = 0o200;
export const O_NOCTTY = 0o400;
export const O_TRUNC = 0o1000;
export const O_APPEND = 0o2000;
export const O_NONBLOCK = 0o4000;
export const O_DIRECTORY = 0o200000;
export const O_NOFOLLOW = 0o400000;
export const O_CLOEXEC = 0o2000000;
export const O_PATH = 0o10000000;
/** The bit that distinguishes O_TMPFILE from the O_DIRECTORY that it includes. */
export const O_TMPFILE_BIT = 0o20000000;

export const S_IFMT = 0o170000;
export const S_IFIFO = 0o010000;
export const S_IFCHR = 0o020000;
export const S_IFDIR = 0o040000;
export const S_IFBLK = 0o060000;
export const S_IFREG = 0o100000;
export const S_IFLNK = 0o120000;
export const S_IFSOCK = 0o140000;
export const S_ISUID = 0o4000;
export const S_ISGID = 0o2000;
export const S_ISVTX = 0o1000;

export const AT_FDCWD = -100;
export const AT_SYMLINK_NOFOLLOW = 0x100;
export const AT_REMOVEDIR = 0x200;
export const AT_SYMLINK_FOLLOW = 0x400;
export const AT_EMPTY_PATH = 0x1000;

export const POLLIN = 0x1;
export const POLLPRI = 0x2;
export const POLLOUT = 0x4;
export const POLLERR = 0x8;
export const POLLHUP = 0x10;
export const POLLNVAL = 0x20;
export const POLLRDNORM = 0x40;
export const POLLWRNORM = 0x100;

/** Longest path, its terminator included, and longest name in a directory. */
export const PATH_MAX = 4096;
export const NAME_MAX = 255;
/** A write to a pipe of at most this many bytes is not interleaved with others. */
export const PIPE_BUF = 4096;
/** A single read or write moves at most this many bytes. */
export const MAX_RW_COUNT = 0x7fff_f000;
/** Largest file: below what a signed offset holds, at what numbers hold exactly. */
export const MAXIMUM_FILE_BYTES: number = 2 ** 52;
