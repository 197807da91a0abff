/*
 * random-files [verbose]: ten thousand random operations on a small tree of files, folders and links.
 *
 * Every result goes into a checksum that is printed from time to time, but not why an operation failed: where
 * several reasons hold at once, kernels differ in the one they find first. With "verbose" every operation is
 * printed with its result and reason, to find where two kernels part. Names are few, so that operations meet
 * what others left. A path has at most one
 * "..", and the tree begins so deep that none leads out of it.
 */
#include "test.h"
#include <dirent.h>
#include <stdint.h>

enum { OPERATIONS = 10000, FILES = 4 };

static uint64_t random_state = 12345, checksum;
static int verbose, fds[FILES] = { -1, -1, -1, -1 };

static unsigned random_below(unsigned limit)
{
    random_state ^= random_state << 13;
    random_state ^= random_state >> 7;
    random_state ^= random_state << 17;
    return (unsigned)(random_state >> 20) % limit;
}

static void note(long value)
{
    checksum = (checksum ^ (uint64_t)value) * 0x100000001b3u;
    checksum ^= checksum >> 29;
}

/* Counts a result, and shows it where that is wanted. A new descriptor counts as success alone. */
static long result(const char *what, const char *path, const char *other, long value)
{
    int reason = value == -1 ? errno : 0;
    note(value);
    if (verbose)
        printf("%s %s %s: %ld %s\n", what, path, other, value, strerrorname(reason));
    return value;
}

static const char *random_path(void)
{
    static char paths[2][64];
    static int which;
    char *path = paths[which ^= 1], *end = path;
    unsigned parts = 1 + random_below(3), up = random_below(12);
    static const char *const names[] = { "a", "b", "c", "d", "a", "b", "c", "d", ".", "e" };

    if (random_below(200) == 0) {
        *end = 0;
        return path;
    }
    for (unsigned i = 0; i < parts; i++) {
        if (i > 0)
            *end++ = '/';
        if (i > 0 && i == up)
            end += strlen(strcpy(end, ".."));
        else
            end += strlen(strcpy(end, names[random_below(10)]));
    }
    if (random_below(25) == 0)
        *end++ = '/';
    *end = 0;
    return path;
}

static void open_something(void)
{
    static const int flags[] = { O_RDONLY,
                                 O_WRONLY,
                                 O_RDWR,
                                 O_RDWR | O_CREAT,
                                 O_RDWR | O_CREAT,
                                 O_RDWR | O_CREAT | O_EXCL,
                                 O_WRONLY | O_CREAT | O_TRUNC,
                                 O_RDWR | O_APPEND | O_CREAT,
                                 O_RDONLY | O_DIRECTORY,
                                 O_RDONLY | O_NOFOLLOW,
                                 O_RDONLY | O_CREAT,
                                 O_RDWR | O_NOFOLLOW | O_CREAT };
    static const char *const names[] = { "r",
                                         "w",
                                         "rw",
                                         "rw+creat",
                                         "rw+creat",
                                         "rw+creat+excl",
                                         "w+creat+trunc",
                                         "rw+append+creat",
                                         "directory",
                                         "r+nofollow",
                                         "r+creat",
                                         "rw+nofollow+creat" };
    int slot = (int)random_below(FILES), way = (int)random_below(12);
    if (fds[slot] >= 0)
        close(fds[slot]);
    const char *path = random_path();
    fds[slot] = open(path, flags[way], 0666);
    result("open", path, names[way], fds[slot] < 0 ? -1 : 0);
}

