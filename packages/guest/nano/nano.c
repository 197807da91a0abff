/*
 * nano.c: a bare kernel that measures one processor operation at a time.
 *
 * Command line: `bench=NAME n=N`. It runs N operations, then N again, with marks around both, prints
 * `checksum <16 hex digits>` on the debug console and ends the machine with 0. Anything it does not
 * understand ends the machine with 1, after a line that says why.
 */
#include "nano.h"

static char gathered[96];
static usize length;

/* Gathered up to the end of a line, because a hypervisor may want to be asked for each piece. */
void print(const char *text) {
    for (; *text; text++) {
        gathered[length++] = *text;
        if (*text != '\n' && length < sizeof gathered) continue;
        machine_print(gathered, length);
        length = 0;
    }
}

void print_hex(u64 value) {
    char digits[17];
    for (int i = 0; i < 16; i++) digits[i] = "0123456789abcdef"[value >> (60 - 4 * i) & 15];
    digits[16] = 0;
    print(digits);
}

_Noreturn void fail(const char *why, const char *what) {
    print("nano: ");
    print(why);
    print(what);
    print("\n");
    machine_stop(RINGSIDE_EXIT_PANIC);
}

_Noreturn void stray_event(u64 vector, const u64 *stack) {
    print("nano: unexpected exception ");
    print_hex(vector);
    for (int i = 0; i < 4; i++) {
        print(" ");
        print_hex(stack[i]);
    }
    print("\n");
    machine_stop(RINGSIDE_EXIT_PANIC);
}

/* Returns what follows `key` at the start of a word of the command line, or null. */
static const char *option(const char *line, const char *key) {
    while (*line) {
        const char *a = line, *b = key;
        while (*b && *a == *b) a++, b++;
        if (!*b) return a;
        while (*line && *line != ' ') line++;
        while (*line == ' ') line++;
    }
    return 0;
}

static bool word_is(const char *text, const char *word) {
    while (*word && *text == *word) text++, word++;
    return !*word && (!*text || *text == ' ');
}

static u64 mix(u64 hash, u64 value) {
    hash = (hash ^ value) * 0xff51afd7ed558ccdull;
    return hash ^ hash >> 32;
}

_Noreturn void nano_main(const char *options) {
    const char *name = option(options, "bench="), *digits = option(options, "n=");
    if (!name || !digits) fail("expected bench=NAME n=N, not ", options);

    u64 n = 0;
    for (; *digits >= '0' && *digits <= '9' && n < 1u << 31; digits++)
        n = n * 10 + (u64)(*digits - '0');
    if (!n || (*digits && *digits != ' ')) fail("n must be from 1 to 2147483647: ", options);

    const struct benchmark *benchmark = benchmarks;
    while (benchmark->name && !word_is(name, benchmark->name)) benchmark++;
    if (!benchmark->name) fail("no such benchmark: ", name);
    if (benchmark->reason) fail("not applicable: ", benchmark->reason);
    u64 hash = n;
    for (const char *c = benchmark->name; *c; c++) hash = mix(hash, (u64)*c);

    machine_prepare();
    if (benchmark->loop) {
        RINGSIDE_MARK(RINGSIDE_MARK_BENCHMARK_START);
        u64 cold = benchmark->loop(n);
        RINGSIDE_MARK(RINGSIDE_MARK_BENCHMARK_COLD_END);
        u64 warm = benchmark->loop(n);
        RINGSIDE_MARK(RINGSIDE_MARK_BENCHMARK_END);
        hash = mix(mix(hash, cold), warm);
    } else {
        hash = mix(hash, user_round_trips(n, USER_CODE, USER_STACK + PAGE_SIZE));
    }
    print("checksum ");
    print_hex(hash);
    print("\n");
    machine_stop(RINGSIDE_EXIT_POWER_OFF);
}
