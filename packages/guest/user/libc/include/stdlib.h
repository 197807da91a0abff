/* Memory, numbers, sorting, the environment, and the end of a process. */
#pragma once
#include <stddef.h>

#define EXIT_SUCCESS 0
#define EXIT_FAILURE 1

void *malloc(size_t size);
void *calloc(size_t count, size_t size);
void *realloc(void *old, size_t size);
void free(void *memory);

long strtol(const char *s, char **end, int base);
unsigned long strtoul(const char *s, char **end, int base);
int atoi(const char *s);
int abs(int value);

void qsort(void *base, size_t count, size_t size, int (*compare)(const void *, const void *));
void *bsearch(const void *key, const void *base, size_t count, size_t size,
              int (*compare)(const void *, const void *));

/* Strings of the form NAME=value, the last one followed by a null pointer. */
extern char **environ;
char *getenv(const char *name);
/* `assignment` (NAME=value) becomes part of the environment and must live on. 0, or -1 with ENOMEM. */
int putenv(char *assignment);

/* At most 16 functions, called last first by exit. */
int atexit(void (*function)(void));
_Noreturn void exit(int status);
_Noreturn void abort(void);
