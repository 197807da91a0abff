/*
 * log.c: text for people, on the debug console; and the end of everything, panic().
 *
 * %s text, %d int, %u u32, %x u32, %p u64 in 16 digits, %l u64 in decimal, %c character, %%.
 */
#include "defs.h"

bool log_quiet;

static void put(struct text *out, const char *bytes, usize count) {
    for (usize i = 0; i < count && out->length < out->capacity; i++)
        out->bytes[out->length++] = bytes[i];
}

static void put_number(struct text *out, u64 value, u32 base, int digits) {
    char reversed[24];
    int count = 0;
    do {
        reversed[count++] = "0123456789abcdef"[value % base];
        value /= base;
    } while (value || count < digits);
    while (count) put(out, &reversed[--count], 1);
}

static void format(struct text *out, const char *pattern, va_list arguments) {
    for (; *pattern; pattern++) {
        if (*pattern != '%') {
            put(out, pattern, 1);
            continue;
        }
        switch (*++pattern) {
        case 's': {
            const char *text = va_arg(arguments, const char *);
            put(out, text, strlen(text));
            break;
        }
        case 'd': {
            i64 value = va_arg(arguments, int);
            if (value < 0) put(out, "-", 1);
            put_number(out, (u64)(value < 0 ? -value : value), 10, 1);
            break;
        }
        case 'u':
            put_number(out, va_arg(arguments, u32), 10, 1);
            break;
        case 'x':
            put_number(out, va_arg(arguments, u32), 16, 1);
            break;
        case 'h':
            put_number(out, va_arg(arguments, u64), 16, 8);
            break;
        case 'p':
            put_number(out, va_arg(arguments, u64), 16, 16);
            break;
        case 'l':
            put_number(out, va_arg(arguments, u64), 10, 1);
            break;
        case 'c': {
            char c = (char)va_arg(arguments, int);
            put(out, &c, 1);
            break;
        }
        default:
            put(out, "%", 1);
        }
    }
}

void text_print(struct text *out, const char *pattern, ...) {
    va_list arguments;
    va_start(arguments, pattern);
    format(out, pattern, arguments);
    va_end(arguments);
}

static void log_list(const char *pattern, va_list arguments) {
    static char bytes[512];
    struct text line = {bytes, 0, sizeof bytes};
    format(&line, pattern, arguments);
    machine_log(line.bytes, line.length);
}

void log(const char *pattern, ...) {
    if (log_quiet) return;
    va_list arguments;
    va_start(arguments, pattern);
    log_list(pattern, arguments);
    va_end(arguments);
}

static void print_always(const char *pattern, ...) {
    va_list arguments;
    va_start(arguments, pattern);
    log_list(pattern, arguments);
    va_end(arguments);
}

static void print_registers(const struct registers *r) {
    print_always("vector %u error %p rip %p cs %x\n", (u32)r->vector, r->error, r->rip, (u32)r->cs);
    print_always("rsp %p ss %x rflags %p rbp %p\n", r->rsp, (u32)r->ss, r->rflags, r->rbp);
    print_always("rax %p rbx %p rcx %p rdx %p\n", r->rax, r->rbx, r->rcx, r->rdx);
    print_always("rsi %p rdi %p r8  %p r9  %p\n", r->rsi, r->rdi, r->r8, r->r9);
    print_always("r10 %p r11 %p r12 %p r13 %p\n", r->r10, r->r11, r->r12, r->r13);
    print_always("r14 %p r15 %p\n", r->r14, r->r15);
}

static _Noreturn void die(const struct registers *registers) {
    if (current) print_always("process %d (%s)\n", current->pid, current->name);
    if (registers) print_registers(registers);
    machine_power_off(RINGSIDE_EXIT_PANIC);
}

_Noreturn void panic(const char *pattern, ...) {
    va_list arguments;
    print_always("kernel panic: ");
    va_start(arguments, pattern);
    log_list(pattern, arguments);
    va_end(arguments);
    print_always("\n");
    die(NULL);
}

_Noreturn void panic_at(const struct registers *registers, const char *what, u64 address) {
    print_always("kernel panic: %s, address %p\n", what, address);
    die(registers);
}
