/*
 * What a benchmark is: a set-up, and a function that does `count` operations and returns a value that only
 * the real work yields. The driver (main.c) calls `run` twice with the same count, so that an observer can
 * tell the first, cold half from the second.
 */
#pragma once
#include <stdint.h>

struct benchmark {
    const char *name;
    /* What one operation is, for people. */
    const char *operation;
    /* Prepares both halves, `count` operations each, without doing any of them. May be null. */
    void (*prepare)(long count);
    /* Does operations `first` to `first + count - 1`, mixing what they yield into `checksum`. */
    uint64_t (*run)(long first, long count, uint64_t checksum);
    /* Ends what `prepare` started, and mixes in results that are only known then. May be null. */
    uint64_t (*finish)(uint64_t checksum);
};

extern const struct benchmark null_call, fork_wait, fork_exec, pipe_latency, context_switch, map_unmap,
    page_fault, signal_self, integer_mix, sieve, sha256, nbody;

/* Order-sensitive: FNV-1a's step (Fowler, Noll, Vo) on a 64-bit word, with the high bits folded back down. */
static inline uint64_t mix(uint64_t checksum, uint64_t value)
{
    checksum = (checksum ^ value) * 0x100000001b3u;
    return checksum ^ checksum >> 32;
}

/* Ends the program with status 1 and a message unless what must be so is so: a call succeeded, an answer is
 * the known one. */
void require(int succeeded, const char *what);
