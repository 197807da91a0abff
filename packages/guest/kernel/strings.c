/*
 * strings.c: the argument and environment strings of a program that is about to start, in pieces of
 * at most a page.
 */
#include "defs.h"

#define STRING_MAX 131072 /* Linux's MAX_ARG_STRLEN */

/* A piece that starts a string or continues the last one. */
static struct string *new_piece(const char *text, usize size, bool starts) {
    struct string *s = allocate(sizeof *s);
    if (!s) return NULL;
    s->bytes = allocate(size);
    if (!s->bytes) {
        release(s);
        return NULL;
    }
    memcpy(s->bytes, text, size);
    s->size = size;
    s->starts = starts;
    return s;
}

static i64 append(struct strings *strings, const char *text, usize size, bool starts) {
    struct string *s = new_piece(text, size, starts);
    if (!s) return -ENOMEM;
    s->previous = strings->last;
    if (s->previous) s->previous->next = s;
    else strings->first = s;
    strings->last = s;
    strings->count += starts;
    return 0;
}

i64 strings_add(struct strings *strings, const char *text) {
    return append(strings, text, strlen(text) + 1, true);
}

i64 strings_add_first(struct strings *strings, const char *text) {
    struct string *s = new_piece(text, strlen(text) + 1, true);
    if (!s) return -ENOMEM;
    s->next = strings->first;
    if (s->next) s->next->previous = s;
    else strings->last = s;
    strings->first = s;
    strings->count++;
    return 0;
}

static void remove_piece(struct strings *strings) {
    struct string *s = strings->first;
    strings->first = s->next;
    if (s->next) s->next->previous = NULL;
    else strings->last = NULL;
    strings->count -= s->starts;
    release(s->bytes);
    release(s);
}

void strings_remove_first(struct strings *strings) {
    if (strings->first) remove_piece(strings);
    while (strings->first && !strings->first->starts) remove_piece(strings);
}

void strings_free(struct strings *strings) {
    while (strings->first) remove_piece(strings);
}

/* Copies one string of the program, piece by piece. */
static i64 copy_string(struct strings *strings, u64 at, char *page, u64 *total) {
    for (int piece = 0; piece < STRING_MAX / PAGE_SIZE; piece++, at += PAGE_SIZE) {
        i64 length = copy_text_in(page, at, PAGE_SIZE);
        bool ends = length != -ENAMETOOLONG;
        if (ends && length < 0) return length;
        usize size = ends ? (usize)length + 1 : PAGE_SIZE;
        *total += size;
        if (*total > STACK_LIMIT / 4) return -E2BIG;
        i64 error = append(strings, page, size, piece == 0);
        if (error || ends) return error;
    }
    return -E2BIG;
}

/* Copies the program's array of pointers to strings, up to its null. */
i64 strings_copy_in(struct strings *strings, u64 array) {
    if (!array) return 0;
    char *page = allocate(PAGE_SIZE);
    if (!page) return -ENOMEM;
    i64 error = 0;
    u64 total = 0;
    for (; !error; array += 8) {
        u64 at;
        error = copy_in(&at, array, sizeof at);
        if (error || !at) break;
        total += sizeof at;
        error = copy_string(strings, at, page, &total);
    }
    release(page);
    return error;
}
