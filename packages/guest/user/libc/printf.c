/* Formatted output: one formatter that fills a buffer, and those who own the buffer. */
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

struct output {
    char *to;
    /* Room in `to`, bytes in it, and bytes formatted in all. */
    size_t size, used, total;
    /* Where a full buffer is written, or -1: then what does not fit is only counted. */
    int fd;
};

static void flush(struct output *out)
{
    for (size_t done = 0; done < out->used;) {
        ssize_t wrote = write(out->fd, out->to + done, out->used - done);
        if (wrote < 0)
            break;
        done += (size_t)wrote;
    }
    out->used = 0;
}

static void put(struct output *out, char c)
{
    if (out->used == out->size && out->fd >= 0)
        flush(out);
    if (out->used < out->size)
        out->to[out->used++] = c;
    out->total++;
}

struct conversion {
    int left, zero, plus, space, alternate;
    int width;
    /* -1 when not given. */
    int precision;
};

/* Writes prefix and body, padded to the width: blanks before or after both, or zeros between them. */
static void put_padded(struct output *out, const struct conversion *how, const char *prefix, const char *body,
                       size_t length)
{
    int padding = how->width - (int)(strlen(prefix) + length);
    if (!how->left && !how->zero)
        while (padding-- > 0)
            put(out, ' ');
    while (*prefix)
        put(out, *prefix++);
    if (!how->left && how->zero)
        while (padding-- > 0)
            put(out, '0');
    while (length-- > 0)
        put(out, *body++);
    while (padding-- > 0)
        put(out, ' ');
}

/* Writes the digits of `value` so that they end before `end`, and returns where they start. */
static char *digits(char *end, uint64_t value, unsigned base, int least, int upper)
{
    const char *set = upper ? "0123456789ABCDEF" : "0123456789abcdef";
    for (; value > 0 || least > 0; value /= base, least--)
        *--end = set[value % base];
    return end;
}

static const char *sign_prefix(const struct conversion *how, int negative)
{
    return negative ? "-" : how->plus ? "+" : how->space ? " " : "";
}

static void put_integer(struct output *out, struct conversion *how, uint64_t value, const char *prefix,
                        unsigned base, int upper)
{
    char buffer[128];
    int least = how->precision < 0 ? 1 : how->precision > 100 ? 100 : how->precision;
    if (how->precision >= 0)
        how->zero = 0;
    char *start = digits(buffer + sizeof(buffer), value, base, least, upper);
    put_padded(out, how, prefix, start, (size_t)(buffer + sizeof(buffer) - start));
}

static void put_double(struct output *out, struct conversion *how, double value)
{
    char buffer[64], *end = buffer + sizeof(buffer), *start;
    uint64_t bits;
    memcpy(&bits, &value, sizeof(bits));
    const char *prefix = sign_prefix(how, bits >> 63);
    int precision = how->precision < 0 ? 6 : how->precision > 18 ? 18 : how->precision;

    if (value < 0)
        value = -value;
    if (!(value < 9223372036854775808.0)) {
        const char *word = value != value ? "nan" : value > 1.7976931348623157e308 ? "inf" : "big";
        how->zero = 0;
        put_padded(out, how, prefix, word, 3);
        return;
    }
    uint64_t whole = (uint64_t)value, scale = 1;
    for (int i = 0; i < precision; i++)
        scale *= 10;
    uint64_t fraction = (uint64_t)((value - (double)whole) * (double)scale + 0.5);
    if (fraction >= scale) {
        fraction -= scale;
        whole++;
    }
    start = end;
    if (precision > 0) {
        start = digits(end, fraction, 10, precision, 0);
        *--start = '.';
    }
    start = digits(start, whole, 10, 1, 0);
    put_padded(out, how, prefix, start, (size_t)(end - start));
}

static int64_t narrowed(int64_t value, int bytes)
{
    int shift = 64 - 8 * bytes;
    return (int64_t)((uint64_t)value << shift) >> shift;
}

