/* The sieve of Eratosthenes over the odd numbers below 16384, a byte each. */
#include "bench.h"
#include <stdlib.h>
#include <string.h>

enum { LIMIT = 16384, PRIMES_BELOW_LIMIT = 1900 };

static unsigned char composite[LIMIT / 2];

static uint64_t run(long first, long count, uint64_t checksum)
{
    for (long i = first; i < first + count; i++) {
        long primes = 1, sum = 2;
        memset(composite, 0, sizeof(composite));
        for (long number = 3; number < LIMIT; number += 2) {
            if (composite[number / 2])
                continue;
            primes++;
            sum += number;
            for (long multiple = number * number; multiple < LIMIT; multiple += 2 * number)
                composite[multiple / 2] = 1;
        }
        require(primes == PRIMES_BELOW_LIMIT, "the number of primes below 16384 is 1900");
        checksum = mix(checksum, (uint64_t)(sum + i));
    }
    return checksum;
}

const struct benchmark sieve = { "sieve", "all primes below 16384", 0, run, 0 };
