/*
 * string.c: memory and text. The compiler calls memcpy, memset, memmove and memcmp by itself.
 * Bulk work is by 8 bytes, because each iteration of a string instruction costs the same.
 */
#include "defs.h"

void *memcpy(void *to, const void *from, usize count) {
    void *start = to;
    usize words = count / 8, rest = count % 8;
    __asm__ volatile("rep movsq" : "+D"(to), "+S"(from), "+c"(words)::"memory");
    __asm__ volatile("rep movsb" : "+D"(to), "+S"(from), "+c"(rest)::"memory");
    return start;
}

void *memmove(void *to, const void *from, usize count) {
    u8 *t = to;
    const u8 *f = from;
    if (t <= f || t >= f + count) return memcpy(to, from, count);
    while (count--) t[count] = f[count];
    return to;
}

void *memset(void *at, int value, usize count) {
    void *start = at;
    u64 word = (u8)value * 0x0101010101010101ull;
    usize words = count / 8, rest = count % 8;
    __asm__ volatile("rep stosq" : "+D"(at), "+c"(words) : "a"(word) : "memory");
    __asm__ volatile("rep stosb" : "+D"(at), "+c"(rest) : "a"(word) : "memory");
    return start;
}

void memzero(void *at, usize count) { memset(at, 0, count); }

int memcmp(const void *a, const void *b, usize count) {
    const u8 *x = a, *y = b;
    for (; count; count--, x++, y++)
        if (*x != *y) return *x - *y;
    return 0;
}

usize strlen(const char *text) {
    usize length = 0;
    while (text[length]) length++;
    return length;
}

bool text_equal(const char *a, const char *b) {
    while (*a && *a == *b) a++, b++;
    return *a == *b;
}
