/*
 * Formatted output.
 *
 * Nothing is buffered: each call of printf, puts or dprintf is one write(2) for up to 1024 bytes of text. So
 * output needs no flushing before fork, in signal handlers or at a crash, and what several processes write
 * never mixes within a line.
 */
#pragma once
#include <stdarg.h>
#include <stddef.h>

/*
 * Formats: %d %i %u %x %X %o %c %s %p %f %%, with the flags - 0 + space #, width and precision (also *), and
 * the lengths hh h l ll z j t. %f is exact to about 15 significant digits and prints magnitudes of 2^63 and
 * above as "big".
 */
int printf(const char *format, ...) __attribute__((format(printf, 1, 2)));
int dprintf(int fd, const char *format, ...) __attribute__((format(printf, 2, 3)));
int vdprintf(int fd, const char *format, va_list arguments);
int snprintf(char *to, size_t size, const char *format, ...) __attribute__((format(printf, 3, 4)));
int vsnprintf(char *to, size_t size, const char *format, va_list arguments);
int puts(const char *s);
int putchar(int c);
/* Writes "what: message of errno" to standard error. */
void perror(const char *what);
