/* After fork each process has its own memory, although nothing was copied: data, stack, heap and maps. */
#include "test.h"
#include <sys/mman.h>

enum { PAGE = 4096, PAGES = 64 };

static int data = 1;
static char zeros[PAGES * PAGE];

static unsigned sum(const char *memory)
{
    unsigned total = 0;
    for (int i = 0; i < PAGES * PAGE; i += 64)
        total = total * 31 + (unsigned char)memory[i];
    return total;
}

int main(void)
{
    int on_stack = 2, fds[2];
    char *heap = malloc(PAGES * PAGE),
         *map = mmap(0, PAGES * PAGE, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    char letter;
    for (int i = 0; i < PAGES * PAGE; i++)
        heap[i] = map[i] = zeros[i] = (char)(i / 64);
    unsigned before = sum(heap);
    pipe(fds);

    /* The child writes everywhere and the parent looks, then the other way round. */
    pid_t child = fork();
    if (child == 0) {
        data = 10, on_stack = 20;
        memset(heap, 'c', PAGES * PAGE);
        memset(map, 'c', PAGES * PAGE);
        memset(zeros, 'c', PAGES * PAGE);
        unsigned mine = sum(heap);
        write(fds[1], "x", 1);
        usleep(1000);
        _exit(data == 10 && on_stack == 20 && sum(heap) == mine && sum(map) == mine && sum(zeros) == mine
                  ? 0
                  : 1);
    }
    read(fds[0], &letter, 1);
    printf("the parent still has %d and %d\n", data, on_stack);
    check("and its heap, its map and its data",
          sum(heap) == before && sum(map) == before && sum(zeros) == before);
    data = 100, on_stack = 200;
    memset(heap, 'p', PAGES * PAGE);
    memset(map, 'p', PAGES * PAGE);
    show_end("the child has its own", child);

    /* Three generations, each with one page more of its own. */
    for (int generation = 0; generation < 3; generation++) {
        child = fork();
        if (child != 0)
            break;
        map[generation * PAGE] = (char)('0' + generation);
        map[3 * PAGE]++;
    }
    if (data == 100 && child != 0) {
        int status;
        waitpid(child, &status, 0);
        if (map[3 * PAGE] != 'p')
            _exit(WEXITSTATUS(status) + map[3 * PAGE] - 'p');
        printf("generations add up to %d\n", WEXITSTATUS(status));
    } else {
        _exit(map[0] == '0' && map[PAGE] == '1' && map[2 * PAGE] == '2' && map[3 * PAGE] == 'p' + 3 ? 3
                                                                                                    : 100);
    }

    /* The kernel writes into a page that is still shared. */
    write(fds[1], "kernel", 6);
    child = fork();
    if (child == 0) {
        read(fds[0], heap, 6);
        _exit(memcmp(heap, "kernel", 6) == 0 ? 0 : 1);
    }
    show_end("read into a shared page", child);
    printf("the parent has '%.6s'\n", heap);

    /* A page whose other owner is gone is written without harm, as is one protected and released again. */
    child = fork();
    if (child == 0) {
        mprotect(map, PAGE, PROT_READ);
        mprotect(map, PAGE, PROT_READ | PROT_WRITE);
        map[5] = 'm';
        _exit(map[5] == 'm' && map[6] == 'p' ? 0 : 1);
    }
    show_end("protection taken and given back", child);
    heap[0] = 'h';
    check("written after the child is gone", heap[0] == 'h' && heap[1] == 'p' && map[5] == 'p');
    return verdict();
}