static void use_a_file(void)
{
    char text[300];
    int fd = fds[random_below(FILES)];
    long size = random_below(300), got;
    switch (random_below(6)) {
    case 0:
    case 1:
        memset(text, (int)random_below(26) + 'a', sizeof(text));
        result("write", "", "", write(fd, text, (size_t)size));
        break;
    case 2:
        got = result("read", "", "", read(fd, text, (size_t)size));
        for (long i = 0; i < got; i++)
            note(text[i]);
        break;
    case 3:
        result("lseek", "", "",
               fd < 0 || random_below(3) == 0 ? lseek(fd, -(long)random_below(100), SEEK_CUR)
                                              : lseek(fd, size * 3, SEEK_SET));
        break;
    case 4: result("ftruncate", "", "", ftruncate(fd, size * 2)); break;
    case 5: {
        struct stat properties;
        if (result("fstat", "", "", fstat(fd, &properties)) == 0 && S_ISREG(properties.st_mode))
            note(properties.st_size), note((long)properties.st_nlink);
        break;
    }
    }
}

static void look(const char *path)
{
    struct stat properties;
    int follow = (int)random_below(2);
    if (result(follow ? "stat" : "lstat", path, "",
               follow ? stat(path, &properties) : lstat(path, &properties)) == 0) {
        note(properties.st_mode & S_IFMT);
        if (S_ISREG(properties.st_mode))
            note(properties.st_size), note((long)properties.st_nlink);
    }
}

static void list(const char *path)
{
    DIR *directory = opendir(path);
    long sum = 0, count = 0;
    struct dirent *entry;
    while (directory && (entry = readdir(directory)) != 0) {
        count++;
        sum += entry->d_name[0] * 256 + entry->d_name[1] + entry->d_type * 65536;
    }
    result("list", path, "", directory ? count : -1);
    note(sum);
    if (directory)
        closedir(directory);
}

static void operate(void)
{
    char target[64];
    const char *path = random_path(), *other;
    switch (random_below(15)) {
    case 0:
    case 1: open_something(); break;
    case 2:
    case 3:
    case 4: use_a_file(); break;
    case 5: result("mkdir", path, "", mkdir(path, 0777)); break;
    case 6: result("rmdir", path, "", rmdir(path)); break;
    case 7: result("unlink", path, "", unlink(path)); break;
    case 8:
    case 9:
        other = random_path();
        result("rename", path, other, rename(path, other));
        break;
    case 10:
        other = random_path();
        result("link", path, other, link(path, other));
        break;
    case 11:
        other = random_path();
        /* A target without "..", for paths that lead out of the tree come from those. */
        result("symlink", path, other, strstr(path, "..") ? 0 : symlink(path, other));
        break;
    case 12: {
        ssize_t size = result("readlink", path, "", readlink(path, target, sizeof(target)));
        for (ssize_t i = 0; i < size; i++)
            note(target[i]);
        break;
    }
    case 13: look(path); break;
    case 14: list(path); break;
    }
}

/* Removes what is in the current folder, and so on down. */
static void clean(void)
{
    DIR *directory = opendir(".");
    struct dirent *entry;
    char names[64][16];
    int count = 0;
    while (directory && (entry = readdir(directory)) != 0 && count < 64)
        if (strcmp(entry->d_name, ".") != 0 && strcmp(entry->d_name, "..") != 0)
            strcpy(names[count++], entry->d_name);
    if (directory)
        closedir(directory);
    for (int i = 0; i < count; i++) {
        if (unlink(names[i]) == 0)
            continue;
        if (chdir(names[i]) == 0) {
            clean();
            chdir("..");
        }
        rmdir(names[i]);
    }
}

int main(int argc, char **argv)
{
    verbose = argc > 1 && strcmp(argv[1], "verbose") == 0;
    enter_scratch();
    umask(0);
    mkdir("1", 0777), chdir("1"), mkdir("2", 0777), chdir("2"), mkdir("3", 0777), chdir("3");
    for (int i = 0; i < OPERATIONS; i++) {
        operate();
        if (i % 500 == 499)
            printf("%d operations: %016lx\n", i + 1, checksum);
    }
    for (int i = 0; i < FILES; i++)
        close(fds[i]);
    chdir(scratch);
    clean();
    leave_scratch();
    return verdict();
}
