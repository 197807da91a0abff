/*
 * SSE and SSE2 instructions on many operands: a checksum for each, from a real processor.
 *
 * Which of two NaNs an operation passes on, and MXCSR's denormal flag, are left out: QEMU does both in its
 * own way, and this test is to be the same there. The vectors of single instructions have them.
 */
#include "test.h"
#include <stdint.h>

typedef union {
    uint64_t q[2];
    uint32_t d[4];
} __attribute__((aligned(16))) vector;

/* Doubles, then floats, then integers: zeros, ones, denormals, infinities, NaNs, extremes, patterns. */
static const vector operands[] = {
    { .q = { 0, 0x8000000000000000 } },
    { .q = { 0x3ff0000000000000, 0xbff0000000000000 } },
    { .q = { 0x4008000000000000, 0x3fd5555555555555 } },
    { .q = { 0x7ff0000000000000, 0xfff0000000000000 } },
    { .q = { 0x7ff8000000001234, 0x0000000000000001 } },
    { .q = { 0x7fefffffffffffff, 0x0010000000000000 } },
    { .q = { 0x41dfffffffc00000, 0xc1e0000000200000 } },
    { .q = { 0x43e0000000000000, 0x3ca0000000000000 } },
    { .d = { 0x3f800000, 0xbf800000, 0x00000000, 0x80000000 } },
    { .d = { 0x40490fdb, 0x7f800000, 0xff800000, 0x7fc00001 } },
    { .d = { 0x00000001, 0x007fffff, 0x7f7fffff, 0x4f000000 } },
    { .d = { 0x4b000001, 0xcb800003, 0x3e99999a, 0xc2f6e979 } },
    { .q = { 0x0123456789abcdef, 0xfedcba9876543210 } },
    { .q = { 0x7fff8000ffff0001, 0x80007fff00ff7f80 } },
    { .q = { 0x0000000000000005, 0x0000000000000040 } },
};
enum { OPERANDS = sizeof(operands) / sizeof(*operands) };

static uint64_t total;

static void add_up(const vector *value)
{
    for (int i = 0; i < 2; i++) {
        total = (total ^ value->q[i]) * 0x100000001b3u;
        total ^= total >> 29;
    }
}

/* A bit for each element that is a NaN, be it as a float or as a double. */
static unsigned nans(const vector *value)
{
    unsigned found = 0;
    for (int i = 0; i < 4; i++)
        found |= (unsigned)((value->d[i] & 0x7fffffff) > 0x7f800000) << i;
    for (int i = 0; i < 2; i++)
        found |= (unsigned)((value->q[i] & 0x7fffffffffffffff) > 0x7ff0000000000000) << (4 + i);
    return found;
}

static void finish(const char *name)
{
    unsigned mxcsr;
    __asm__ volatile("stmxcsr %0" : "=m"(mxcsr));
    printf("%s: %016lx, MXCSR %#x\n", name, total, mxcsr & ~2u);
    total = 0;
    mxcsr = 0x1f80;
    __asm__ volatile("ldmxcsr %0" : : "m"(mxcsr));
}

/* All pairs, from a register and from memory. */
#define TWO(instruction)                                                                            \
    do {                                                                                            \
        for (int i = 0; i < OPERANDS; i++)                                                          \
            for (int j = 0; j < OPERANDS; j++) {                                                    \
                vector a = operands[i], b = operands[i];                                            \
                if (nans(&a) & nans(&operands[j]))                                                  \
                    continue;                                                                       \
                __asm__ volatile("movaps %0, %%xmm1; movaps %2, %%xmm2; " instruction               \
                                 " %%xmm2, %%xmm1; movaps %%xmm1, %0\n"                             \
                                 "movaps %1, %%xmm9; " instruction " %2, %%xmm9; movaps %%xmm9, %1" \
                                 : "+m"(a), "+m"(b)                                                 \
                                 : "m"(operands[j])                                                 \
                                 : "xmm1", "xmm2", "xmm9");                                         \
                add_up(&a);                                                                         \
                add_up(&b);                                                                         \
            }                                                                                       \
        finish(instruction);                                                                        \
    } while (0)

