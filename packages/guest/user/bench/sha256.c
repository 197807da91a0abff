/* SHA-256 (FIPS 180-4, section 6.2, "SHA-256") of messages of 1024 bytes, each holding the digest of the one
 * before. */
#include "bench.h"
#include <stdlib.h>
#include <string.h>

enum { MESSAGE_BYTES = 1024, DIGEST_BYTES = 32 };

static const uint32_t round_constants[64] = {
    0x428a2f98, 0x71374491, 0xb5c0fbcf, 0xe9b5dba5, 0x3956c25b, 0x59f111f1, 0x923f82a4, 0xab1c5ed5,
    0xd807aa98, 0x12835b01, 0x243185be, 0x550c7dc3, 0x72be5d74, 0x80deb1fe, 0x9bdc06a7, 0xc19bf174,
    0xe49b69c1, 0xefbe4786, 0x0fc19dc6, 0x240ca1cc, 0x2de92c6f, 0x4a7484aa, 0x5cb0a9dc, 0x76f988da,
    0x983e5152, 0xa831c66d, 0xb00327c8, 0xbf597fc7, 0xc6e00bf3, 0xd5a79147, 0x06ca6351, 0x14292967,
    0x27b70a85, 0x2e1b2138, 0x4d2c6dfc, 0x53380d13, 0x650a7354, 0x766a0abb, 0x81c2c92e, 0x92722c85,
    0xa2bfe8a1, 0xa81a664b, 0xc24b8b70, 0xc76c51a3, 0xd192e819, 0xd6990624, 0xf40e3585, 0x106aa070,
    0x19a4c116, 0x1e376c08, 0x2748774c, 0x34b0bcb5, 0x391c0cb3, 0x4ed8aa4a, 0x5b9cca4f, 0x682e6ff3,
    0x748f82ee, 0x78a5636f, 0x84c87814, 0x8cc70208, 0x90befffa, 0xa4506ceb, 0xbef9a3f7, 0xc67178f2,
};

static uint32_t rotate(uint32_t word, int bits) { return word >> bits | word << (32 - bits); }

static void compress(uint32_t hash[8], const unsigned char block[64])
{
    uint32_t w[64], a = hash[0], b = hash[1], c = hash[2], d = hash[3], e = hash[4], f = hash[5], g = hash[6],
                    h = hash[7];

    for (int t = 0; t < 16; t++)
        w[t] = (uint32_t)block[4 * t] << 24 | (uint32_t)block[4 * t + 1] << 16 |
               (uint32_t)block[4 * t + 2] << 8 | block[4 * t + 3];
    for (int t = 16; t < 64; t++) {
        uint32_t s0 = rotate(w[t - 15], 7) ^ rotate(w[t - 15], 18) ^ w[t - 15] >> 3;
        uint32_t s1 = rotate(w[t - 2], 17) ^ rotate(w[t - 2], 19) ^ w[t - 2] >> 10;
        w[t] = w[t - 16] + s0 + w[t - 7] + s1;
    }
    for (int t = 0; t < 64; t++) {
        uint32_t s1 = rotate(e, 6) ^ rotate(e, 11) ^ rotate(e, 25);
        uint32_t t1 = h + s1 + ((e & f) ^ (~e & g)) + round_constants[t] + w[t];
        uint32_t s0 = rotate(a, 2) ^ rotate(a, 13) ^ rotate(a, 22);
        uint32_t t2 = s0 + ((a & b) ^ (a & c) ^ (b & c));
        h = g, g = f, f = e, e = d + t1, d = c, c = b, b = a, a = t1 + t2;
    }
    hash[0] += a, hash[1] += b, hash[2] += c, hash[3] += d, hash[4] += e, hash[5] += f, hash[6] += g,
        hash[7] += h;
}

static void digest(unsigned char to[DIGEST_BYTES], const unsigned char *message, size_t size)
{
    uint32_t hash[8] = { 0x6a09e667, 0xbb67ae85, 0x3c6ef372, 0xa54ff53a,
                         0x510e527f, 0x9b05688c, 0x1f83d9ab, 0x5be0cd19 };
    unsigned char tail[128] = { 0 };
    size_t whole = size / 64 * 64, rest = size - whole, padded = rest < 56 ? 64 : 128;

    for (size_t at = 0; at < whole; at += 64)
        compress(hash, message + at);
    memcpy(tail, message + whole, rest);
    tail[rest] = 0x80;
    for (int i = 0; i < 8; i++)
        tail[padded - 1 - (size_t)i] = (unsigned char)((uint64_t)size * 8 >> (8 * i));
    for (size_t at = 0; at < padded; at += 64)
        compress(hash, tail + at);
    for (int i = 0; i < DIGEST_BYTES; i++)
        to[i] = (unsigned char)(hash[i / 4] >> (24 - 8 * (i % 4)));
}

static unsigned char message[MESSAGE_BYTES];

static void prepare(long count)
{
    (void)count;
    for (int i = 0; i < MESSAGE_BYTES; i++)
        message[i] = (unsigned char)(i * 7);
}

static uint64_t run(long first, long count, uint64_t checksum)
{
    for (long i = first; i < first + count; i++) {
        uint64_t start;
        digest(message, message, MESSAGE_BYTES);
        memcpy(&start, message, sizeof(start));
        checksum = mix(checksum, start);
    }
    return checksum;
}

/*
 * Checks the known answer for "abc" (FIPS 180-4's companion "Descriptions of SHA-256", B.1). Not before the
 * marks: it would warm the code.
 */
static uint64_t finish(uint64_t checksum)
{
    static const unsigned char known[DIGEST_BYTES] = {
        0xba, 0x78, 0x16, 0xbf, 0x8f, 0x01, 0xcf, 0xea, 0x41, 0x41, 0x40, 0xde, 0x5d, 0xae, 0x22, 0x23,
        0xb0, 0x03, 0x61, 0xa3, 0x96, 0x17, 0x7a, 0x9c, 0xb4, 0x10, 0xff, 0x61, 0xf2, 0x00, 0x15, 0xad,
    };
    unsigned char got[DIGEST_BYTES];
    digest(got, (const unsigned char *)"abc", 3);
    require(memcmp(got, known, DIGEST_BYTES) == 0, "SHA-256 of abc");
    return checksum;
}

const struct benchmark sha256 = { "sha256", "SHA-256 of 1024 bytes", prepare, run, finish };