static void format_into(struct output *out, const char *f, va_list list)
{
    for (; *f; f++) {
        if (*f != '%') {
            put(out, *f);
            continue;
        }
        struct conversion how = { .precision = -1 };
        for (f++; *f && strchr("-0+ #", *f); f++) {
            how.left |= *f == '-';
            how.zero |= *f == '0';
            how.plus |= *f == '+';
            how.space |= *f == ' ';
            how.alternate |= *f == '#';
        }
        if (*f == '*')
            how.width = va_arg(list, int), f++;
        else
            while (*f >= '0' && *f <= '9')
                how.width = how.width * 10 + (*f++ - '0');
        if (*f == '.') {
            how.precision = 0;
            if (*++f == '*')
                how.precision = va_arg(list, int), f++;
            else
                while (*f >= '0' && *f <= '9')
                    how.precision = how.precision * 10 + (*f++ - '0');
        }
        int bytes = 4;
        for (; *f && strchr("hlzjt", *f); f++)
            bytes = *f == 'h' ? bytes / 2 : 8;

        switch (*f) {
        case 'd':
        case 'i': {
            int64_t value = narrowed(bytes == 8 ? va_arg(list, long) : va_arg(list, int), bytes);
            put_integer(out, &how, value < 0 ? -(uint64_t)value : (uint64_t)value,
                        sign_prefix(&how, value < 0), 10, 0);
            break;
        }
        case 'u':
        case 'x':
        case 'X':
        case 'o': {
            uint64_t value = (uint64_t)(bytes == 8 ? va_arg(list, long) : va_arg(list, int));
            if (bytes < 8)
                value &= ((uint64_t)1 << 8 * bytes) - 1;
            const char *prefix = !how.alternate || value == 0 ? ""
                                 : *f == 'x'                  ? "0x"
                                 : *f == 'X'                  ? "0X"
                                 : *f == 'o'                  ? "0"
                                                              : "";
            put_integer(out, &how, value, prefix, *f == 'u' ? 10 : *f == 'o' ? 8 : 16, *f == 'X');
            break;
        }
        case 'p': put_integer(out, &how, (uint64_t)va_arg(list, void *), "0x", 16, 0); break;
        case 'f': put_double(out, &how, va_arg(list, double)); break;
        case 'c': {
            char c = (char)va_arg(list, int);
            how.zero = 0;
            put_padded(out, &how, "", &c, 1);
            break;
        }
        case 's': {
            const char *s = va_arg(list, const char *);
            if (!s)
                s = "(null)";
            how.zero = 0;
            put_padded(out, &how, "", s, how.precision < 0 ? strlen(s) : strnlen(s, (size_t)how.precision));
            break;
        }
        case '%': put(out, '%'); break;
        default:
            /* A programmer's mistake, made visible instead of hidden. */
            put(out, '%');
            if (!*f)
                return;
            put(out, *f);
        }
    }
}

int vdprintf(int fd, const char *format, va_list list)
{
    char buffer[1024];
    struct output out = { .to = buffer, .size = sizeof(buffer), .fd = fd };
    format_into(&out, format, list);
    flush(&out);
    return (int)out.total;
}

int vsnprintf(char *to, size_t size, const char *format, va_list list)
{
    struct output out = { .to = to, .size = size > 0 ? size - 1 : 0, .fd = -1 };
    format_into(&out, format, list);
    if (size > 0)
        to[out.used] = 0;
    return (int)out.total;
}

int dprintf(int fd, const char *format, ...)
{
    va_list list;
    va_start(list, format);
    int total = vdprintf(fd, format, list);
    va_end(list);
    return total;
}

int printf(const char *format, ...)
{
    va_list list;
    va_start(list, format);
    int total = vdprintf(1, format, list);
    va_end(list);
    return total;
}

int snprintf(char *to, size_t size, const char *format, ...)
{
    va_list list;
    va_start(list, format);
    int total = vsnprintf(to, size, format, list);
    va_end(list);
    return total;
}

int puts(const char *s) { return printf("%s\n", s); }
int putchar(int c) { return printf("%c", c); }
