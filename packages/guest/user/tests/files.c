/* Regular files: the ways of opening, positions, sizes, holes. */
#include "test.h"
#include <sys/uio.h>

static void show_size(const char *path)
{
    struct stat properties;
    if (show(path, stat(path, &properties)) == 0)
        printf("  %ld bytes, mode %o, regular %d, links %lu\n", properties.st_size,
               properties.st_mode & 07777, S_ISREG(properties.st_mode), properties.st_nlink);
}

int main(void)
{
    char text[64];
    enter_scratch();
    umask(022);

    show_ok("create", open("a", O_RDWR | O_CREAT | O_EXCL, 0666));
    show("create again", open("a", O_RDWR | O_CREAT | O_EXCL, 0666));
    int file = open("a", O_RDWR);
    show("write", write(file, "Hello, world", 12));
    show_size("a");
    show("position", lseek(file, 0, SEEK_CUR));
    show("SEEK_SET", lseek(file, 7, SEEK_SET));
    show("read", read(file, text, sizeof(text)));
    printf("'%.5s'\n", text);
    show("read at the end", read(file, text, sizeof(text)));
    show("SEEK_END", lseek(file, -5, SEEK_END));
    show("overwrite", write(file, "W", 1));
    show("before the beginning", lseek(file, -1, SEEK_SET));
    show("a wrong whence", lseek(file, 0, 99));
    show("pread", pread(file, text, 5, 0));
    printf("'%.5s'\n", text);
    show("pwrite", pwrite(file, "J", 1, 0));
    show("the position stayed", lseek(file, 0, SEEK_CUR));
    show("pread at a negative place", pread(file, text, 5, -1));
    show_file("a");

    show("far beyond the end", lseek(file, 100000, SEEK_SET));
    show("write there", write(file, "end", 3));
    show_size("a");
    long zeros = 0;
    for (long at = 12; at < 100000; at += (long)sizeof(text)) {
        long got = pread(file, text, sizeof(text), at);
        for (long i = 0; i < got && at + i < 100000; i++)
            zeros += text[i] == 0;
    }
    printf("the hole holds %ld zeros\n", zeros);
    show("cut", ftruncate(file, 5));
    show_size("a");
    show("lengthen", ftruncate(file, 8));
    show_file("a");
    show("to a negative size", ftruncate(file, -1));
    close(file);

    file = open("a", O_WRONLY | O_APPEND);
    lseek(file, 0, SEEK_SET);
    write(file, "tail", 4);
    show("appending moves the position", lseek(file, 0, SEEK_CUR));
    close(file);
    show_file("a");
    close(open("a", O_WRONLY | O_TRUNC));
    show_size("a");
    file = open("b", O_WRONLY | O_CREAT, 0640);
    struct iovec pieces[3] = { { "one, ", 5 }, { "", 0 }, { "two", 3 } };
    show("writev", writev(file, pieces, 3));
    show("writev of a negative number of pieces", writev(file, pieces, -1));
    close(file);
    show_size("b");
    file = open("b", O_RDONLY);
    char left[4] = "", right[8] = "";
    struct iovec parts[2] = { { left, 3 }, { right, 7 } };
    show("readv", readv(file, parts, 2));
    printf("'%s' '%s'\n", left, right);
    show("ftruncate of a file open for reading", ftruncate(file, 0));
    close(file);

    show("open what is not there", open("c", O_RDONLY));
    show("through a file", open("a/b", O_RDONLY));
    show("an empty name", open("", O_RDONLY));
    show("a folder for writing", open(".", O_WRONLY));
    show("a file as a folder", open("a", O_RDONLY | O_DIRECTORY));
    static char long_name[300];
    memset(long_name, 'n', 299);
    show("a name of 299 letters", open(long_name, O_RDONLY));

    show("access", access("b", R_OK | W_OK));
    show("access to nothing", access("c", F_OK));
    show("chmod", chmod("b", 0600));
    show_size("b");
    show("rename", rename("b", "c"));
    show_size("b");
    show_size("c");
    show("rename onto another", rename("c", "a"));
    show_file("a");

    /* An open file lives on without a name. */
    file = open("a", O_RDWR);
    show("unlink", unlink("a"));
    show("unlink again", unlink("a"));
    struct stat properties;
    fstat(file, &properties);
    printf("%lu links, %ld bytes\n", properties.st_nlink, properties.st_size);
    show("it can still be read", pread(file, text, 8, 0));
    close(file);
    leave_scratch();
    return verdict();
}
