/* mmap, munmap, mremap and madvise on anonymous memory, and maps of files. */
#include "test.h"
#include <sys/mman.h>

enum { PAGE = 4096 };

static char *anonymous(size_t size)
{
    return mmap(0, size, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
}

/* Whether the kernel can read the byte: a way to ask without a fault. */
static int mapped(const char *where)
{
    int fds[2];
    pipe(fds);
    int result = write(fds[1], where, 1) == 1;
    close(fds[0]), close(fds[1]);
    return result;
}

static void anonymous_memory(void)
{
    char *memory = anonymous(8 * PAGE);
    int sum = 0;
    check("a map begins on a page", memory != MAP_FAILED && (unsigned long)memory % PAGE == 0);
    for (int i = 0; i < 8 * PAGE; i++)
        sum += memory[i];
    printf("fresh memory adds up to %d\n", sum);
    memset(memory, 7, 8 * PAGE);
    show("a hole", munmap(memory + 2 * PAGE, PAGE));
    check("the page is gone, its neighbours are not",
          !mapped(memory + 2 * PAGE) && mapped(memory + 2 * PAGE - 1) && mapped(memory + 3 * PAGE));
    show("unmapping the hole again", munmap(memory + 2 * PAGE, PAGE));
    char *fixed =
        mmap(memory + 2 * PAGE, PAGE, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED, -1, 0);
    check("MAP_FIXED fills it", fixed == memory + 2 * PAGE && *fixed == 0 && memory[2 * PAGE - 1] == 7);
    fixed =
        mmap(memory + 4 * PAGE, PAGE, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED, -1, 0);
    check("MAP_FIXED replaces what was there", fixed[0] == 0 && fixed[-1] == 7 && fixed[PAGE] == 7);
    show("unmapping across maps and holes", munmap(memory, 8 * PAGE));
    check("all is gone", !mapped(memory) && !mapped(memory + 7 * PAGE));

    char *near = anonymous(PAGE), *hint = mmap(near, PAGE, PROT_READ, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    check("a hint that is taken does not replace", hint != MAP_FAILED && hint != near);
    munmap(near, PAGE), munmap(hint, PAGE);

    show("a size of zero", (long)mmap(0, 0, PROT_READ, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0));
    show("neither private nor shared", (long)mmap(0, PAGE, PROT_READ, MAP_ANONYMOUS, -1, 0));
    show("fixed, but not on a page",
         (long)mmap((void *)0x10001, PAGE, PROT_READ, MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED, -1, 0));
    show("a closed descriptor", (long)mmap(0, PAGE, PROT_READ, MAP_PRIVATE, 99, 0));
    show("more than the address space",
         (long)mmap(0, 1UL << 60, PROT_READ, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0));
    show("munmap not on a page", munmap((char *)0x10001, PAGE));
    show("munmap of nothing", munmap(memory, 0));
    show("munmap of the kernel", munmap((char *)0xffffffff80000000UL, PAGE));
}

static void large_and_sparse(void)
{
    size_t size = 1UL << 30;
    char *memory = anonymous(size);
    check("a gigabyte of addresses", memory != MAP_FAILED);
    for (size_t at = 0; at < size; at += size / 16)
        memory[at] = (char)(at / (size / 16));
    int sum = 0;
    for (size_t at = 0; at < size; at += size / 64)
        sum += memory[at];
    printf("its few pages add up to %d\n", sum);
    show("unmapped", munmap(memory, size));
}

static void moves(void)
{
    char *memory = anonymous(5 * PAGE);
    for (int i = 0; i < 4; i++)
        memory[i * PAGE] = (char)(i + 1);
    char *wall = mmap(memory + 4 * PAGE, PAGE, PROT_READ, MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED, -1, 0);
    show("mremap where there is no room", (long)mremap(memory, 4 * PAGE, 16 * PAGE, 0));
    char *moved = mremap(memory, 4 * PAGE, 16 * PAGE, MREMAP_MAYMOVE);
    check("mremap moves", moved != MAP_FAILED && moved != memory);
    printf("%d %d %d %d %d\n", moved[0], moved[PAGE], moved[2 * PAGE], moved[3 * PAGE], moved[15 * PAGE]);
    check("the old place is free", !mapped(memory) && mapped(wall));
    check("mremap shrinks",
          mremap(moved, 16 * PAGE, PAGE, 0) == moved && mapped(moved) && !mapped(moved + PAGE));
    check("mremap grows in place", mremap(moved, PAGE, 2 * PAGE, 0) == moved && mapped(moved + PAGE));
    munmap(moved, 2 * PAGE);
    munmap(wall, PAGE);

    memory = anonymous(2 * PAGE);
    memset(memory, 9, 2 * PAGE);
    show("madvise: not needed", madvise(memory, PAGE, MADV_DONTNEED));
    printf("%d %d\n", memory[0], memory[PAGE]);
    munmap(memory, 2 * PAGE);
}

static void files(void)
{
    enter_scratch();
    make_file("file", "0123456789");
    int fd = open("file", O_RDWR);
    char *memory = mmap(0, PAGE, PROT_READ | PROT_WRITE, MAP_PRIVATE, fd, 0);
    printf("'%.10s', then %d\n", memory, memory[10]);
    memory[0] = 'x';
    show_file("file");
    show("offset in the middle of a page", (long)mmap(0, PAGE, PROT_READ, MAP_PRIVATE, fd, 100));
    close(fd);
    printf("after the file is closed: '%.10s'\n", memory);
    munmap(memory, PAGE);

    /* Three pages: the second mapped alone, in a child too. */
    static char page[PAGE];
    fd = open("file", O_RDWR | O_TRUNC);
    for (int i = 0; i < 3; i++) {
        memset(page, 'a' + i, PAGE);
        write(fd, page, PAGE);
    }
    memory = mmap(0, 2 * PAGE, PROT_READ | PROT_WRITE, MAP_PRIVATE, fd, PAGE);
    printf("%c %c\n", memory[0], memory[PAGE]);
    memory[1] = 'X';
    pid_t child = fork();
    if (child == 0) {
        memory[2] = 'Y';
        _exit(memory[0] == 'b' && memory[1] == 'X' && memory[PAGE] == 'c' ? 0 : 1);
    }
    show_end("the child sees the same", child);
    printf("and keeps its own: '%.4s'\n", memory);
    munmap(memory, 2 * PAGE);
    close(fd);
    unlink("file");
    leave_scratch();
}

static void shared_with_children(void)
{
    volatile int *counter = mmap(0, PAGE, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
    *counter = 1;
    for (int i = 0; i < 3; i++) {
        pid_t child = fork();
        if (child == 0) {
            *counter = *counter * 10 + i;
            _exit(0);
        }
        waitpid(child, 0, 0);
    }
    printf("shared memory holds %d\n", *counter);
}

int main(void)
{
    anonymous_memory();
    large_and_sparse();
    moves();
    files();
    shared_with_children();
    return verdict();
}
