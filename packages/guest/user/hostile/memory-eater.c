/*
 * memory-eater [map | brk | sparse]: takes memory and touches it until it gets no more.
 *
 * "sparse" touches single pages far apart, so that page tables are most of what it uses; it stops after 2500
 * pages. Status 3: refused with ENOMEM. A kernel that has promised too much may kill it instead.
 */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

enum { PAGE = 4096, CHUNK = 1 << 20 };

static int refused(const char *what)
{
    printf("%s refused: %s\n", what, strerrorname(errno));
    return errno == ENOMEM ? 3 : 1;
}

static void touch(char *memory, size_t size)
{
    for (size_t at = 0; at < size; at += PAGE)
        memory[at] = 1;
}

static int eat_maps(void)
{
    for (;;) {
        char *memory = mmap(0, CHUNK, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
        if (memory == MAP_FAILED)
            return refused("mmap");
        touch(memory, CHUNK);
    }
}

static int eat_data(void)
{
    for (;;) {
        char *memory = sbrk(CHUNK);
        if (memory == (char *)-1)
            return refused("brk");
        touch(memory, CHUNK);
    }
}

static int eat_tables(void)
{
    for (unsigned long i = 1; i <= 2500; i++) {
        char *where = (char *)(i << 30 | 1UL << 44), *memory;
        memory = mmap(where, PAGE, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED, -1, 0);
        if (memory == MAP_FAILED)
            return refused("mmap");
        touch(memory, PAGE);
    }
    puts("2500 pages, a gigabyte apart");
    return 0;
}

int main(int argc, char **argv)
{
    const char *way = argc > 1 ? argv[1] : "map";
    return strcmp(way, "brk") == 0 ? eat_data() : strcmp(way, "sparse") == 0 ? eat_tables() : eat_maps();
}
