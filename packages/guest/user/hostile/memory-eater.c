/*
 * memory-eater [map | brk | sparse | fork]: takes memory and touches it until it gets no more.
 *
 * "sparse" touches single pages far apart, so that page tables are most of what it uses; it stops after 2500
 * pages. Status 3: refused (ENOMEM, a fork also with EAGAIN). A kernel that has promised too much may kill it instead.
 */
#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

enum { PAGE = 4096, CHUNK = 1 << 20 };

static int refused(const char *what)
{
    printf("%s refused: %s\n", what, strerrorname(errno));
    return errno == ENOMEM || errno == EAGAIN ? 3 : 1;
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

/* Up to 200 children, each of which writes to all of two megabytes that it shares until then, and stays. */
static int eat_copies(void)
{
    static char shared[2 << 20];
    int result = 0;

    setpgid(0, 0);
    touch(shared, sizeof(shared));
    for (int count = 0; count < 200 && result == 0; count++) {
        int ready[2];
        char letter;
        if (pipe(ready) < 0)
            return refused("pipe");
        pid_t child = fork();
        if (child == 0) {
            touch(shared, sizeof(shared));
            write(ready[1], "x", 1);
            for (;;)
                pause();
        }
        if (child < 0)
            result = refused("fork");
        /* One that is killed for want of memory closes the pipe without a word. */
        close(ready[1]);
        read(ready[0], &letter, 1);
        close(ready[0]);
    }
    signal(SIGTERM, SIG_IGN);
    kill(0, SIGTERM);
    return result;
}

int main(int argc, char **argv)
{
    const char *way = argc > 1 ? argv[1] : "map";
    if (strcmp(way, "brk") == 0)
        return eat_data();
    if (strcmp(way, "sparse") == 0)
        return eat_tables();
    if (strcmp(way, "fork") == 0)
        return eat_copies();
    return eat_maps();
}
