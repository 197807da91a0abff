/*
 * Integer instructions on many operands, flags included: a checksum per instruction and width, from a real
 * processor.
 *
 * Flags that the manual leaves undefined are masked. Operands are all pairs of boundary values and some
 * random ones.
 */
#include "test.h"
#include <stdint.h>

enum { CF = 1, PF = 4, AF = 16, ZF = 64, SF = 128, OF = 2048, ALL = CF | PF | AF | ZF | SF | OF };

static const uint64_t boundary[] = {
    0,
    1,
    2,
    3,
    7,
    8,
    15,
    16,
    31,
    32,
    63,
    64,
    127,
    128,
    129,
    255,
    256,
    0x7fff,
    0x8000,
    0x8001,
    0xffff,
    0x10000,
    0x7fffffff,
    0x80000000,
    0x80000001,
    0xffffffff,
    0x100000000,
    0x7fffffffffffffff,
    0x8000000000000000,
    0x8000000000000001,
    0xfffffffffffffffe,
    0xffffffffffffffff,
    0x0123456789abcdef,
    0xfedcba9876543210,
    0x5555555555555555,
    0xaaaaaaaaaaaaaaaa,
};
enum { OPERANDS = sizeof(boundary) / sizeof(*boundary) };

static uint64_t total;

static void add_up(uint64_t value)
{
    total = (total ^ value) * 0x100000001b3u;
    total ^= total >> 29;
}

/* Two operands, flags in and out. The destination keeps its upper part where the width says so. */
#define BINARY(name, instruction, type, modifier, mask)                                           \
    static void name(void)                                                                        \
    {                                                                                             \
        total = 0;                                                                                \
        for (int i = 0; i < OPERANDS; i++)                                                        \
            for (int j = 0; j < OPERANDS; j++)                                                    \
                for (int carry = 0; carry < 2; carry++) {                                         \
                    uint64_t a = boundary[i], flags = (uint64_t)carry | 0x202;                    \
                    __asm__ volatile("sub $128, %%rsp; push %1; popf; " instruction " %" modifier \
                                     "2, %" modifier "0; pushf; pop %1; add $128, %%rsp"          \
                                     : "+&q"(a), "+&q"(flags)                                     \
                                     : "q"(boundary[j])                                           \
                                     : "cc");                                                     \
                    add_up(a);                                                                    \
                    add_up(flags & (mask));                                                       \
                }                                                                                 \
        printf("%s %d: %016lx\n", instruction, (int)sizeof(type) * 8, total);                     \
    }

