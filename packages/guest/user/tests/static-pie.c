/* A position-independent program: pointers in its data are right wherever it was loaded, and it was not at
 * address 0. */
#include <stdio.h>
#include <string.h>

static int first(void) { return 1; }
static int second(void) { return 2; }

/* Volatile, so that the compiler takes the addresses from the table, which must have been moved. */
static volatile struct {
    const char *name;
    int (*function)(void);
} table[] = { { "first", first }, { "second", second } };

extern const char __ehdr_start[] __attribute__((visibility("hidden")));

int main(void)
{
    for (int i = 0; i < 2; i++)
        printf("%s gives %d\n", table[i].name, table[i].function());
    printf("the image begins with ELF: %d\n", memcmp(__ehdr_start, "\177ELF", 4) == 0);
    printf("it was moved away from 0: %d\n", (unsigned long)__ehdr_start >= 0x10000);
    printf("it begins on a page: %d\n", ((unsigned long)__ehdr_start & 4095) == 0);
    return 0;
}
