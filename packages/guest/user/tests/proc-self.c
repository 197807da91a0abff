/* /proc/self/exe, and the auxiliary vector that says the same in another way. */
#include "test.h"
#include <elf.h>

static const char *base_name(const char *path)
{
    const char *slash = strrchr(path, '/');
    return slash ? slash + 1 : path;
}

int main(int argc, char **argv, char **envp)
{
    char path[256] = "";
    unsigned char magic[4] = { 0 };
    struct stat properties;

    if (argc > 1) {
        printf("  executed through the link as '%s'\n", argv[1]);
        return 0;
    }
    ssize_t size = readlink("/proc/self/exe", path, sizeof(path) - 1);
    check("the link is an absolute path", size > 0 && path[0] == '/');
    printf("it ends with %s\n", base_name(path));
    lstat("/proc/self/exe", &properties);
    check("it is a symbolic link", S_ISLNK(properties.st_mode));
    stat("/proc/self/exe", &properties);
    check("to a file", S_ISREG(properties.st_mode));
    int file = open("/proc/self/exe", O_RDONLY);
    read(file, magic, 4);
    check("that begins with ELF", memcmp(magic, "\177ELF", 4) == 0);
    show("and that is executing, so writing is refused", open("/proc/self/exe", O_WRONLY));
    close(file);
    pid_t child = fork();
    if (child == 0) {
        char *arguments[] = { "other-name", "again", 0 };
        execve("/proc/self/exe", arguments, envp);
        _exit(1);
    }
    show_end("execution", child);

    unsigned long *auxiliary = (unsigned long *)envp;
    while (*auxiliary)
        auxiliary++;
    unsigned long value[64] = { 0 }, seen = 0;
    for (auxiliary++; auxiliary[0] != AT_NULL; auxiliary += 2) {
        if (auxiliary[0] < 64) {
            value[auxiliary[0]] = auxiliary[1];
            seen |= 1UL << auxiliary[0];
        }
    }
    show("AT_PAGESZ", (long)value[AT_PAGESZ]);
    show("AT_PHENT", (long)value[AT_PHENT]);
    const Elf64_Phdr *headers = (const Elf64_Phdr *)value[AT_PHDR];
    int entry_in_text = 0;
    for (unsigned long i = 0; i < value[AT_PHNUM]; i++)
        entry_in_text |= headers[i].p_type == PT_LOAD && headers[i].p_flags & PF_X &&
                         value[AT_ENTRY] - headers[i].p_vaddr < headers[i].p_memsz;
    check("AT_PHDR shows segments, and AT_ENTRY is in an executable one", entry_in_text);
    check("AT_RANDOM points to sixteen bytes",
          value[AT_RANDOM] != 0 && memchr((void *)value[AT_RANDOM], 0, 16) != (void *)1);
    printf("AT_EXECFN ends with %s\n", base_name((const char *)value[AT_EXECFN]));
    return verdict();
}
