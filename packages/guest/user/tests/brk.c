/* The end of the data segment: up, down, and not into what is there. */
#include "test.h"
#include <sys/syscall.h>

int main(void)
{
    char *start = (char *)syscall(SYS_brk, 0L);
    check("brk(0) gives the end", start != 0);
    char *end = (char *)syscall(SYS_brk, start + 100000);
    check("it grows", end == start + 100000);
    int sum = 0;
    for (int i = 0; i < 100000; i++)
        sum += start[i];
    printf("new memory adds up to %d\n", sum);
    memset(start, 5, 100000);
    check("it shrinks", (char *)syscall(SYS_brk, start + 50000) == start + 50000);
    check("and grows again", (char *)syscall(SYS_brk, start + 100000) == start + 100000);
    sum = 0;
    for (int i = 0; i < 100000; i++)
        sum += start[i];
    /* Up to the end of the page that holds the lower end, the old content stays: what that adds depends on
     * where data ends. */
    long kept = (long)(((unsigned long)start + 50000 + 4095) / 4096 * 4096 - (unsigned long)start);
    check("what was given back is zero", sum == 5 * kept);
    check("an end below the start changes nothing", (char *)syscall(SYS_brk, 4096L) == start + 100000);
    check("an end in the kernel changes nothing",
          (char *)syscall(SYS_brk, 0xffffffff80000000UL) == start + 100000);

    pid_t child = fork();
    if (child == 0) {
        end = (char *)syscall(SYS_brk, start + 200000);
        end[-1] = 1;
        _exit(end == start + 200000 && start[0] == 5 ? 0 : 1);
    }
    show_end("a child has its own end", child);
    check("the parent's stayed", (char *)syscall(SYS_brk, 0L) == start + 100000);
    check("all given back", (char *)syscall(SYS_brk, start) == start);
    return verdict();
}