/* With an immediate that stands before the operands. */
#define TWO_WITH(instruction, immediate)                                           \
    do {                                                                           \
        for (int i = 0; i < OPERANDS; i++)                                         \
            for (int j = 0; j < OPERANDS; j++) {                                   \
                vector a = operands[i];                                            \
                __asm__ volatile("movaps %0, %%xmm1; " instruction " $" #immediate \
                                 ", %1, %%xmm1; movaps %%xmm1, %0"                 \
                                 : "+m"(a)                                         \
                                 : "m"(operands[j])                                \
                                 : "xmm1");                                        \
                add_up(&a);                                                        \
            }                                                                      \
        finish(instruction " " #immediate);                                        \
    } while (0)

/* Shifts of a register by an immediate. */
#define SHIFT(instruction, immediate)                                                                        \
    do {                                                                                                     \
        for (int i = 0; i < OPERANDS; i++) {                                                                 \
            vector a = operands[i];                                                                          \
            __asm__ volatile("movaps %0, %%xmm1; " instruction " $" #immediate ", %%xmm1; movaps %%xmm1, %0" \
                             : "+m"(a)                                                                       \
                             :                                                                               \
                             : "xmm1");                                                                      \
            add_up(&a);                                                                                      \
        }                                                                                                    \
        finish(instruction " " #immediate);                                                                  \
    } while (0)

/* From a vector to a general register. */
#define TO_INTEGER(instruction)                                              \
    do {                                                                     \
        for (int i = 0; i < OPERANDS; i++) {                                 \
            vector result = { .q = { 0, 0 } };                               \
            __asm__ volatile("movaps %1, %%xmm1; " instruction " %%xmm1, %0" \
                             : "=r"(result.q[0])                             \
                             : "m"(operands[i])                              \
                             : "xmm1");                                      \
            add_up(&result);                                                 \
        }                                                                    \
        finish(instruction);                                                 \
    } while (0)

#define FROM_INTEGER(instruction)                                                               \
    do {                                                                                        \
        for (int i = 0; i < OPERANDS; i++) {                                                    \
            vector result = operands[(i + 3) % OPERANDS];                                       \
            __asm__ volatile("movaps %0, %%xmm1; " instruction " %1, %%xmm1; movaps %%xmm1, %0" \
                             : "+m"(result)                                                     \
                             : "r"(operands[i].q[0])                                            \
                             : "xmm1");                                                         \
            add_up(&result);                                                                    \
        }                                                                                       \
        finish(instruction);                                                                    \
    } while (0)

static void arithmetic(void)
{
    TWO("addsd");
    TWO("subsd");
    TWO("mulsd");
    TWO("divsd");
    TWO("sqrtsd");
    TWO("minsd");
    TWO("maxsd");
    TWO("addss");
    TWO("subss");
    TWO("mulss");
    TWO("divss");
    TWO("sqrtss");
    TWO("minss");
    TWO("maxss");
    TWO("addpd");
    TWO("subpd");
    TWO("mulpd");
    TWO("divpd");
    TWO("sqrtpd");
    TWO("minpd");
    TWO("maxpd");
    TWO("addps");
    TWO("subps");
    TWO("mulps");
    TWO("divps");
    TWO("sqrtps");
    TWO("minps");
    TWO("maxps");
    TWO("andps");
    TWO("andnps");
    TWO("orps");
    TWO("xorps");
    TWO("andpd");
    TWO("andnpd");
    TWO("orpd");
    TWO("xorpd");
}

static void conversions(void)
{
    TWO("cvtss2sd");
    TWO("cvtsd2ss");
    TWO("cvtps2pd");
    TWO("cvtpd2ps");
    TWO("cvtdq2pd");
    TWO("cvtdq2ps");
    TWO("cvtps2dq");
    TWO("cvttps2dq");
    TWO("cvtpd2dq");
    TWO("cvttpd2dq");
    TO_INTEGER("cvtsd2siq");
    TO_INTEGER("cvttsd2siq");
    TO_INTEGER("cvtss2siq");
    TO_INTEGER("cvttss2siq");
    TO_INTEGER("movmskpd");
    TO_INTEGER("movmskps");
    TO_INTEGER("pmovmskb");
    TO_INTEGER("movq");
    FROM_INTEGER("cvtsi2sdq");
    FROM_INTEGER("cvtsi2ssq");
    FROM_INTEGER("movq");
}

static void comparisons(void)
{
    TWO_WITH("cmpsd", 0);
    TWO_WITH("cmpsd", 1);
    TWO_WITH("cmpsd", 2);
    TWO_WITH("cmpsd", 3);
    TWO_WITH("cmpsd", 4);
    TWO_WITH("cmpsd", 5);
    TWO_WITH("cmpsd", 6);
    TWO_WITH("cmpsd", 7);
    TWO_WITH("cmppd", 1);
    TWO_WITH("cmppd", 6);
    TWO_WITH("cmpps", 0);
    TWO_WITH("cmpps", 5);
    TWO_WITH("cmpss", 2);
    TWO_WITH("cmpss", 3);
    for (int i = 0; i < OPERANDS; i++)
        for (int j = 0; j < OPERANDS; j++) {
            vector flags;
            __asm__ volatile(
                "movaps %2, %%xmm1; ucomisd %3, %%xmm1; pushf; pop %0; comiss %3, %%xmm1; pushf; pop %1"
                : "=&r"(flags.q[0]), "=&r"(flags.q[1])
                : "m"(operands[i]), "m"(operands[j])
                : "xmm1", "cc");
            flags.q[0] &= 0x8d5, flags.q[1] &= 0x8d5;
            add_up(&flags);
        }
    finish("ucomisd, comiss");
}

static void integers(void)
{
    TWO("paddb");
    TWO("paddw");
    TWO("paddd");
    TWO("paddq");
    TWO("psubb");
    TWO("psubw");
    TWO("psubd");
    TWO("psubq");
    TWO("paddsb");
    TWO("paddsw");
    TWO("paddusb");
    TWO("paddusw");
    TWO("psubsb");
    TWO("psubsw");
    TWO("psubusb");
    TWO("psubusw");
    TWO("pmullw");
    TWO("pmulhw");
    TWO("pmulhuw");
    TWO("pmuludq");
    TWO("pmaddwd");
    TWO("pavgb");
    TWO("pavgw");
    TWO("psadbw");
    TWO("pminub");
    TWO("pmaxub");
    TWO("pminsw");
    TWO("pmaxsw");
    TWO("pcmpeqb");
    TWO("pcmpeqw");
    TWO("pcmpeqd");
    TWO("pcmpgtb");
    TWO("pcmpgtw");
    TWO("pcmpgtd");
    TWO("pand");
    TWO("pandn");
    TWO("por");
    TWO("pxor");
    TWO("psllw");
    TWO("pslld");
    TWO("psllq");
    TWO("psrlw");
    TWO("psrld");
    TWO("psrlq");
    TWO("psraw");
    TWO("psrad");
    SHIFT("psllw", 3);
    SHIFT("pslld", 31);
    SHIFT("psllq", 33);
    SHIFT("psrlw", 15);
    SHIFT("psrld", 7);
    SHIFT("psrlq", 1);
    SHIFT("psraw", 16);
    SHIFT("psrad", 5);
    SHIFT("pslldq", 5);
    SHIFT("psrldq", 11);
    SHIFT("psrldq", 16);
    SHIFT("psllq", 64);
}

static void moves(void)
{
    TWO("punpcklbw");
    TWO("punpcklwd");
    TWO("punpckldq");
    TWO("punpcklqdq");
    TWO("punpckhbw");
    TWO("punpckhwd");
    TWO("punpckhdq");
    TWO("punpckhqdq");
    TWO("packsswb");
    TWO("packssdw");
    TWO("packuswb");
    TWO("unpcklps");
    TWO("unpckhps");
    TWO("unpcklpd");
    TWO("unpckhpd");
    TWO("movsd");
    TWO("movss");
    TWO("movq");
    TWO("movdqa");
    TWO("movups");
    TWO_WITH("pshufd", 0x1b);
    TWO_WITH("pshufd", 0xe4);
    TWO_WITH("pshuflw", 0x93);
    TWO_WITH("pshufhw", 0x4e);
    TWO_WITH("shufps", 0x72);
    TWO_WITH("shufpd", 1);
    for (int i = 0; i < OPERANDS; i++) {
        vector a = operands[i], memory[2] = { operands[0], operands[12] };
        __asm__ volatile(
            "movaps %0, %%xmm1; movhps 8+%1, %%xmm1; movlpd 16+%1, %%xmm1; movaps %%xmm1, %%xmm2; movhlps %%xmm1, %%xmm2\n"
            "movlhps %%xmm2, %%xmm1; movdqu %%xmm1, 3+%1; pextrw $5, %%xmm2, %%eax; pinsrw $2, %%eax, %%xmm1; movaps %%xmm1, %0"
            : "+m"(a), "+m"(memory)
            :
            : "xmm1", "xmm2", "rax");
        add_up(&a), add_up(&memory[0]), add_up(&memory[1]);
    }
    finish("movhps, movlpd, movhlps, movlhps, movdqu, pextrw, pinsrw");
}

/* The same sums under each rounding, with denormals flushed or not. */
static void modes(void)
{
    for (unsigned mode = 0; mode < 8; mode++) {
        unsigned mxcsr = 0x1f80 | (mode & 3) << 13 | (mode & 4) << 13;
        for (int i = 0; i < OPERANDS; i++)
            for (int j = 0; j < OPERANDS; j++) {
                vector sum = operands[i], product = operands[i], quotient = operands[i], whole;
                if (nans(&sum) & nans(&operands[j]))
                    continue;
                __asm__ volatile(
                    "ldmxcsr %5; movaps %0, %%xmm1; addpd %4, %%xmm1; movaps %%xmm1, %0; cvtpd2dq %%xmm1, %%xmm2; movaps %%xmm2, %3\n"
                    "movaps %1, %%xmm1; mulps %4, %%xmm1; movaps %%xmm1, %1; movaps %2, %%xmm1; divsd %4, %%xmm1; movaps %%xmm1, %2"
                    : "+m"(sum), "+m"(product), "+m"(quotient), "=m"(whole)
                    : "m"(operands[j]), "m"(mxcsr)
                    : "xmm1", "xmm2");
                add_up(&sum), add_up(&product), add_up(&quotient), add_up(&whole);
            }
        char name[16];
        snprintf(name, sizeof(name), "mode %u", mode);
        finish(name);
    }
}

int main(void)
{
    arithmetic();
    conversions();
    comparisons();
    integers();
    moves();
    modes();
    return verdict();
}
