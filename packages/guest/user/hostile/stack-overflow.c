/* Recursion without end. Ending: SIGSEGV. */
#include <stdio.h>

__attribute__((noinline)) static int descend(int level)
{
    volatile char frame[256];
    frame[level % 256] = (char)level;
    return level < 0 ? 0 : descend(level + 1) + frame[level % 256];
}

int main(int argc, char **argv)
{
    (void)argv;
    printf("%d\n", descend(argc));
    return 1;
}
