/* The C library under the other tests: formatted output, numbers, strings, sorting, memory, jumps. */
#include "test.h"
#include <limits.h>
#include <setjmp.h>

static int compare_ints(const void *a, const void *b)
{
    int x = *(const int *)a, y = *(const int *)b;
    return (x > y) - (x < y);
}

static void formats(void)
{
    char text[8];
    printf("[%d] [%5d] [%-5d] [%05d] [%+d] [% d] [%.3d]\n", 42, 42, 42, 42, 42, 42, 42);
    printf("[%d] [%ld] [%u] [%lu]\n", INT_MIN, LONG_MIN, UINT_MAX, ULONG_MAX);
    printf("[%x] [%X] [%#x] [%08lx] [%o] [%#o]\n", 0xbeefu, 0xbeefu, 0xbeefu, 0xbeeful, 8u, 8u);
    printf("[%hhd] [%hd] [%hhu] [%c] [%%]\n", (signed char)-1, (short)-2, (unsigned char)255, 'c');
    printf("[%s] [%10s] [%-10s] [%.2s] [%*.*s]\n", "text", "right", "left", "cut", 6, 3, "stars");
    printf("[%f] [%.0f] [%.3f] [%8.2f] [%-8.1f] [%08.2f] [%+.1f]\n", 3.14159265, 2.5, -0.0005, 1e3, 9.96,
           -1.5, 0.0);
    printf("[%.9f] [%.1f]\n", -0.169075164, 0.95);
    printf("[%p] [%s]\n", (void *)0x1234, (char *)0);
    printf("%d characters were wanted, ", snprintf(text, sizeof(text), "%s", "truncated"));
    printf("'%s' fitted\n", text);
}

static void numbers(void)
{
    static const char *const texts[] = {
        "42", " -17x", "0x1f", "017", "99999999999999999999", "-9223372036854775808", "none", ""
    };
    for (size_t i = 0; i < sizeof(texts) / sizeof(*texts); i++) {
        char *end;
        errno = 0;
        long value = strtol(texts[i], &end, 0);
        printf("'%s' is %ld, rest '%s', %s\n", texts[i], value, end, strerrorname(errno));
    }
}

static void strings(void)
{
    char text[64] = "0123456789abcdefghijklmnopqrstuvwxyz";
    memmove(text + 3, text, 30);
    printf("%s\n", text);
    memmove(text, text + 5, 31);
    printf("%s\n", text);
    memset(text + 2, '-', 21);
    printf("%s\n", text);
    printf("%d %d %d %d\n", strcmp("a", "b") < 0, strcmp("b", "a") > 0, strcmp("", ""),
           strncmp("abc", "abd", 2));
    printf("%s %s %s %d\n", strchr("path/to/file", '/'), strrchr("path/to/file", '/'),
           strstr("a needle", "need"), strstr("a", "b") == 0);
    printf("%d %d\n", memcmp("abc", "abd", 3) < 0, memchr("abc", 'z', 3) == 0);
}

static void memory(void)
{
    unsigned char *pieces[200];
    unsigned seed = 1;
    int wrong = 0;
    for (int round = 0; round < 3; round++) {
        for (unsigned i = 0; i < 200; i++) {
            size_t size = (seed = seed * 1103515245 + 12345) >> 16;
            size = i % 17 == 0 ? size * 4 : size % 3000;
            pieces[i] = malloc(size + 2);
            wrong += !pieces[i] || (unsigned long)pieces[i] % 16 != 0;
            memset(pieces[i], (int)i, size + 2);
            pieces[i] = realloc(pieces[i], size + 100 + size / 2);
            wrong += pieces[i][0] != (unsigned char)i || pieces[i][size + 1] != (unsigned char)i;
        }
        for (unsigned i = 0; i < 200; i++) {
            wrong += pieces[i][0] != (unsigned char)i;
            free(pieces[i]);
        }
    }
    printf("%d pieces of memory were wrong\n", wrong);
    failures += wrong;
    check("more than there is is refused", malloc((size_t)1 << 50) == 0 && errno == ENOMEM);
    unsigned char *zeros = calloc(1000, 3);
    int sum = 0;
    for (int i = 0; i < 3000; i++)
        sum += zeros[i];
    printf("calloc gives %d\n", sum);
}

static jmp_buf place;

static void jump(int depth)
{
    if (depth < 0)
        return;
    if (depth == 0)
        longjmp(place, 7);
    jump(depth - 1);
}

static void last_words(void) { puts("atexit functions run last first"); }

static void first_words(void) { puts("this one was registered second"); }

int main(void)
{
    int values[100];
    formats();
    numbers();
    strings();
    memory();

    for (int i = 0; i < 100; i++)
        values[i] = i * 7919 % 100 - 50;
    qsort(values, 100, sizeof(*values), compare_ints);
    int ordered = 1;
    for (int i = 1; i < 100; i++)
        ordered &= values[i - 1] <= values[i];
    check("qsort sorts", ordered);
    int key = 17;
    int *found = bsearch(&key, values, 100, sizeof(*values), compare_ints);
    check("bsearch finds", found && *found == 17);

    int value = setjmp(place);
    if (value == 0)
        jump(10);
    printf("longjmp brought %d\n", value);

    putenv("RINGSIDE_TEST=one");
    putenv("RINGSIDE_TEST=two");
    printf("the environment says %s\n", getenv("RINGSIDE_TEST"));
    printf("%s; %s\n", strerror(ENOENT), strerror(EPIPE));
    atexit(last_words);
    atexit(first_words);
    return verdict();
}
