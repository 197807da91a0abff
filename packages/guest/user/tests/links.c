/* Symbolic and hard links. */
#include "test.h"

static void show_link(const char *path)
{
    char target[64];
    ssize_t size = readlink(path, target, sizeof(target));
    if (size < 0)
        show(path, size);
    else
        printf("%s -> '%.*s'\n", path, (int)size, target);
}

int main(void)
{
    struct stat a, b;
    char short_buffer[3];
    enter_scratch();
    mkdir("folder", 0755);
    make_file("folder/file", "content");

    show("symlink", symlink("folder/file", "link"));
    show("symlink again", symlink("folder/file", "link"));
    show("an empty target", symlink("", "nothing"));
    show_link("link");
    show_link("folder/file");
    show_link("absent");
    show("a short buffer", readlink("link", short_buffer, sizeof(short_buffer)));
    printf("'%.3s'\n", short_buffer);
    show_file("link");
    stat("link", &a);
    lstat("link", &b);
    check("stat follows, lstat does not", S_ISREG(a.st_mode) && S_ISLNK(b.st_mode));
    printf("the link has %ld bytes\n", b.st_size);
    show("O_NOFOLLOW", open("link", O_RDONLY | O_NOFOLLOW));

    symlink("folder", "shortcut");
    show_file("shortcut/file");
    symlink("../link", "folder/back");
    show_file("shortcut/back");
    show("mkdir through a link", mkdir("shortcut/new", 0755));
    show("rmdir", rmdir("folder/new"));
    show("rmdir of a link", rmdir("shortcut"));

    symlink("loop", "loop");
    show("a loop", open("loop", O_RDONLY));
    symlink("right", "left");
    symlink("left", "right");
    show("a longer loop", stat("left", &a));
    symlink("gone", "dangling");
    show("a dangling link", open("dangling", O_RDONLY));
    show("create through it", open("dangling", O_WRONLY | O_CREAT | O_EXCL, 0644));
    int made = open("dangling", O_WRONLY | O_CREAT, 0644);
    show("create through it without O_EXCL", write(made, "made", 4));
    close(made);
    show_file("gone");

    show("link", link("folder/file", "hard"));
    show("link again", link("folder/file", "hard"));
    show("link of a folder", link("folder", "hard2"));
    stat("hard", &a);
    stat("folder/file", &b);
    check("both names are one file", a.st_ino == b.st_ino && a.st_dev == b.st_dev);
    printf("%lu links\n", a.st_nlink);
    make_file("hard", "changed");
    show_file("folder/file");
    unlink("folder/file");
    stat("hard", &a);
    printf("%lu link\n", a.st_nlink);
    show("the symbolic link hangs now", access("link", F_OK));

    unlink("hard"), unlink("link"), unlink("loop"), unlink("left"), unlink("right"), unlink("dangling"),
        unlink("gone");
    unlink("folder/back"), unlink("shortcut"), rmdir("folder");
    leave_scratch();
    return verdict();
}
