/* The few devices that every guest has, and what this process's standard output is not. */
#include "test.h"
#include <sys/utsname.h>

int main(void)
{
    char bytes[5000];
    struct stat properties;
    struct utsname names;

    int null = open("/dev/null", O_RDWR);
    show("write to /dev/null", write(null, bytes, sizeof(bytes)));
    show("read from it", read(null, bytes, sizeof(bytes)));
    fstat(null, &properties);
    check("it is a character device", S_ISCHR(properties.st_mode));
    show("isatty of it", isatty(null));
    show("an unknown ioctl", ioctl(null, 0x12345, 0));
    close(null);

    int zero = open("/dev/zero", O_RDWR);
    memset(bytes, 1, sizeof(bytes));
    show("read from /dev/zero", read(zero, bytes, sizeof(bytes)));
    int sum = 0;
    for (size_t i = 0; i < sizeof(bytes); i++)
        sum += bytes[i];
    printf("they add up to %d\n", sum);
    show("write to it", write(zero, bytes, 10));
    close(zero);
    show("a device that is none", open("/dev/nothing-of-the-kind", O_RDONLY));

    int fds[2];
    pipe(fds);
    show("isatty of a pipe", isatty(fds[0]));
    show("isatty of a closed descriptor", isatty(77));

    show("uname", uname(&names));
    printf("%s %s\n", names.sysname, names.machine);
    check("the release is a version",
          names.release[0] >= '3' && names.release[0] <= '9' && names.release[1] == '.');
    return verdict();
}
