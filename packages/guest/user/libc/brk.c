/* The end of the data segment. The kernel's brk returns where the end is now, moved or not. */
#include "syscall.h"
#include <errno.h>
#include <unistd.h>

static char *end_of_data;

int brk(void *end)
{
    end_of_data = (char *)syscall3(SYS_brk, (long)end, 0, 0);
    if (end_of_data == end)
        return 0;
    errno = ENOMEM;
    return -1;
}

void *sbrk(intptr_t increment)
{
    if (!end_of_data)
        end_of_data = (char *)syscall3(SYS_brk, 0, 0, 0);
    char *old = end_of_data;
    return increment == 0 || brk(old + increment) == 0 ? old : (void *)-1;
}