#define WIDTHS(name, instruction, mask)                 \
    BINARY(name##_8, instruction, uint8_t, "b", mask)   \
    BINARY(name##_16, instruction, uint16_t, "w", mask) \
    BINARY(name##_32, instruction, uint32_t, "k", mask) \
    BINARY(name##_64, instruction, uint64_t, "q", mask)

WIDTHS(add, "add", ALL)
WIDTHS(adc, "adc", ALL)
WIDTHS(sub, "sub", ALL)
WIDTHS(sbb, "sbb", ALL)
WIDTHS(cmp, "cmp", ALL)
WIDTHS(and, "and", ALL & ~AF)
WIDTHS(or, "or", ALL & ~AF)
WIDTHS(xor, "xor", ALL & ~AF)
WIDTHS(test, "test", ALL & ~AF)
WIDTHS(xadd, "xadd", ALL)
BINARY(imul_16, "imul", uint16_t, "w", CF | OF)
BINARY(imul_32, "imul", uint32_t, "k", CF | OF)
BINARY(imul_64, "imul", uint64_t, "q", CF | OF)
BINARY(bt_32, "bt", uint32_t, "k", CF)
BINARY(bts_64, "bts", uint64_t, "q", CF)
BINARY(btr_16, "btr", uint16_t, "w", CF)
BINARY(btc_64, "btc", uint64_t, "q", CF)
BINARY(cmovb_64, "cmovb", uint64_t, "q", ALL)
BINARY(cmovb_32, "cmovb", uint32_t, "k", ALL)

/* One operand. */
#define UNARY(name, instruction, modifier, mask)                                              \
    static void name(void)                                                                    \
    {                                                                                         \
        total = 0;                                                                            \
        for (int i = 0; i < OPERANDS; i++)                                                    \
            for (int carry = 0; carry < 2; carry++) {                                         \
                uint64_t a = boundary[i], flags = (uint64_t)carry | 0x202;                    \
                __asm__ volatile("sub $128, %%rsp; push %1; popf; " instruction " %" modifier \
                                 "0; pushf; pop %1; add $128, %%rsp"                          \
                                 : "+&q"(a), "+&q"(flags)                                     \
                                 :                                                            \
                                 : "cc");                                                     \
                add_up(a);                                                                    \
                add_up(flags & (mask));                                                       \
            }                                                                                 \
        printf("%s %s: %016lx\n", instruction, modifier, total);                              \
    }

UNARY(inc_8, "inc", "b", ALL)
UNARY(inc_64, "inc", "q", ALL)
UNARY(dec_16, "dec", "w", ALL)
UNARY(dec_32, "dec", "k", ALL)
UNARY(neg_8, "neg", "b", ALL)
UNARY(neg_64, "neg", "q", ALL)
UNARY(not_32, "not", "k", ALL)
UNARY(not_64, "not", "q", ALL)
UNARY(bswap_32, "bswap", "k", ALL)
UNARY(bswap_64, "bswap", "q", ALL)

/* Shifts and rotates by CL. OF is defined for counts of one, AF never; a count of 0 changes no flag. */
#define SHIFT(name, instruction, modifier, bits)                                                        \
    static void name(void)                                                                              \
    {                                                                                                   \
        total = 0;                                                                                      \
        for (int i = 0; i < OPERANDS; i++)                                                              \
            for (unsigned count = 0; count < 70; count++)                                               \
                for (int carry = 0; carry < 2; carry++) {                                               \
                    uint64_t a = boundary[i], flags = (uint64_t)carry | 0x202;                          \
                    unsigned masked = count & (bits == 64 ? 63 : 31),                                   \
                             mask = ALL & ~AF & ~(masked == 1 ? 0u : OF);                               \
                    /* Beyond the width the carry of a shift is undefined too. */                       \
                    if (masked >= bits)                                                                 \
                        mask &= ~(unsigned)CF;                                                          \
                    if (masked == 0)                                                                    \
                        mask = ALL;                                                                     \
                    __asm__ volatile("sub $128, %%rsp; push %1; popf; " instruction " %%cl, %" modifier \
                                     "0; pushf; pop %1; add $128, %%rsp"                                \
                                     : "+&q"(a), "+&q"(flags)                                           \
                                     : "c"(count)                                                       \
                                     : "cc");                                                           \
                    add_up(a);                                                                          \
                    add_up(flags & mask);                                                               \
                }                                                                                       \
        printf("%s %d: %016lx\n", instruction, bits, total);                                            \
    }

SHIFT(shl_8, "shl", "b", 8)
SHIFT(shl_16, "shl", "w", 16)
SHIFT(shl_32, "shl", "k", 32)
SHIFT(shl_64, "shl", "q", 64)
SHIFT(shr_8, "shr", "b", 8)
SHIFT(shr_32, "shr", "k", 32)
SHIFT(shr_64, "shr", "q", 64)
SHIFT(sar_8, "sar", "b", 8)
SHIFT(sar_32, "sar", "k", 32)
SHIFT(sar_64, "sar", "q", 64)
SHIFT(rol_8, "rol", "b", 8)
SHIFT(rol_32, "rol", "k", 32)
SHIFT(ror_16, "ror", "w", 16)
SHIFT(ror_64, "ror", "q", 64)
SHIFT(rcl_32, "rcl", "k", 32)
SHIFT(rcr_64, "rcr", "q", 64)

static void wide_multiply_and_divide(void)
{
    total = 0;
    for (int i = 0; i < OPERANDS; i++)
        for (int j = 0; j < OPERANDS; j++) {
            uint64_t low, high, flags, a = boundary[i], b = boundary[j];
            __asm__("mul %4; pushf; pop %2" : "=a"(low), "=d"(high), "=&r"(flags) : "0"(a), "r"(b) : "cc");
            add_up(low), add_up(high), add_up(flags & (CF | OF));
            __asm__("imul %4; pushf; pop %2" : "=a"(low), "=d"(high), "=&r"(flags) : "0"(a), "r"(b) : "cc");
            add_up(low), add_up(high), add_up(flags & (CF | OF));
            if (b != 0) {
                __asm__("div %3" : "=a"(low), "=d"(high) : "0"(a), "r"(b), "1"(b / 2) : "cc");
                add_up(low), add_up(high);
                /* Signed: the dividend is the extended first operand, and the one overflow is left out. */
                if (!(a == 0x8000000000000000 && b == ~0ul)) {
                    __asm__("cqo; idiv %3" : "=a"(low), "=&d"(high) : "0"(a), "r"(b) : "cc");
                    add_up(low), add_up(high);
                }
            }
            uint32_t b32 = (uint32_t)b, low32, high32;
            if (b32 != 0) {
                __asm__("div %3"
                        : "=a"(low32), "=d"(high32)
                        : "0"((uint32_t)a), "r"(b32), "1"(b32 / 3)
                        : "cc");
                add_up(low32), add_up(high32);
            }
        }
    printf("mul, imul, div, idiv: %016lx\n", total);
}

static void double_shifts(void)
{
    total = 0;
    for (int i = 0; i < OPERANDS; i++)
        for (int j = 0; j < OPERANDS; j += 3)
            for (unsigned count = 0; count < 64; count += 5) {
                uint64_t a = boundary[i], b = boundary[i];
                uint32_t c = (uint32_t)boundary[i];
                __asm__("shld %%cl, %1, %0" : "+r"(a) : "r"(boundary[j]), "c"(count) : "cc");
                __asm__("shrd %%cl, %1, %0" : "+r"(b) : "r"(boundary[j]), "c"(count) : "cc");
                __asm__("shld %%cl, %1, %0" : "+r"(c) : "r"((uint32_t)boundary[j]), "c"(count) : "cc");
                add_up(a), add_up(b), add_up(c);
            }
    printf("shld, shrd: %016lx\n", total);
}

static void scans_and_extensions(void)
{
    total = 0;
    for (int i = 0; i < OPERANDS; i++) {
        uint64_t a = boundary[i], result = 0;
        uint32_t narrow = 0;
        uint8_t zero;
        if (a != 0) {
            __asm__("bsf %1, %0" : "=r"(result) : "r"(a) : "cc");
            add_up(result);
            __asm__("bsr %1, %0" : "=r"(result) : "r"(a) : "cc");
            add_up(result);
        }
        __asm__("bsf %2, %0; sete %1" : "=r"(narrow), "=q"(zero) : "r"((uint32_t)a), "0"(0) : "cc");
        add_up(zero);
        if ((uint32_t)a != 0)
            add_up(narrow);
        __asm__("movsbq %b1, %0" : "=r"(result) : "q"(a));
        add_up(result);
        __asm__("movswl %w1, %k0" : "=r"(result) : "r"(a));
        add_up(result);
        __asm__("movslq %k1, %0" : "=r"(result) : "r"(a));
        add_up(result);
        __asm__("movzbw %b1, %w0" : "=r"(result) : "q"(a), "0"(~0ul));
        add_up(result);
        __asm__("mov %1, %%rax; cbw; cwde; cdqe; mov %%rax, %0" : "=r"(result) : "r"(a) : "rax");
        add_up(result);
        __asm__("mov %1, %%rax; cltd; mov %%rdx, %0" : "=r"(result) : "r"(a) : "rax", "rdx");
        add_up(result);
        __asm__("lea 0x1234(%1,%1,8), %0" : "=r"(result) : "r"(a));
        add_up(result);
        __asm__("lea -5(,%q1,4), %k0" : "=r"(result) : "r"(a));
        add_up(result);
        __asm__("mov %1, %%rax; sahf; lahf; mov %%rax, %0" : "=r"(result) : "r"(a) : "rax", "cc");
        add_up(result);
    }
    printf("bit scans, extensions, lea, lahf: %016lx\n", total);
}

static void exchanges(void)
{
    total = 0;
    for (int i = 0; i < OPERANDS; i++)
        for (int j = 0; j < OPERANDS; j++) {
            uint64_t memory = boundary[i], expected = boundary[j], other = ~boundary[i] + 3;
            uint8_t same;
            __asm__ volatile("lock cmpxchg %3, %1; sete %2"
                             : "+a"(expected), "+m"(memory), "=q"(same)
                             : "r"(other)
                             : "cc");
            add_up(memory), add_up(expected), add_up(same);
            uint32_t narrow = (uint32_t)boundary[j];
            __asm__ volatile("lock xadd %0, %1" : "+r"(narrow), "+m"(*(uint32_t *)&memory) : : "cc");
            add_up(memory), add_up(narrow);
            __asm__ volatile("xchg %b0, %1" : "+q"(other), "+m"(*(uint8_t *)&memory));
            add_up(memory), add_up(other);
            uint64_t low = boundary[i], high = boundary[j], pair = memory;
            __asm__ volatile("lock cmpxchg8b %0; sete %3"
                             : "+m"(pair), "+a"(low), "+d"(high), "=q"(same)
                             : "b"(1), "c"(2)
                             : "cc");
            add_up(pair), add_up((uint32_t)low), add_up((uint32_t)high), add_up(same);
            __asm__ volatile(
                "lock incq %0; lock negl %0; lock orb $0x55, %0; lock btsq $63, %0; lock subw $77, %0"
                : "+m"(memory)
                :
                : "cc");
            add_up(memory);
        }
    printf("cmpxchg, xadd, xchg, lock: %016lx\n", total);
}

static void conditions(void)
{
    total = 0;
    for (unsigned combination = 0; combination < 64; combination++) {
        uint64_t flags = 0x202 | (combination & 1 ? CF : 0) | (combination & 2 ? PF : 0) |
                         (combination & 4 ? AF : 0) | (combination & 8 ? ZF : 0) |
                         (combination & 16 ? SF : 0) | (combination & 32 ? OF : 0);
        uint8_t set[16];
        __asm__ volatile(
            "sub $128, %%rsp; push %0; popf\n"
            "seto (%1); setno 1(%1); setb 2(%1); setae 3(%1); sete 4(%1); setne 5(%1); setbe 6(%1); seta 7(%1)\n"
            "sets 8(%1); setns 9(%1); setp 10(%1); setnp 11(%1); setl 12(%1); setge 13(%1); setle 14(%1); setg 15(%1)\n"
            "lea 128(%%rsp), %%rsp"
            :
            : "r"(flags), "r"(set)
            : "memory", "cc");
        for (int i = 0; i < 16; i++)
            add_up(set[i]);
        uint64_t taken = 0;
        __asm__ volatile(
            "sub $128, %%rsp; push %1; popf; jo 1f; lea 1(%0), %0; 1: jbe 1f; lea 2(%0), %0; 1: jg 1f; lea 4(%0), %0; 1: jp 1f; lea 8(%0), %0\n"
            "1: js 1f; lea 16(%0), %0; 1: jge 1f; lea 32(%0), %0; 1: lea 128(%%rsp), %%rsp"
            : "+r"(taken)
            : "r"(flags)
            : "cc");
        add_up(taken);
    }
    printf("conditions: %016lx\n", total);
}

int main(void)
{
    add_8(), add_16(), add_32(), add_64(), adc_8(), adc_16(), adc_32(), adc_64();
    sub_8(), sub_16(), sub_32(), sub_64(), sbb_8(), sbb_16(), sbb_32(), sbb_64();
    cmp_8(), cmp_16(), cmp_32(), cmp_64(), test_8(), test_16(), test_32(), test_64();
    and_8(), and_16(), and_32(), and_64(), or_8(), or_16(), or_32(), or_64(), xor_8(), xor_16(), xor_32(),
        xor_64();
    xadd_8(), xadd_16(), xadd_32(), xadd_64(), imul_16(), imul_32(), imul_64();
    bt_32(), bts_64(), btr_16(), btc_64(), cmovb_64(), cmovb_32();
    inc_8(), inc_64(), dec_16(), dec_32(), neg_8(), neg_64(), not_32(), not_64(), bswap_32(), bswap_64();
    shl_8(), shl_16(), shl_32(), shl_64(), shr_8(), shr_32(), shr_64(), sar_8(), sar_32(), sar_64();
    rol_8(), rol_32(), ror_16(), ror_64(), rcl_32(), rcr_64();
    wide_multiply_and_divide();
    double_shifts();
    scans_and_extensions();
    exchanges();
    conditions();
    return verdict();
}
