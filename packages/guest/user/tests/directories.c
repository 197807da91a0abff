/* Folders: making, listing, moving about in them, removing. */
#include "test.h"
#include <dirent.h>

static int by_name(const void *a, const void *b) { return strcmp(*(char *const *)a, *(char *const *)b); }

/* Prints the names in order, with a letter for the type. */
static void list(const char *path)
{
    char *names[200];
    int count = 0;
    DIR *directory = opendir(path);
    struct dirent *entry;
    if (!directory) {
        show(path, -1);
        return;
    }
    while ((entry = readdir(directory)) != 0 && count < 200) {
        char line[300];
        snprintf(line, sizeof(line), "%s%s", entry->d_name,
                 entry->d_type == DT_DIR   ? "/"
                 : entry->d_type == DT_LNK ? "@"
                                           : "");
        names[count++] = strdup(line);
    }
    closedir(directory);
    qsort(names, (size_t)count, sizeof(*names), by_name);
    printf("%s:", path);
    for (int i = 0; i < count; i++)
        printf(" %s", names[i]);
    printf("\n");
}

/* The current folder without the part that differs from run to run. */
static void show_where(void)
{
    char path[256];
    if (!getcwd(path, sizeof(path)))
        show("getcwd", -1);
    else
        printf("in %s\n", strncmp(path, scratch, strlen(scratch)) == 0 ? path + strlen(scratch) : path);
}

int main(void)
{
    struct stat properties;
    char path[16];
    enter_scratch();
    umask(022);

    show("mkdir", mkdir("one", 0777));
    show("mkdir again", mkdir("one", 0777));
    show("mkdir below nothing", mkdir("no/two", 0777));
    show("mkdir below", mkdir("one/two", 0700));
    make_file("one/file", "text");
    symlink("file", "one/link");
    list("one");
    list(".");
    stat("one", &properties);
    check("it is a folder", S_ISDIR(properties.st_mode));
    printf("mode %o\n", properties.st_mode & 07777);

    show("chdir", chdir("one/two"));
    show_where();
    show("chdir up", chdir(".."));
    show_where();
    show("chdir to a file", chdir("file"));
    show("chdir to nothing", chdir("nothing"));
    show("a small buffer for getcwd", getcwd(path, 3) ? 0 : -1);
    int here = open(".", O_RDONLY | O_DIRECTORY);
    chdir("/");
    show_where();
    list("nothing");
    show("fchdir", fchdir(here));
    show_where();
    show("read of a folder", read(here, path, 1));
    int below = openat(here, "two/../file", O_RDONLY);
    show("openat and read", read(below, path, 4));
    close(below);
    show("fstatat", fstatat(here, "two", &properties, 0));
    show("chdir along dots", chdir("./two/.././//two/"));
    show_where();
    chdir("../..");

    show("rmdir of one that is not empty", rmdir("one"));
    show("rmdir of a file", rmdir("one/file"));
    show("unlink of a folder", unlink("one/two") == -1 && (errno == EISDIR || errno == EPERM) ? 0 : -1);
    show("rename a folder", rename("one/two", "three"));
    list(".");
    show("rename into itself", rename("one", "one/inside"));
    show("rename onto one that is not empty", rename("three", "one"));
    show("rmdir", rmdir("three"));
    show("rmdir again", rmdir("three"));
    show("rmdir of .", rmdir("."));

    /* More than one call of getdents64 delivers. */
    mkdir("many", 0755);
    chdir("many");
    for (int i = 0; i < 150; i++) {
        char name[64];
        snprintf(name, sizeof(name), "a-file-with-a-rather-long-name-%03d", i);
        make_file(name, "");
    }
    DIR *directory = opendir(".");
    struct dirent *entry;
    int count = 0, sum = 0;
    while ((entry = readdir(directory)) != 0) {
        count++;
        if (entry->d_name[0] == 'a')
            sum += atoi(entry->d_name + 31);
    }
    closedir(directory);
    printf("%d entries, numbers add up to %d\n", count, sum);
    show("getdents64 into 3 bytes", getdents64(here, path, 3));
    for (int i = 0; i < 150; i++) {
        char name[64];
        snprintf(name, sizeof(name), "a-file-with-a-rather-long-name-%03d", i);
        unlink(name);
    }
    chdir("..");
    show("rmdir when it is empty again", rmdir("many"));

    unlink("one/file");
    unlink("one/link");
    rmdir("one");
    leave_scratch();
    close(here);
    show("listing a file", open("/proc/self/exe", O_RDONLY | O_DIRECTORY));
    return verdict();
}
