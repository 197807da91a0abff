/*
 * strings.c: the argument and environment strings of a program that is about to start.
 */
#include "defs.h"

static i64 add(struct strings *strings, const char *text, usize size, bool first) {
    /* A string and its header in one piece; long ones have a page of their own. */
    struct string *s = allocate(sizeof *s);
    if (!s) return -ENOMEM;
    s->bytes = allocate(size);
    if (!s->bytes) {
        release(s);
        return -ENOMEM;
    }
    memcpy(s->bytes, text, size);
    s->size = size;
    if (first || !strings->last) {
        s->next = strings->first;
        if (s->next) s->next->previous = s;
        else strings->last = s;
        strings->first = s;
    } else {
        s->previous = strings->last;
        s->previous->next = s;
        strings->last = s;
    }
    strings->count++;
    return 0;
}

i64 strings_add(struct strings *strings, const char *text) {
    return add(strings, text, strlen(text) + 1, false);
}

i64 strings_add_first(struct strings *strings, const char *text) {
    return add(strings, text, strlen(text) + 1, true);
}

void strings_remove_first(struct strings *strings) {
    struct string *s = strings->first;
    if (!s) return;
    strings->first = s->next;
    if (s->next) s->next->previous = NULL;
    else strings->last = NULL;
    strings->count--;
    release(s->bytes);
    release(s);
}

void strings_free(struct strings *strings) {
    while (strings->first) strings_remove_first(strings);
}

/* Copies the program's array of pointers to strings, up to its null. */
i64 strings_copy_in(struct strings *strings, u64 array) {
    if (!array) return 0;
    char *text = allocate(PAGE_SIZE);
    if (!text) return -ENOMEM;
    i64 error = 0;
    u64 total = 0;
    for (; !error; array += 8) {
        u64 at;
        error = copy_in(&at, array, sizeof at);
        if (error || !at) break;
        i64 length = copy_text_in(text, at, PAGE_SIZE);
        if (length < 0) {
            error = length == -ENAMETOOLONG ? -E2BIG : length;
            break;
        }
        total += (u64)length + 9;
        if (total > STACK_LIMIT / 4) error = -E2BIG;
        else error = add(strings, text, (usize)length + 1, false);
    }
    release(text);
    return error;
}
