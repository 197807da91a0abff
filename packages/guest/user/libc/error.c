/* Error numbers in words. */
#include <errno.h>
#include <stdio.h>
#include <string.h>

static const struct {
    int number;
    const char *name, *message;
} errors[] = {
    { 0, "0", "Success" },
    { EPERM, "EPERM", "Operation not permitted" },
    { ENOENT, "ENOENT", "No such file or directory" },
    { ESRCH, "ESRCH", "No such process" },
    { EINTR, "EINTR", "Interrupted system call" },
    { EIO, "EIO", "Input/output error" },
    { ENXIO, "ENXIO", "No such device or address" },
    { E2BIG, "E2BIG", "Argument list too long" },
    { ENOEXEC, "ENOEXEC", "Exec format error" },
    { EBADF, "EBADF", "Bad file descriptor" },
    { ECHILD, "ECHILD", "No child processes" },
    { EAGAIN, "EAGAIN", "Resource temporarily unavailable" },
    { ENOMEM, "ENOMEM", "Cannot allocate memory" },
    { EACCES, "EACCES", "Permission denied" },
    { EFAULT, "EFAULT", "Bad address" },
    { EBUSY, "EBUSY", "Device or resource busy" },
    { EEXIST, "EEXIST", "File exists" },
    { EXDEV, "EXDEV", "Invalid cross-device link" },
    { ENODEV, "ENODEV", "No such device" },
    { ENOTDIR, "ENOTDIR", "Not a directory" },
    { EISDIR, "EISDIR", "Is a directory" },
    { EINVAL, "EINVAL", "Invalid argument" },
    { ENFILE, "ENFILE", "Too many open files in system" },
    { EMFILE, "EMFILE", "Too many open files" },
    { ENOTTY, "ENOTTY", "Inappropriate ioctl for device" },
    { ETXTBSY, "ETXTBSY", "Text file busy" },
    { EFBIG, "EFBIG", "File too large" },
    { ENOSPC, "ENOSPC", "No space left on device" },
    { ESPIPE, "ESPIPE", "Illegal seek" },
    { EROFS, "EROFS", "Read-only file system" },
    { EMLINK, "EMLINK", "Too many links" },
    { EPIPE, "EPIPE", "Broken pipe" },
    { EDOM, "EDOM", "Numerical argument out of domain" },
    { ERANGE, "ERANGE", "Numerical result out of range" },
    { ENAMETOOLONG, "ENAMETOOLONG", "File name too long" },
    { ENOSYS, "ENOSYS", "Function not implemented" },
    { ENOTEMPTY, "ENOTEMPTY", "Directory not empty" },
    { ELOOP, "ELOOP", "Too many levels of symbolic links" },
    { EOVERFLOW, "EOVERFLOW", "Value too large for defined data type" },
};

const char *strerror(int error)
{
    for (size_t i = 0; i < sizeof(errors) / sizeof(*errors); i++)
        if (errors[i].number == error)
            return errors[i].message;
    return "Unknown error";
}

const char *strerrorname(int error)
{
    for (size_t i = 0; i < sizeof(errors) / sizeof(*errors); i++)
        if (errors[i].number == error)
            return errors[i].name;
    return "E?";
}

void perror(const char *what) { dprintf(2, "%s: %s\n", what, strerror(errno)); }
