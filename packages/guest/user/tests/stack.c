/* The stack grows by itself as far as it is allowed to, and no further. */
#include "test.h"

/* Uses a kilobyte of stack per level and touches it all. */
__attribute__((noinline)) static unsigned long descend(int levels)
{
    volatile char frame[1024];
    for (int i = 0; i < 1024; i++)
        frame[i] = (char)(levels + i);
    unsigned long below = levels > 1 ? descend(levels - 1) : 0;
    return below + (unsigned char)frame[levels % 1024];
}

__attribute__((noinline)) static int one_large_frame(void)
{
    volatile char frame[512 * 1024];
    frame[0] = 1;
    frame[sizeof(frame) - 1] = 2;
    frame[sizeof(frame) / 2] = 3;
    return frame[0] + frame[sizeof(frame) - 1] + frame[sizeof(frame) / 2];
}

static int too_deep(void) { return (int)descend(1 << 30); }

int main(void)
{
    printf("4 levels: %lu\n", descend(4));
    printf("2000 levels: %lu\n", descend(2000));
    in_child("one large frame", one_large_frame);
    in_child("without end", too_deep);
    printf("afterwards: %lu\n", descend(100));
    return verdict();
}
