/* Numbers, sorting and the environment. */
#include <errno.h>
#include <limits.h>
#include <stdlib.h>
#include <string.h>

static int digit(char c)
{
    if (c >= '0' && c <= '9')
        return c - '0';
    if (c >= 'a' && c <= 'z')
        return c - 'a' + 10;
    if (c >= 'A' && c <= 'Z')
        return c - 'A' + 10;
    return 99;
}

/* Reads sign, prefix and digits; `*negative` says whether there was a minus. Saturates with ERANGE. */
static unsigned long magnitude(const char *s, char **end, int base, int *negative)
{
    const char *start = s;
    unsigned long value = 0;
    int any = 0, overflow = 0;

    while (*s == ' ' || (*s >= '\t' && *s <= '\r'))
        s++;
    *negative = *s == '-';
    if (*s == '-' || *s == '+')
        s++;
    if ((base == 0 || base == 16) && s[0] == '0' && (s[1] | 32) == 'x' && digit(s[2]) < 16)
        s += 2, base = 16;
    else if (base == 0)
        base = *s == '0' ? 8 : 10;
    for (; digit(*s) < base; s++, any = 1) {
        overflow |= __builtin_mul_overflow(value, (unsigned long)base, &value);
        overflow |= __builtin_add_overflow(value, (unsigned long)digit(*s), &value);
    }
    if (end)
        *end = (char *)(any ? s : start);
    if (overflow)
        errno = ERANGE;
    return overflow ? ULONG_MAX : value;
}

unsigned long strtoul(const char *s, char **end, int base)
{
    int negative;
    unsigned long value = magnitude(s, end, base, &negative);
    return negative ? -value : value;
}

long strtol(const char *s, char **end, int base)
{
    int negative;
    unsigned long value = magnitude(s, end, base, &negative);
    if (value > (unsigned long)LONG_MAX + (unsigned long)negative) {
        errno = ERANGE;
        return negative ? LONG_MIN : LONG_MAX;
    }
    return (long)(negative ? -value : value);
}

int atoi(const char *s) { return (int)strtol(s, 0, 10); }
int abs(int value) { return value < 0 ? -value : value; }

static void swap(char *a, char *b, size_t size)
{
    /* Pointers are what is sorted most. */
    for (; size >= 8; a += 8, b += 8, size -= 8) {
        char kept[8];
        __builtin_memcpy(kept, a, 8);
        __builtin_memcpy(a, b, 8);
        __builtin_memcpy(b, kept, 8);
    }
    for (; size > 0; a++, b++, size--) {
        char kept = *a;
        *a = *b;
        *b = kept;
    }
}

/* Heap sort: never more than n log n comparisons, and no memory. Equal elements may change places. */
void qsort(void *base, size_t count, size_t size, int (*compare)(const void *, const void *))
{
    char *a = base;
    size_t heap = count / 2, end = count;

    while (end > 1) {
        if (heap > 0) {
            heap--;
        } else {
            end--;
            swap(a, a + end * size, size);
        }
        size_t parent = heap, child;
        while ((child = 2 * parent + 1) < end) {
            if (child + 1 < end && compare(a + child * size, a + (child + 1) * size) < 0)
                child++;
            if (compare(a + parent * size, a + child * size) >= 0)
                break;
            swap(a + parent * size, a + child * size, size);
            parent = child;
        }
    }
}

void *bsearch(const void *key, const void *base, size_t count, size_t size,
              int (*compare)(const void *, const void *))
{
    const char *low = base;
    while (count > 0) {
        const char *middle = low + count / 2 * size;
        int order = compare(key, middle);
        if (order == 0)
            return (void *)middle;
        if (order > 0) {
            low = middle + size;
            count--;
        }
        count /= 2;
    }
    return 0;
}

char *getenv(const char *name)
{
    size_t length = strlen(name);
    for (char **variable = environ; *variable; variable++)
        if (strncmp(*variable, name, length) == 0 && (*variable)[length] == '=')
            return *variable + length + 1;
    return 0;
}

int putenv(char *assignment)
{
    size_t count = 0, length = (size_t)(strchr(assignment, '=') - assignment) + 1;
    for (; environ[count]; count++) {
        if (strncmp(environ[count], assignment, length) == 0) {
            environ[count] = assignment;
            return 0;
        }
    }
    char **larger = malloc((count + 2) * sizeof(*larger));
    if (!larger)
        return -1;
    memcpy(larger, environ, count * sizeof(*larger));
    larger[count] = assignment;
    larger[count + 1] = 0;
    environ = larger;
    return 0;
}
