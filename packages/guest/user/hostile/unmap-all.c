/* Gives back all its memory, the code that runs included. Ending: SIGSEGV. */
#include <sys/mman.h>

int main(void)
{
    munmap(0, 0x7ffffffff000);
    return 1;
}
